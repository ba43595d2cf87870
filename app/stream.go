package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Stream yields the answer of Fetch piece by piece, in bounded memory however long the range: the pieces sum to Fetch's Series, and
// the Result, without its Series, is what Fetch returns beside it. Result.Quality.Dropped and Result.Filled grow with what they
// list; First and Last are held to Config.MaxBars, and the bars that they ask for are in memory at once.
//
// Each piece is read by queries of its own, so that nothing is held open while the caller works on one, and breaking off leaves
// nothing behind. There is no limit on the time of all, nor on its bars; each query has Config.StoreTimeout. What is written
// between two queries may be seen in part.
func (p *Provider) Stream(ctx context.Context, r domain.DataRequest) (iter.Seq2[domain.Series, error], func() domain.Result) {
	var used atomic.Bool
	result := domain.Result{Series: domain.EmptySeries(r.Key)}
	pieces := func(yield func(domain.Series, error) bool) {
		if used.Swap(true) {
			yield(domain.Series{}, refusal("stream", r.Key.String(), fmt.Errorf("a stream is ranged over once; ask for another: %w", ports.ErrInvalid)))
			return
		}

		f, err := p.newFetch("stream", r, p.clock.Now())
		if err == nil {
			err = f.refuseSlots()
		}
		if err != nil {
			yield(domain.Series{}, err)
			return
		}
		if _, err := p.symbols.known(ctx, &f.caller, f.symbol[:]); err != nil {
			yield(domain.Series{}, err)
			return
		}

		for try := 1; ; try++ {
			begun, moved := false, false
			for piece, err := range f.stream(ctx) {
				if moved = !begun && try < triesOfMoved && errors.Is(err, errMoved); moved {
					break
				}
				if err != nil {
					yield(domain.Series{}, err)
					return
				}

				begun = true
				f.tally(piece)
				if !yield(piece, nil) {
					return
				}
			}
			if !moved {
				break
			}
			if f, err = f.anew(); err != nil {
				yield(domain.Series{}, err)
				return
			}
		}

		f.tally(domain.EmptySeries(r.Key))
		result = f.result()
	}

	return pieces, func() domain.Result { return result }
}

// stream yields the bars asked for.
func (f *fetch) stream(ctx context.Context) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		if f.few() {
			bars, err := f.answered(ctx)
			if err != nil {
				yield(domain.Series{}, err)
				return
			}

			for from := 0; from < bars.Len(); from += f.sizes.stream {
				if !yield(bars.Slice(from, min(from+f.sizes.stream, bars.Len())), nil) {
					return
				}
			}

			return
		}

		direct, err := f.direct(ctx)
		if err == nil && !direct {
			err = f.plan(ctx)
		}
		if err != nil {
			yield(domain.Series{}, err)
			return
		}

		f.all(ctx, f.sizes.stream, f.sizes.stream)(yield)
	}
}
