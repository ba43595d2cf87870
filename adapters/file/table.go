package file

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Format says how a file is written.
type Format struct {
	Name     string            // of the file, for errors; defaults to "input"
	Columns  map[string]string // of a Column constant, the header's name where it is not a common one; defaults to none
	TimeUnit TimeUnit          // of times that are numbers; defaults to TimeUnitAuto
	TimeZone string            // IANA name, for times that name no zone; without it they are refused

	// Reject is handed every row that is wrong, and the reading goes on behind it, or ends with the error it returns. What such a row
	// says is not known: the Range of no batch reaches over it. What is unclear is still an error, since it concerns every row.
	// Nil: the first row that is wrong is an error.
	Reject func(Rejected) error
}

// Rejected is a row that is wrong.
type Rejected struct {
	File   string
	Line   int // counted from 1
	Reason error
	Row    []byte // as it stands in the file, without the line's end; valid until Reject returns
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
	onBad   func(Rejected) error // nil: a bad row is an error
	pending bool                 // the current row was read, but is still to come
	symbol  string               // what the column of symbols says, where there is one
	named   bool                 // symbol was read
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

	t := &table{what: f.what, rows: newRows(format.Name, r), times: times, onBad: format.Reject}
	t.rows.keep = format.Reject != nil
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

// reject hands the current row, which err says is wrong, to whoever wants such rows. The error returned ends the reading.
func (t *table) reject(err error) error {
	var unclear *UnclearError
	var wrong *LineError
	if t.onBad == nil || t.rows.text == nil || errors.As(err, &unclear) || !errors.As(err, &wrong) {
		return err
	}

	return t.onBad(Rejected{wrong.File, wrong.Line, wrong.Err, t.rows.text})
}

// over is what a rejected row does to a batch of so many rows: one that has none yet no longer reaches back to start, the end of the
// batch before, and another ends before the row.
func (t *table) over(start time.Time, rows int) (time.Time, bool) {
	if rows == 0 {
		return time.Time{}, false
	}
	return start, true
}
