package influx

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/gal-friday/marketdata/ports"
)

// table is one series of a result: the rows that share one combination of tags.
type table struct {
	statement int
	name      string
	tags      map[string]string
	columns   []string
	rows      int // how many rows follow; another table may continue the same series
}

// rowHandler receives the rows of a response in order.
type rowHandler interface {
	// beginTable is called before the rows of each table.
	beginTable(t table) error

	// decodeRow must read exactly the values of one row of the table from d.
	decodeRow(d *decoder) error
}

// responseDecoder decodes a response and proves that it is complete. A response is a sequence of msgpack documents:
//
//	document  {"results": [result, ...]} or {"error": text}
//	result    {"statement_id": n, "series": [table, ...], "partial": true}
//	table     {"name": ..., "tags": {...}, "columns": [...], "values": [row, ...], "partial": true}
//
// A statement has one or more results, in one or more documents. All of them except the last have "partial". InfluxDB 2
// returns no result for a statement that has none: an empty list of results, or no document at all.
//
// INVARIANT: the server announces only rows that follow. A result after a "partial" one has rows, and a table after a
// "partial" one continues its series.
type responseDecoder struct {
	decoder *decoder
	handler rowHandler

	statements   int    // how many statements the query has
	perStatement bool   // whether each statement has the whole limit of bytes
	statement    int    // the statement of the current result
	finished     bool   // whether the last result of the statement has been decoded
	begun        bool   // whether a result has begun
	any          bool   // whether a document has been decoded
	rows         int    // how many rows the current result has so far
	cut          *table // the last table if the next one must continue it
}

// decode decodes the response to the query. It returns nil only if the response is complete.
func (r *responseDecoder) decode(q query) error {
	r.statements, r.perStatement = q.statements, q.chunked
	for {
		more, err := r.decoder.hasMore()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := r.decodeDocument(); err != nil {
			return err
		}

		r.any = true
	}

	switch {
	case q.noResult && !r.begun:
		return nil
	case !r.any:
		return fmt.Errorf("the response is empty: %w", ports.ErrIncomplete)
	case !r.finished || r.statement != r.statements-1:
		return fmt.Errorf("the response ends before the last result: %w", ports.ErrIncomplete)
	}

	return nil
}

func (r *responseDecoder) decodeDocument() error {
	d := r.decoder
	n, err := d.readMapHeader()
	if err != nil {
		return err
	}
	if n != 1 {
		return malformedError("a document of %d keys", n)
	}

	key, err := d.readText()
	if err != nil {
		return err
	}

	switch key {
	case "error":
		return r.decodeError()
	case "results":
	default:
		return malformedError("a document with the key %.40q", key)
	}

	results, err := d.readArrayHeader()
	if err != nil {
		return err
	}

	for range results {
		if err := r.decodeResult(); err != nil {
			return err
		}
	}

	return nil
}

// decodeError returns the error message of the server as a *ServerError.
func (r *responseDecoder) decodeError() error {
	text, err := r.decoder.readText()
	if err != nil {
		return err
	}

	return &ServerError{Status: http.StatusOK, Message: text}
}

// resultState is the part of a result that has been decoded.
type resultState struct {
	begun     bool // whether the statement is known
	continues bool // whether the result before this one announced it
	decoded   bool // whether the tables have been decoded
	partial   bool // whether another result of the statement follows
}

func (r *responseDecoder) decodeResult() error {
	keys, err := r.decoder.readMapHeader()
	if err != nil {
		return err
	}

	var state resultState
	for range keys {
		if state, err = r.decodeResultKey(state); err != nil {
			return err
		}
	}
	switch {
	case !state.begun:
		return malformedError("a result of no statement")
	case !state.decoded:
		return malformedError("a result without series")
	case state.continues && r.rows == 0:
		return fmt.Errorf("the response lacks the rows that the server announced: %w", ports.ErrIncomplete)
	case r.cut != nil && !state.partial:
		return fmt.Errorf("the server cut the result at its own row limit: %w", ports.ErrIncomplete)
	}

	r.finished = !state.partial

	return nil
}

