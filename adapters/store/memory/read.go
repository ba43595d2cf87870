package memory

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var errUsed = errors.New("a sequence is ranged over once; ask for another")

// ReadBars yields what the store held when the range began, in the pieces it is held in, without copying a bar.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	var used atomic.Bool
	return func(yield func(domain.Series, error) bool) {
		fail := func(err error) { yield(domain.Series{}, translate("read bars", q.Key.String(), err)) }
		if used.Swap(true) {
			fail(errUsed)
			return
		}
		if err := ctx.Err(); err != nil {
			fail(err)
			return
		}
		for _, piece := range limit(within(s.lookup(q.Key).pieces, q.Range), q.First, q.Last) {
			if !yield(piece, nil) {
				return
			}
			if err := ctx.Err(); err != nil {
				fail(err)
				return
			}
		}
	}
}

// within is the parts of the pieces that lie in r.
func within(pieces []domain.Series, r domain.Range) []domain.Series {
	from, _ := slices.BinarySearchFunc(pieces, r, func(p domain.Series, r domain.Range) int {
		return p.OpenTime(p.Len() - 1).Compare(r.Start) // the first piece that does not end before r
	})
	var found []domain.Series
	for _, p := range pieces[from:] {
		if !p.OpenTime(0).Before(r.End) {
			break
		}
		if p = p.Within(r); p.Len() > 0 {
			found = append(found, p)
		}
	}
	return found
}

// limit keeps the first or the last so many bars of the pieces, which are its own to change; 0 is all.
func limit(pieces []domain.Series, first, last int) []domain.Series {
	switch {
	case first > 0:
		for i, p := range pieces {
			if p.Len() >= first {
				pieces[i] = p.Slice(0, first)
				return pieces[:i+1]
			}
			first -= p.Len()
		}
	case last > 0:
		for i, p := range slices.Backward(pieces) {
			if p.Len() >= last {
				pieces[i] = p.Slice(p.Len()-last, p.Len())
				return pieces[i:]
			}
			last -= p.Len()
		}
	}
	return pieces
}
