package influx

import (
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// barReader decodes the rows of one series, validates them and yields them in pieces. A read that meets an incomplete
// row goes on with another query from that row:
//
//	query, beginTable, decodeRow ...   the rows of a query
//	resumeAt, query, ...               the rest of them, after an incomplete row
//	finish                             the last piece
type barReader struct {
	ctxErr    func() error // the Err method of the context of the read
	layout    layout
	key       domain.SeriesKey
	selection barSelection
	pieceBars int   // bars a piece
	maxBars   int64 // how many bars the result can have
	yield     func(domain.Series) bool

	builder  pieceBuilder
	rows     int             // decoded so far, in all queries
	last     int64           // time of the last decoded row, in nanoseconds since 1970
	exact    []byte          // buffer for the field exact of the current row
	reversed []domain.Series // the pieces of a descending result, the last one first
}

// query returns the statement for the rows that have not been decoded.
func (r *barReader) query(firstParam int) query {
	s := r.selection
	if s.limit > 0 {
		s.limit -= r.rows
	}

	return r.layout.selectBars(s, firstParam)
}

// resumeAt makes the next query begin with the row at the time, in nanoseconds since 1970.
func (r *barReader) resumeAt(at int64) {
	if r.selection.descending {
		r.selection.span.end = at + 1
	} else {
		r.selection.span.start = at
	}
}

// beginTable returns an error unless the table has the measurement and the columns of the query.
func (r *barReader) beginTable(t table) error {
	r.builder.capacity = min(t.rows, r.pieceBars) // limited, because the server may announce any number

	return r.layout.checkTable(t, r.layout.barColumns(r.selection.where))
}

// checkTable returns an error unless the table has the measurement and the columns.
func (l layout) checkTable(t table, columns []string) error {
	if t.name != l.measurement || len(t.tags) > 0 || !slices.Equal(t.columns, columns) {
		return fmt.Errorf("the response has a table %s %v with the columns %q, not %s with %q: %w",
			t.name, t.tags, t.columns, l.measurement, columns, ports.ErrIncomplete)
	}

	return nil
}

// row is a decoded row without its tags.
type row struct {
	at      int64 // nanoseconds since 1970
	numbers [len(numberFields)]number
	trades  int64
	exact   []byte // empty unless a number does not survive a float; valid until the next row is decoded
}

// decodeRow decodes one bar.
func (r *barReader) decodeRow(d *decoder) error {
	at, err := d.readTime()
	if err != nil {
		return err
	}

	return r.decodeBar(d, at, r.selection.where)
}

// decodeBar decodes the rest of a row: the fields, and the tags, which must be those of the conditions.
func (r *barReader) decodeBar(d *decoder, at int64, tags []condition) error {
	row, err := r.decodeValues(d, at)
	if err != nil {
		return err
	}
	if err := r.checkTags(d, at, tags); err != nil {
		return err
	}
	if err := r.builder.add(row); err != nil {
		if r.layout.existing != nil { // another read would find the same
			return err
		}

		return &incompleteRowError{row.at, err} // exact may be of another version than the numbers
	}

	r.rows++
	r.last = row.at
	if r.builder.len() == r.pieceBars {
		return r.flush()
	}

	return nil
}

// decodeValues checks the time of a row, and decodes and checks its fields.
func (r *barReader) decodeValues(d *decoder, at int64) (row, error) {
	err := r.checkTime(at)
	if err != nil {
		return row{}, err
	}

	row := row{at: at}
	for i := range row.numbers {
		if row.numbers[i], err = d.readNumber(); err != nil {
			return row, err
		}
	}
	if r.layout.existing != nil {
		return row, r.checkNumbers(at, row.numbers)
	}

	trades, err := d.readNumber()
	if err != nil {
		return row, err
	}
	if row.exact, err = r.readExact(d, at); err != nil {
		return row, err
	}
	if err := r.checkNumbers(at, row.numbers); err != nil {
		return row, err
	}
	if err := r.checkTrades(at, trades); err != nil {
		return row, err
	}
	row.trades = trades.int

	return row, nil
}

// checkTime returns an error unless the time is a whole microsecond in the range of the query and after the previous
// row, or before it in a descending result.
func (r *barReader) checkTime(at int64) error {
	s := r.selection
	switch {
	case at < s.span.start || at >= s.span.end:
		return r.ruleError(domain.RuleOutsideRange, at, "the open time is outside the requested range")
	case at%nanosPerMicro != 0:
		return r.ruleError(domain.RuleOffGrid, at, "the open time is finer than a microsecond")
	case r.rows > 0 && at == r.last:
		return r.ruleError(domain.RuleDuplicate, at, "two bars have the same open time")
	case r.rows > 0 && (at < r.last) != s.descending:
		return r.ruleError(domain.RuleOutOfOrder, at, "the bar is out of order")
	case s.limit > 0 && r.rows == s.limit:
		return fmt.Errorf("the response has more than the requested %d bars: %w", s.limit, ports.ErrIncomplete)
	}

	return nil
}

// readExact reads the field exact, which every write sets, into the buffer of the reader.
func (r *barReader) readExact(d *decoder, at int64) ([]byte, error) {
	code, err := d.readCode()
	if err != nil {
		return nil, err
	}
	if code == codeNil {
		return nil, r.incompleteRow(at, "the field exact is missing")
	}

	text, err := d.readBytesOf(code)
	r.exact = append(r.exact[:0], text...) // copied, because text is valid only until the next read

	return r.exact, err
}

// checkNumbers returns an incompleteRowError if a number is missing.
func (r *barReader) checkNumbers(at int64, numbers [len(numberFields)]number) error {
	for i, n := range numbers {
		if n.kind == numberNull {
			return r.incompleteRow(at, "the field "+numberFields[i]+" is missing")
		}
	}

	return nil
}

// checkTrades returns an error unless the trade count is an integer of at least 0.
func (r *barReader) checkTrades(at int64, trades number) error {
	switch {
	case trades.kind != numberInt:
		return r.incompleteRow(at, "the trade count is missing or is not an integer")
	case trades.int < 0:
		return r.ruleError(domain.RuleNegativeTradeCount, at, "the trade count is negative")
	}

	return nil
}

// checkTags returns an error unless the row has the tags.
func (r *barReader) checkTags(d *decoder, at int64, tags []condition) error {
	for _, c := range tags {
		code, err := d.readCode()
		if err != nil {
			return err
		}

		var value []byte
		if code != codeNil {
			if value, err = d.readBytesOf(code); err != nil {
				return err
			}
		}
		if string(value) != c.value {
			return r.ruleError(domain.RuleWrongSeries, at, fmt.Sprintf("the row has the %s %.80q", c.tag, value))
		}
	}

	return nil
}

// incompleteRow returns the error for a row that lacks a field.
func (r *barReader) incompleteRow(at int64, detail string) error {
	return &incompleteRowError{at, r.ruleError(domain.RuleIncomplete, at, detail)}
}

func (r *barReader) ruleError(rule domain.Rule, at int64, detail string) error {
	return &domain.RuleError{Rule: rule, Key: r.key, At: time.Unix(0, at).UTC(), Detail: detail}
}

// flush yields the decoded bars as a piece. For a descending result it stores the piece until finish.
func (r *barReader) flush() error {
	if r.builder.len() == 0 {
		return nil
	}

	piece, err := r.builder.build()
	if err != nil {
		return err
	}
	if r.selection.descending {
		r.reversed = append(r.reversed, piece)
		return nil
	}

	return r.yieldPiece(piece)
}

// yieldPiece yields a piece. It returns errStopped if the consumer stops, and the error of the context if that is done.
func (r *barReader) yieldPiece(piece domain.Series) error {
	if err := r.ctxErr(); err != nil {
		return err
	}
	if !r.yield(piece) {
		return errStopped
	}

	return r.ctxErr()
}

// finish yields the pieces that have not been yielded.
func (r *barReader) finish() error {
	if err := r.flush(); err != nil {
		return err
	}

	for _, piece := range slices.Backward(r.reversed) {
		if err := r.yieldPiece(piece); err != nil {
			return err
		}
	}

	return nil
}

// incompleteRowError reports a row that is no bar now and may become one, because InfluxDB makes a write visible field
// by field. A reader must read the row again; a row that stays incomplete is corrupt.
type incompleteRowError struct {
	at  int64 // the time of the row, in nanoseconds since 1970
	err error // the error to report if the row stays incomplete
}

// Error returns the text of the error to report if the row stays incomplete.
func (e *incompleteRowError) Error() string { return e.err.Error() }

// Unwrap returns the error to report if the row stays incomplete.
func (e *incompleteRowError) Unwrap() error { return e.err }