func (r *responseDecoder) decodeResultKey(state resultState) (resultState, error) {
	d := r.decoder
	key, err := d.readText()
	if err != nil {
		return state, err
	}

	switch key {
	case "statement_id":
		id, err := d.readInteger()
		if err != nil {
			return state, err
		}

		state.begun, state.continues = true, r.begun && !r.finished

		return state, r.beginResult(id)
	case "series":
		if !state.begun || state.decoded {
			return state, malformedError("series of no statement, or a second time")
		}

		state.decoded = true

		return state, r.decodeTables()
	case "messages":
		return state, r.skipMessages()
	case "partial":
		if state.partial {
			return state, malformedError("a result that is partial a second time")
		}

		state.partial, err = d.readBool()

		return state, err
	case "error":
		return state, r.decodeError()
	}

	return state, malformedError("a result with the key %.40q", key)
}

// beginResult begins a result of statement id. It must be the current statement, or the next one if the current one is
// finished.
func (r *responseDecoder) beginResult(id int64) error {
	want := r.statement
	if r.finished {
		want++
	}
	if id != int64(want) || want >= r.statements {
		return malformedError("a result of statement %d where one of %d of %d should be", id, want, r.statements)
	}

	if r.finished && r.perStatement {
		r.decoder.resetLimit()
	}
	r.statement, r.finished, r.begun, r.rows = want, false, true, 0

	return nil
}

// skipMessages skips the informational messages of the server.
func (r *responseDecoder) skipMessages() error {
	d := r.decoder
	n, err := d.readArrayHeader()
	if err != nil {
		return err
	}

	for range n {
		keys, err := d.readMapHeader()
		if err != nil {
			return err
		}

		for range 2 * keys {
			if _, err := d.readBytes(); err != nil {
				return err
			}
		}
	}

	return nil
}

// decodeTables decodes the tables of a result.
func (r *responseDecoder) decodeTables() error {
	n, err := r.decoder.readArrayHeader()
	if err != nil {
		return err
	}

	for range n {
		if err := r.decodeTable(); err != nil {
			return err
		}
	}

	return nil
}

// decodeTable decodes a table. The rows must follow the names.
func (r *responseDecoder) decodeTable() error {
	d := r.decoder
	keys, err := d.readMapHeader()
	if err != nil {
		return err
	}

	t := table{statement: r.statement}
	begun, cut := false, false
	for range keys {
		key, err := d.readText()
		if err != nil {
			return err
		}
		if begun && (key != "partial" || cut) {
			return malformedError("the key %.40q after the values", key)
		}

		switch key {
		case "name":
			t.name, err = d.readText()
		case "tags":
			t.tags, err = r.decodeTags()
		case "columns":
			t.columns, err = r.decodeColumns()
		case "values":
			begun = true
			err = r.decodeRows(t)
		case "partial":
			cut, err = d.readBool()
		default:
			err = malformedError("a series with the key %.40q", key)
		}
		if err != nil {
			return err
		}
	}
	if !begun {
		return malformedError("a series without values")
	}

	r.cut = nil
	if cut {
		r.cut = &t
	}

	return nil
}

func (r *responseDecoder) decodeRows(t table) error {
	if r.cut != nil && (t.name != r.cut.name || !maps.Equal(t.tags, r.cut.tags)) {
		return fmt.Errorf("the response lacks the rows of %s %v that the server announced: %w",
			r.cut.name, r.cut.tags, ports.ErrIncomplete)
	}

	d := r.decoder
	var err error
	if t.rows, err = d.readArrayHeader(); err != nil {
		return err
	}
	if err := r.handler.beginTable(t); err != nil {
		return err
	}

	r.rows += t.rows
	for range t.rows {
		width, err := d.readArrayHeader()
		if err != nil {
			return err
		}
		if width != len(t.columns) {
			return malformedError("a row of %d values for %d columns", width, len(t.columns))
		}
		if err := r.handler.decodeRow(d); err != nil {
			return err
		}
	}

	return nil
}

// maxNames is how many columns or tags a table may have.
const maxNames = 64

func (r *responseDecoder) decodeTags() (map[string]string, error) {
	n, err := r.decoder.readMapHeader()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformedError("%d tags", n)
	}

	tags := make(map[string]string, n)
	for range n {
		key, err := r.decoder.readText()
		if err != nil {
			return nil, err
		}
		if tags[key], err = r.decoder.readText(); err != nil {
			return nil, err
		}
	}

	return tags, nil
}

func (r *responseDecoder) decodeColumns() ([]string, error) {
	n, err := r.decoder.readArrayHeader()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformedError("%d columns", n)
	}

	columns := make([]string, n)
	for i := range columns {
		if columns[i], err = r.decoder.readText(); err != nil {
			return nil, err
		}
	}

	return columns, nil
}
