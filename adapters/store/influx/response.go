package influx

import (
	"fmt"
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
// A statement has one or more results, in one or more documents. All of them except the last have "partial".
type responseDecoder struct {
	decoder *decoder
	handler rowHandler

	statements int  // how many statements the query has
	statement  int  // the statement of the current result
	finished   bool // whether the last result of the statement has been decoded
	any        bool // whether a document has been decoded
}

// decode decodes the response to a query of so many statements. It returns nil only if the response is complete.
func (r *responseDecoder) decode(statements int) error {
	r.statements = statements
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
	case !r.any:
		return fmt.Errorf("the response is empty: %w", ports.ErrIncomplete)
	case !r.finished || r.statement != statements-1:
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
	begun   bool // whether the statement is known
	partial bool // whether another result of the statement follows
	cut     bool // whether the last table is continued elsewhere
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
	if !state.begun {
		return malformedError("a result of no statement")
	}
	if state.cut && !state.partial {
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

		state.begun = true
		return state, r.beginResult(id)
	case "series":
		if !state.begun {
			return state, malformedError("series of no statement")
		}

		state.cut, err = r.decodeTables()
		return state, err
	case "messages":
		return state, r.skipMessages()
	case "partial":
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

	if r.finished { // because the limit applies to the response to one statement
		r.decoder.resetLimit()
	}
	r.statement, r.finished = want, false
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

// decodeTables decodes the tables of a result. cut reports whether the last one is continued elsewhere.
func (r *responseDecoder) decodeTables() (cut bool, err error) {
	n, err := r.decoder.readArrayHeader()
	if err != nil {
		return false, err
	}

	for range n {
		if cut, err = r.decodeTable(); err != nil {
			return false, err
		}
	}

	return cut, nil
}

// decodeTable decodes a table. cut reports whether it is continued elsewhere. The rows must follow the names.
func (r *responseDecoder) decodeTable() (cut bool, err error) {
	d := r.decoder
	keys, err := d.readMapHeader()
	if err != nil {
		return false, err
	}

	t := table{statement: r.statement}
	begun := false
	for range keys {
		key, err := d.readText()
		if err != nil {
			return false, err
		}
		if begun && key != "partial" {
			return false, malformedError("the key %.40q after the values", key)
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
			return false, err
		}
	}
	if !begun {
		return false, malformedError("a series without values")
	}

	return cut, nil
}

func (r *responseDecoder) decodeRows(t table) error {
	d := r.decoder
	var err error
	if t.rows, err = d.readArrayHeader(); err != nil {
		return err
	}
	if err := r.handler.beginTable(t); err != nil {
		return err
	}

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
