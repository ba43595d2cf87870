package file

import (
	"errors"
	"fmt"
	"io"

	"github.com/gal-friday/marketdata/domain"
)

// Format says how a file is written.
type Format struct {
	Name     string            // of the file, for errors; defaults to "input"
	Columns  map[string]string // of a Column constant, the header's name where it is not a common one; defaults to none
	TimeUnit TimeUnit          // of times that are numbers; defaults to TimeUnitAuto
	TimeZone string            // IANA name, for times that name no zone; without it they are refused
}

// Validate reports every fault.
func (f Format) Validate() error {
	var zone error
	if f.TimeZone != "" {
		_, zone = loadZone(f.TimeZone)
	}
	return errors.Join(f.TimeUnit.Validate(), zone)
}

// table is a file whose header was read: its rows, and where in them the columns of a form are.
type table struct {
	what    string // the rows are
	rows    *rows
	times   *timeParser
	layout  layout
	pending bool   // the current row was read, but is still to come
	symbol  string // what the column of symbols says, where there is one
	named   bool   // symbol was read
}

// newTable reads the header. grid is that of bars.
func newTable(r io.Reader, format Format, f form, grid domain.Grid) (*table, error) {
	if format.Name == "" {
		format.Name = "input"
	}
	times, err := newTimeParser(format, grid)
	if err != nil {
		return nil, err
	}
	t := &table{what: f.what, rows: newRows(format.Name, r), times: times}
	more, err := t.rows.next()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, &LineError{File: format.Name, Line: 1, Err: errors.New("the file is empty; its first line names the columns")}
	}
	if t.layout, err = t.find(f, format.Columns, grid); err != nil {
		return nil, t.rows.wrong(err)
	}
	return t, nil
}

// find finds the columns, by the first row or, in klines, without a header.
func (t *table) find(f form, chosen map[string]string, grid domain.Grid) (layout, error) {
	if startsWithDigit(t.rows.cells) {
		if f.what != barForm.what || len(chosen) > 0 {
			return layout{}, errors.New("the file has no header; put one in its first line, like " + f.header())
		}
		t.pending = true
		return klinesLayout(t.rows.cells, t.times, grid)
	}
	h := newHeader(t.rows.cells)
	if err := h.choose(chosen, f); err != nil {
		return layout{}, err
	}
	return h.layout(f)
}

// startsWithDigit reports whether the first row is data, not names.
func startsWithDigit(cells [][]byte) bool {
	return len(cells[0]) > 0 && cells[0][0] >= '0' && cells[0][0] <= '9'
}

// next goes on to the next row; false is the end of the file. The row has as many cells as the first, and is of the file's symbol.
func (t *table) next() (bool, error) {
	if t.pending {
		t.pending = false
	} else if more, err := t.rows.next(); err != nil || !more {
		return false, err
	}
	cells := t.rows.cells
	if len(cells) != t.layout.cells {
		return false, t.rows.wrong(fmt.Errorf("%d cells where the first line has %d", len(cells), t.layout.cells))
	}
	if t.layout.symbol < 0 {
		return true, nil
	}
	switch symbol := cells[t.layout.symbol]; {
	case !t.named:
		t.symbol, t.named = string(symbol), true
	case string(symbol) != t.symbol:
		return false, t.rows.wrong(fmt.Errorf("%s of %.40q after %s of %.40q; import a file a symbol", t.what, symbol, t.what, t.symbol))
	}
	return true, nil
}
