package app

import (
	"cmp"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// piece is a part of an answer: a Series, Trades or Quotes.
type piece interface{ Len() int }

// form tells of pieces what they do not tell alike.
type form[P piece] struct {
	of      func(P) string             // what the piece is of
	same    func(P, P) bool            // whether both are of the same
	time    func(P, int) time.Time     // of row i
	follows func(before, after P) bool // whether all of after comes behind all of before
}

func barPieces() form[domain.Series] {
	return form[domain.Series]{
		of:      func(s domain.Series) string { return s.Key().String() },
		same:    func(a, b domain.Series) bool { return a.Key() == b.Key() },
		time:    domain.Series.OpenTime,
		follows: func(a, b domain.Series) bool { return b.OpenTime(0).After(a.OpenTime(a.Len() - 1)) },
	}
}

func tickPieces[T domain.Tick](seq func(T) int64) form[domain.Ticks[T]] {
	return form[domain.Ticks[T]]{
		of:   func(t domain.Ticks[T]) string { return string(t.Symbol()) },
		same: func(a, b domain.Ticks[T]) bool { return a.Symbol() == b.Symbol() },
		time: domain.Ticks[T].Time,
		follows: func(a, b domain.Ticks[T]) bool {
			n := a.Len() - 1
			return cmp.Or(b.Time(0).Compare(a.Time(n)), cmp.Compare(seq(b.At(0)), seq(a.At(n)))) > 0
		},
	}
}

// gather hands the pieces of an answer to take, one by one, with their rows counted. It trusts none: one that is not like, lies
// outside of within, comes before its time, or makes more rows than wanted, where that is not 0, breaks the contract of
// ports.BarReader and is an error.
func gather[P piece](
	s *store, pieces iter.Seq2[P, error], f form[P], like P, within domain.Range, wanted int, take func(P) error,
) error {
	var (
		last P
		rows int
	)
	for p, err := range pieces {
		if err != nil {
			return err
		}
		if p.Len() == 0 {
			return broken("a piece without a row")
		}
		if !f.same(p, like) {
			return broken("a piece of %s", f.of(p))
		}
		first, end := f.time(p, 0), f.time(p, p.Len()-1)
		if !within.Contains(first) || !within.Contains(end) {
			return broken("rows from %s to %s, outside %s", stamp(first), stamp(end), within)
		}
		if rows > 0 && !f.follows(last, p) {
			return broken("a piece that begins at %s, after one that ended at %s", stamp(first), stamp(f.time(last, last.Len()-1)))
		}
		last = p
		rows += p.Len()
		if wanted > 0 && rows > wanted {
			return broken("%d rows, more than the %d asked for", rows, wanted)
		}
		s.rows.Add(int64(p.Len()))
		if err := take(p); err != nil {
			return err
		}
	}
	return nil
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

// tooMany is the error of a range that holds more rows than may be returned.
func (c *Config) tooMany(within domain.Range) error {
	return &ports.Error{Kind: ports.ErrTooLarge, Err: fmt.Errorf("%s has more than the %d rows that are returned at once (max_bars); "+
		"ask for a shorter range, or for the first so many and go on from Next: %w", within, *c.MaxBars, ports.ErrTooLarge)}
}
