package access

import (
	"cmp"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Piece is a part of a store's result: bars, Trades or Quotes.
type Piece interface {
	// Len returns the number of rows.
	Len() int
}

// RowType tells a Collector how to inspect pieces of one type.
type RowType[P Piece] struct {
	name    func(P) string             // the series or symbol of the piece
	same    func(P, P) bool            // both pieces are of the same series
	time    func(P, int) time.Time     // of row i
	stored  func(P) int                // rows that a store read
	follows func(before, after P) bool // every row of after comes behind every row of before
}

// BarRows is the row type of bars.
func BarRows() RowType[blockcache.Bars] {
	return RowType[blockcache.Bars]{
		name:   func(p blockcache.Bars) string { return p.Bars.Key().String() },
		same:   func(a, b blockcache.Bars) bool { return a.Bars.Key() == b.Bars.Key() },
		time:   func(p blockcache.Bars, i int) time.Time { return p.Bars.OpenTime(i) },
		stored: storedBars,
		follows: func(a, b blockcache.Bars) bool {
			return b.Bars.OpenTime(0).After(a.Bars.OpenTime(a.Len() - 1))
		},
	}
}

// storedBars counts the bars of the piece that were read from the store and not from a cache.
func storedBars(p blockcache.Bars) int {
	if p.Cached {
		return 0
	}

	return p.Len()
}

// SamePiece returns the piece of a cache, of which more is known than of bars.
func SamePiece(p blockcache.Bars) blockcache.Bars { return p }

// AsPiece returns bars of which nothing more is known.
func AsPiece(bars domain.Series) blockcache.Bars { return blockcache.Bars{Bars: bars} }

func tickRows[T domain.Tick](seq func(T) int64) RowType[domain.Ticks[T]] {
	return RowType[domain.Ticks[T]]{
		name:   func(t domain.Ticks[T]) string { return string(t.Symbol()) },
		same:   func(a, b domain.Ticks[T]) bool { return a.Symbol() == b.Symbol() },
		time:   domain.Ticks[T].Time,
		stored: domain.Ticks[T].Len,
		follows: func(a, b domain.Ticks[T]) bool {
			n := a.Len() - 1
			return cmp.Or(b.Time(0).Compare(a.Time(n)), cmp.Compare(seq(b.At(0)), seq(a.At(n)))) > 0
		},
	}
}

// Collector collects the pieces of one result and trusts none of them. A piece of another series, outside the range,
// out of order, empty, or beyond the limit of the query violates the contract of ports.BarReader and is an error.
//
// A Collector is for one result and one goroutine.
type Collector[P Piece] struct {
	Type  RowType[P]
	Store *Store       // its rows are counted
	Empty P            // an empty piece of the requested series
	Range domain.Range // of the query
	Limit int          // First or Last of the query; 0 is none

	MaxRows   int         // more rows are ErrTooLarge; 0 is no maximum
	CountRows func(P) int // how many rows of a piece count for MaxRows; nil counts all

	Pieces []P                 // the result
	Rows   int                 // in Pieces
	State  *domain.SeriesState // of the series when the pieces were read; nil where the store keeps no versions

	Unreadable []*domain.RuleError // stored bars that are not in Pieces, ascending

	single  [1]P // buffer of Pieces for the single piece that most results have
	counted int
	err     error
}

// CollectSequence collects the result of a store or of a cache, and the state that came with it.
func CollectSequence[D ports.Rows, P Piece](c *Collector[P], pieces ports.Sequence[D], asPiece func(D) P) error {
	c.Pieces = c.single[:0]
	first := true
	pieces(func(p ports.Piece[D], err error) bool {
		isState := err == nil && first && p.State != nil
		first = false
		if isState {
			c.State = p.State
		}
		if err == nil && len(p.Unreadable) > 0 {
			err = c.addUnreadable(p.Unreadable)
		}
		if err == nil && p.Rows.Len() == 0 && (isState || len(p.Unreadable) > 0) {
			return true
		}

		return c.add(asPiece(p.Rows), err)
	})

	return c.err
}

// addUnreadable collects stored bars that are not in the pieces.
func (c *Collector[P]) addUnreadable(bars []*domain.RuleError) error {
	for _, b := range bars {
		if !c.Range.Contains(b.At) {
			return contractViolation("an unreadable row at %s, outside %s", FormatTime(b.At), c.Range)
		}
	}
	c.Unreadable = append(c.Unreadable, bars...)

	return nil
}

// RowsRead returns the number of rows that the store found, those that are not in Pieces included.
func (c *Collector[P]) RowsRead() int { return c.Rows + len(c.Unreadable) }

// CollectSlice collects pieces that are in memory.
func (c *Collector[P]) CollectSlice(pieces []P) error {
	c.Pieces = c.single[:0]
	for _, p := range pieces {
		if !c.add(p, nil) {
			break
		}
	}

	return c.err
}

// add collects one piece and reports whether to go on.
func (c *Collector[P]) add(p P, err error) bool {
	if c.err == nil {
		c.err = err
	}
	if c.err == nil {
		c.err = c.check(p)
	}
	if c.err != nil {
		return false
	}

	c.Pieces = append(c.Pieces, p)
	c.Rows += p.Len()
	c.Store.Rows.Add(int64(c.Type.stored(p)))

	return true
}

func (c *Collector[P]) check(p P) error {
	if p.Len() == 0 {
		return contractViolation("a piece without a row")
	}
	if !c.Type.same(p, c.Empty) {
		return contractViolation("a piece of %s", c.Type.name(p))
	}

	first, last := c.Type.time(p, 0), c.Type.time(p, p.Len()-1)
	if !c.Range.Contains(first) || !c.Range.Contains(last) {
		return contractViolation("rows from %s to %s, outside %s", FormatTime(first), FormatTime(last), c.Range)
	}
	if n := len(c.Pieces); n > 0 && !c.Type.follows(c.Pieces[n-1], p) {
		before := c.Pieces[n-1]
		return contractViolation("a piece that begins at %s, after one that ended at %s",
			FormatTime(first), FormatTime(c.Type.time(before, before.Len()-1)))
	}
	if rows := c.Rows + p.Len(); c.Limit > 0 && rows > c.Limit {
		return contractViolation("%d rows, more than the %d requested", rows, c.Limit)
	}

	return c.checkMaxRows(p)
}

func (c *Collector[P]) checkMaxRows(p P) error {
	if c.MaxRows == 0 {
		return nil
	}

	if c.CountRows != nil {
		c.counted += c.CountRows(p)
	} else {
		c.counted += p.Len()
	}
	if c.counted > c.MaxRows {
		return &ports.Error{Kind: ports.ErrTooLarge, Err: c.Type.TooManyRows(c.Range, c.MaxRows)}
	}

	return nil
}

// contractViolation is the error of a store that broke its contract.
func contractViolation(format string, args ...any) error {
	return &ports.Error{
		Kind: ports.ErrInternal,
		Err:  fmt.Errorf("the store broke its contract: it returned "+format, args...),
	}
}

// TooManyRows is the error of a range with more rows than one call returns. It wraps ErrTooLarge.
func (t RowType[P]) TooManyRows(r domain.Range, limit int) error {
	return fmt.Errorf("%s has more than the %d rows that one call returns (max_bars); "+
		"request a shorter range, pages or a stream: %w", r, limit, ports.ErrTooLarge)
}
