package file

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// table reads the rows of a file of CSV by its header, or of NDJSON. It rejects malformed rows and computes the ranges
// of batches.
type table struct {
	kind      Kind // of the rows
	rows      *rows
	times     *timeParser
	layout    layout
	onReject  func(RejectedRow) error // nil: a malformed row is an error
	onColumns func(Columns)
	rejected  []domain.Range // of the rows that a first reading rejected, sorted; from the current row on
	pending   bool           // next must return the current row again
	symbol    *string        // in the symbol column; nil before the first row

	// batchEnd is the end of the previous batch, at which the range of the next one begins. It is zero before the first
	// batch and after a rejected row.
	batchEnd time.Time

	// isCorrection is true for a file of rejected rows, each of which covers only itself. rowEnd is then the end of the
	// previous row.
	isCorrection bool
	rowEnd       time.Time

	header []byte // of CSV: the text of the line that names the columns
}

// newTable reads the header, which NDJSON does not have. grid is that of the bars, or zero for a file of trades or
// quotes.
func newTable(r io.Reader, format Format, s schema, grid domain.Grid) (*table, error) {
	format.Name = format.name()
	times, err := newTimeParser(format, grid)
	if err != nil {
		return nil, err
	}

	t := &table{kind: s.kind, rows: newRows(format.Name, r), times: times}
	t.onReject, t.onColumns = format.Reject, format.OnColumns
	t.rows.keepText = format.Reject != nil
	if format.NDJSON {
		return t, t.readObjects(s, format.Columns)
	}

	more, err := t.rows.next()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, &LineError{File: format.Name, Line: 1, Err: errEmpty}
	}
	if t.layout, err = t.findLayout(s, format.Columns, grid); err != nil {
		return nil, t.rows.lineError(err)
	}

	return t, nil
}

// findLayout returns the layout that the first row names, or that of klines, which have no header.
func (t *table) findLayout(s schema, names map[string]string, grid domain.Grid) (layout, error) {
	if startsWithDigit(t.rows.cells) {
		if s.kind != KindBars || len(names) > 0 {
			return layout{}, noHeaderError(s.header())
		}

		t.unread()
		t.header = []byte(klinesHeader)

		return klinesLayout(t.rows.cells, t.times, grid)
	}

	t.header = slices.Clone(t.rows.text)
	h := newHeader(t.rows.cells)
	t.isCorrection = slices.Contains(h.names, ColumnReason)
	if err := h.applyNames(names, s); err != nil {
		return layout{}, err
	}

	l, err := h.layout(s)
	if err == nil && t.onColumns != nil {
		t.onColumns(h.describe(l, s))
	}

	return l, err
}

func noHeaderError(example string) error {
	return errors.New("the file has no header; the first line must name the columns, like " + example)
}

// startsWithDigit reports whether the first row contains data instead of column names.
func startsWithDigit(cells [][]byte) bool {
	return len(cells[0]) > 0 && cells[0][0] >= '0' && cells[0][0] <= '9'
}

// next reads the next row and returns false at the end of the file. It verifies that the row has as many cells as the
// first one and the symbol of the file.
func (t *table) next() (bool, error) {
	if t.pending {
		t.pending = false
	} else if more, err := t.rows.next(); err != nil || !more {
		return false, err
	}

	cells := t.rows.cells
	if len(cells) != t.layout.cells {
		return false, t.rows.lineError(fmt.Errorf("%d cells, but the first line has %d", len(cells), t.layout.cells))
	}
	if t.layout.symbol < 0 {
		return true, nil
	}

	switch symbol := cells[t.layout.symbol]; {
	case t.symbol == nil:
		first := string(symbol)
		t.symbol = &first
	case string(symbol) != *t.symbol:
		return false, t.rows.lineError(fmt.Errorf("%s of %.40q after %s of %.40q; import one file per symbol",
			t.kind, symbol, t.kind, *t.symbol))
	}

	return true, nil
}

// unread makes next return the current row again.
func (t *table) unread() { t.pending = true }

// reject passes the current row, about which err is, to onReject. batchRows is the number of rows in the current batch.
// If it has some, reject returns true, because the batch must end before the row. An error ends the reading.
func (t *table) reject(err error, batchRows int) (endsBatch bool, _ error) {
	var ambiguous *AmbiguousError
	var line *LineError
	if t.onReject == nil || t.rows.text == nil || errors.As(err, &ambiguous) || !errors.As(err, &line) {
		return false, err
	}

	if batchRows == 0 {
		t.batchEnd = time.Time{}
	}
	row := RejectedRow{
		File: line.File, Line: line.Line, Reason: line.Err, Range: t.rowRange(), Row: t.rows.text,
		Header: t.header, Separator: t.rows.separator,
	}

	return batchRows > 0, t.onReject(row)
}

// batchRange returns the Range of a batch whose rows span r, and begins the next batch. rejected is true if a rejected
// row ended the batch.
func (t *table) batchRange(r domain.Range, rejected bool) domain.Range {
	if !t.batchEnd.IsZero() {
		r.Start = t.batchEnd
	}
	t.batchEnd = r.End
	if rejected {
		t.batchEnd = time.Time{}
	}

	return r
}
