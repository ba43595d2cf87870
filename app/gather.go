package app

import (
	"cmp"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// piece is a part of an answer: bars, Trades or Quotes.
type piece interface{ Len() int }

// form tells of pieces what they do not tell alike.
type form[P piece] struct {
	of      func(P) string             // what the piece is of
	same    func(P, P) bool            // whether both are of the same
	time    func(P, int) time.Time     // of row i
	rows    func(P) int                // how many a store was asked for
	follows func(before, after P) bool // whether all of after comes behind all of before
}

func barPieces() form[ports.CachedBars] {
	return form[ports.CachedBars]{
		of:      func(p ports.CachedBars) string { return p.Bars.Key().String() },
		same:    func(a, b ports.CachedBars) bool { return a.Bars.Key() == b.Bars.Key() },
		time:    func(p ports.CachedBars, i int) time.Time { return p.Bars.OpenTime(i) },
		rows:    unlessCached,
		follows: func(a, b ports.CachedBars) bool { return b.Bars.OpenTime(0).After(a.Bars.OpenTime(a.Len() - 1)) },
	}
}

// unlessCached is how many bars of the piece were read from the store.
func unlessCached(p ports.CachedBars) int {
	if p.Cached {
		return 0
	}
	return p.Len()
}

// fromBars is the answer of a store without a cache, whose pieces are bars alone.
func (g *gathering[P]) fromBars(answer iter.Seq2[domain.Series, error], piece func(domain.Series) P) error {
	g.pieces = g.one[:0]
	answer(func(bars domain.Series, err error) bool { return g.next(piece(bars), err) })
	return g.err
}

// fromPieces is an answer that is there.
func (g *gathering[P]) fromPieces(answer []P) error {
	g.pieces = g.one[:0]
	for _, p := range answer {
		if !g.next(p, nil) {
			break
		}
	}

	return g.err
}

// asPiece is bars of which nothing more is known.
func asPiece(bars domain.Series) ports.CachedBars { return ports.CachedBars{Bars: bars} }

func tickPieces[T domain.Tick](seq func(T) int64) form[domain.Ticks[T]] {
	return form[domain.Ticks[T]]{
		of:   func(t domain.Ticks[T]) string { return string(t.Symbol()) },
		same: func(a, b domain.Ticks[T]) bool { return a.Symbol() == b.Symbol() },
		time: domain.Ticks[T].Time,
		rows: domain.Ticks[T].Len,
		follows: func(a, b domain.Ticks[T]) bool {
			n := a.Len() - 1
			return cmp.Or(b.Time(0).Compare(a.Time(n)), cmp.Compare(seq(b.At(0)), seq(a.At(n)))) > 0
		},
	}
}

// gathering is an answer as it comes in. It trusts no piece: one that is not like, lies outside of within, comes before its time,
// or makes more rows than wanted breaks the contract of ports.BarReader and is an error.
type gathering[P piece] struct {
	form   form[P]
	store  *store // where the rows are counted
	like   P      // an empty one, of what is asked for
	within domain.Range
	wanted int // rows asked for; 0 is all

	limit  int           // refuse more rows than this; 0 is no limit
	counts func(P) int   // how many rows of a piece the limit counts; nil is all
	take   func(P) error // takes the pieces; nil keeps them

	pieces  []P
	one     [1]P // room for the only piece that most answers have
	last    P
	rows    int
	counted int
	err     error
}

// from takes the answer in. It is done once.
func (g *gathering[P]) from(answer iter.Seq2[P, error]) error {
	g.pieces = g.one[:0]
	answer(g.next)
	return g.err
}

// next takes one piece in, and reports whether to go on.
func (g *gathering[P]) next(p P, err error) bool {
	if g.err == nil {
		g.err = err
	}
	if g.err == nil {
		g.err = g.check(p)
	}
	if g.err != nil {
		return false
	}

	g.last = p
	g.rows += p.Len()
	g.store.rows.Add(int64(g.form.rows(p)))
	if g.take != nil {
		g.err = g.take(p)
	} else {
		g.pieces = append(g.pieces, p)
	}

	return g.err == nil
}

func (g *gathering[P]) check(p P) error {
	f := &g.form
	if p.Len() == 0 {
		return broken("a piece without a row")
	}
	if !f.same(p, g.like) {
		return broken("a piece of %s", f.of(p))
	}

	first, end := f.time(p, 0), f.time(p, p.Len()-1)
	if !g.within.Contains(first) || !g.within.Contains(end) {
		return broken("rows from %s to %s, outside %s", stamp(first), stamp(end), g.within)
	}
	if g.rows > 0 && !f.follows(g.last, p) {
		return broken("a piece that begins at %s, after one that ended at %s", stamp(first), stamp(f.time(g.last, g.last.Len()-1)))
	}
	if rows := g.rows + p.Len(); g.wanted > 0 && rows > g.wanted {
		return broken("%d rows, more than the %d asked for", rows, g.wanted)
	}
	if g.limit == 0 {
		return nil
	}

	if g.counts != nil {
		g.counted += g.counts(p)
	} else {
		g.counted += p.Len()
	}
	if g.counted > g.limit {
		return &ports.Error{Kind: ports.ErrTooLarge, Err: tooManyRows(g.within, g.limit)}
	}

	return nil
}

// tooManyRows is why a range is not returned whole.
func tooManyRows(r domain.Range, limit int) error {
	return fmt.Errorf("%s has more than the %d rows that are returned at once "+
		"(max_bars); ask for a shorter range, or for the first so many and go on from Next: %w", r, limit, ports.ErrTooLarge)
}

// broken is the error of a store that gave what no store may give.
func broken(format string, args ...any) error {
	return &ports.Error{Kind: ports.ErrInternal, Err: fmt.Errorf("the store broke its contract: it gave "+format, args...)}
}

// holdToRows refuses to be asked for more rows than may be returned.
func (c *Config) holdToRows(n int) error {
	if limit := *c.MaxBars; limit > 0 && n > limit {
		return fmt.Errorf("%d asked for, at most %d are returned (max_bars); ask for fewer at a time: %w", n, limit, ports.ErrTooLarge)
	}
	return nil
}
