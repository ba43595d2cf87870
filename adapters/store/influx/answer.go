package influx

import (
	"fmt"
	"net/http"

	"github.com/gal-friday/marketdata/ports"
)

// table is one series of an answer: the rows of one combination of tags.
type table struct {
	statement int
	name      string
	tags      map[string]string
	columns   []string
	rows      int // how many rows follow; more tables of the same series may come
}

// answer reads the msgpack documents of an answer. Of every statement there are one or more results, all but the last marked
// partial; a document holds one or more results.
type answer struct {
	decoder *decoder
	begin   func(table) error
	row     func(*decoder) error

	statements int  // how many were asked for
	statement  int  // the one whose results come now
	done       bool // its last result has come
	any        bool // a document has come
}

func (a *answer) read(statements int) error {
	a.statements = statements
	for {
		more, err := a.decoder.more()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := a.document(); err != nil {
			return err
		}

		a.any = true
	}

	switch {
	case !a.any:
		return fmt.Errorf("the answer is empty: %w", ports.ErrIncomplete)
	case !a.done || a.statement != statements-1:
		return fmt.Errorf("the answer ends where more should follow: %w", ports.ErrIncomplete)
	}

	return nil
}

// document reads {"results": [...]} or {"error": "..."}.
func (a *answer) document() error {
	d := a.decoder
	n, err := d.dict()
	if err != nil {
		return err
	}
	if n != 1 {
		return malformed("a document of %d keys", n)
	}

	key, err := d.text()
	if err != nil {
		return err
	}

	switch key {
	case "error":
		return a.failure()
	case "results":
	default:
		return malformed("a document with the key %.40q", key)
	}

	results, err := d.array()
	if err != nil {
		return err
	}

	for range results {
		if err := a.result(); err != nil {
			return err
		}
	}

	return nil
}

// failure reads the server's own words for what went wrong.
func (a *answer) failure() error {
	text, err := a.decoder.text()
	if err != nil {
		return err
	}

	return &ServerError{Status: http.StatusOK, Message: text}
}

// result reads {"statement_id": 0, "series": [...], "partial": true}, the last of them only where more follows.
func (a *answer) result() error {
	d := a.decoder
	keys, err := d.dict()
	if err != nil {
		return err
	}

	id, partial, cut := -1, false, false
	for range keys {
		key, err := d.text()
		if err != nil {
			return err
		}

		switch key {
		case "statement_id":
			n, err := d.integer()
			if err != nil {
				return err
			}
			if err := a.expect(n); err != nil {
				return err
			}

			id = a.statement
		case "series":
			if id < 0 {
				return malformed("series of no statement")
			}
			if cut, err = a.tables(); err != nil {
				return err
			}
		case "messages":
			if err := a.messages(); err != nil {
				return err
			}
		case "partial":
			if partial, err = d.boolean(); err != nil {
				return err
			}
		case "error":
			return a.failure()
		default:
			return malformed("a result with the key %.40q", key)
		}
	}
	if id < 0 {
		return malformed("a result of no statement")
	}
	if cut && !partial {
		return fmt.Errorf("the server cut the answer off at its own row limit: %w", ports.ErrIncomplete)
	}

	a.done = !partial
	return nil
}

// expect wants the next result to be of the statement that is not finished, or of the one after a finished one.
func (a *answer) expect(id int64) error {
	want := a.statement
	if a.done {
		want++
	}
	if id != int64(want) || want >= a.statements {
		return malformed("a result of statement %d where one of %d of %d should be", id, want, a.statements)
	}

	if a.done { // the limit is on the answer of one statement
		a.decoder.renew()
	}
	a.statement, a.done = want, false
	return nil
}

// messages reads the server's remarks, which tell nothing that matters here.
func (a *answer) messages() error {
	d := a.decoder
	n, err := d.array()
	if err != nil {
		return err
	}

	for range n {
		keys, err := d.dict()
		if err != nil {
			return err
		}

		for range 2 * keys {
			if _, err := d.bytes(); err != nil {
				return err
			}
		}
	}

	return nil
}

// tables reads the series of a result; cut reports that the last one goes on elsewhere.
func (a *answer) tables() (cut bool, err error) {
	n, err := a.decoder.array()
	if err != nil {
		return false, err
	}

	for range n {
		if cut, err = a.table(); err != nil {
			return false, err
		}
	}

	return cut, nil
}

// table reads {"name": ..., "tags": {...}, "columns": [...], "values": [[...]], "partial": true}.
func (a *answer) table() (cut bool, err error) {
	d := a.decoder
	keys, err := d.dict()
	if err != nil {
		return false, err
	}

	t := table{statement: a.statement}
	begun := false
	for range keys {
		key, err := d.text()
		if err != nil {
			return false, err
		}
		if begun && key != "partial" {
			return false, malformed("the key %.40q after the values", key)
		}

		switch key {
		case "name":
			t.name, err = d.text()
		case "tags":
			t.tags, err = a.tags()
		case "columns":
			t.columns, err = a.texts()
		case "values":
			begun = true
			err = a.rows(t)
		case "partial":
			cut, err = d.boolean()
		default:
			err = malformed("a series with the key %.40q", key)
		}
		if err != nil {
			return false, err
		}
	}
	if !begun {
		return false, malformed("a series without values")
	}

	return cut, nil
}

func (a *answer) rows(t table) error {
	d := a.decoder
	var err error
	if t.rows, err = d.array(); err != nil {
		return err
	}
	if err := a.begin(t); err != nil {
		return err
	}

	for range t.rows {
		width, err := d.array()
		if err != nil {
			return err
		}
		if width != len(t.columns) {
			return malformed("a row of %d values for %d columns", width, len(t.columns))
		}
		if err := a.row(d); err != nil {
			return err
		}
	}

	return nil
}

const maxNames = 64 // of columns or tags in a table

func (a *answer) tags() (map[string]string, error) {
	n, err := a.decoder.dict()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformed("%d tags", n)
	}

	tags := make(map[string]string, n)
	for range n {
		key, err := a.decoder.text()
		if err != nil {
			return nil, err
		}
		if tags[key], err = a.decoder.text(); err != nil {
			return nil, err
		}
	}

	return tags, nil
}

func (a *answer) texts() ([]string, error) {
	n, err := a.decoder.array()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformed("%d columns", n)
	}

	texts := make([]string, n)
	for i := range texts {
		if texts[i], err = a.decoder.text(); err != nil {
			return nil, err
		}
	}

	return texts, nil
}
