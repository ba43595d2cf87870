package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Stream yields the bars of Fetch piece by piece, in bounded memory however long the range: the pieces concatenate to
// Fetch's Series, no piece spans an uncovered range, and the Result, without its Series, equals Fetch's.
// Result.Quality.Dropped and Result.Filled grow with the ranges they list. First and Last are bound by Limits.MaxBars,
// and their bars are in memory at once.
//
// Each piece is read by queries of its own, so that nothing is held open while the caller works on a piece, and
// breaking off leaves nothing behind. The stream as a whole has no limit on time or bars; each query has the store
// timeout. All pieces are of one state of each series: where something changed that was yielded already, the stream
// ends with ErrConflict.
func (p *Provider) Stream(
	ctx context.Context, r domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	return newStream(r.Key.String(), domain.Result{Series: domain.EmptySeries(r.Key)},
		func(yield func(domain.Series, error) bool) (domain.Result, error) { return p.stream(ctx, r, yield) })
}

// newStream returns a single-use sequence of the pieces that run yields, and the function that returns the result of
// run. Until the sequence ended without an error, that is empty. run returns errStopped where the caller broke off.
func newStream[S, R any](
	subject string, empty R, run func(yield func(S, error) bool) (R, error),
) (iter.Seq2[S, error], func() R) {
	var used atomic.Bool
	result := empty
	pieces := func(yield func(S, error) bool) {
		var none S
		if used.Swap(true) {
			yield(none, access.Refusal("stream", subject,
				fmt.Errorf("a stream is ranged over once; call Stream again: %w", ports.ErrInvalid)))
			return
		}

		switch whole, err := run(yield); {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(none, err)
		default:
			result = whole
		}
	}

	return pieces, func() R { return result }
}

// stream yields the pieces and returns the Result beside them. It returns errStopped where the caller broke off.
func (p *Provider) stream(
	ctx context.Context, r domain.DataRequest, yield func(domain.Series, error) bool,
) (domain.Result, error) {
	t, err := p.newTask("stream", r, p.clock.Now())
	if err == nil {
		err = t.query.checkSlots(p.limits)
	}
	if err != nil {
		return domain.Result{}, err
	}
	if _, err := p.symbols.Resolve(ctx, &t.query.call, t.query.symbol[:]); err != nil {
		return domain.Result{}, err
	}

	for attempt := 1; ; attempt++ {
		err := t.streamPieces(ctx, yield)
		if err == nil {
			t.result.record(t.query.empty(), t.route.legs)
			result := t.finish()
			err = t.checkPages(ctx, &result)
			if err == nil {
				return result, nil
			}
		}

		begun := t.result.bars > 0
		if begun || attempt == maxPlanAttempts || !errors.Is(err, access.ErrStateChanged) {
			return domain.Result{}, err
		}
		t = t.restart()
	}
}

// streamPieces yields the bars of the request. The bars of First or Last are read whole first.
func (t *task) streamPieces(ctx context.Context, yield func(domain.Series, error) bool) error {
	page := t.provider.limits.Steps.Stream
	t.all = allBars{task: t, storedRows: page, yield: yield}
	if t.query.limit() == 0 {
		if _, err := t.chooseRoute(ctx); err != nil {
			return err
		}

		t.derivedRows = page

		return t.all.read(ctx)
	}

	bars, err := t.readBars(ctx)
	for first := 0; err == nil && first < bars.Len(); first += page {
		err = t.all.emit(bars.Slice(first, min(first+page, bars.Len())))
	}

	return err
}
