package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// concurrentLaws are the laws on concurrent callers. Run them with the race detector.
var concurrentLaws = []law[Store]{
	{
		name: "concurrent/reads_share_nothing",
		text: "two reads iterated in turns each yield their own result",
		check: func(ctx context.Context, s Store) error {
			keys := [2]domain.SeriesKey{key, minuteKey("ETH/USD")}
			var next [2]func() (domain.Series, error, bool)
			var got [2]*domain.SeriesBuilder
			for i, k := range keys {
				for from := 0; from < manyBars; from += manyBars / 3 {
					if err := write(ctx, s, bars(k, minutes(from), manyBars/3, from+i)); err != nil {
						return err
					}
				}

				pull, stop := iter.Pull2(s.Bars.ReadBars(ctx, all(k)).Rows())
				defer stop()
				next[i], got[i] = pull, domain.NewSeriesBuilder(k, manyBars)
			}

			for more := true; more; {
				more = false
				for i := range next {
					piece, err, ok := next[i]()
					if err != nil {
						return err
					}
					if err := got[i].AppendSeries(piece); ok && err != nil {
						return err
					}

					more = more || ok
				}
			}

			for i, k := range keys {
				whole, err := got[i].Series()
				if err != nil {
					return err
				}
				if err := sameBars(whole, bars(k, start, manyBars, i)); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "concurrent/write_during_read",
		text: "a read that pauses between pieces stops neither another read nor a write of the same series",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, manyBars, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			over := bars(key, minutes(manyBars), 10, 7)
			var inside error
			for _, err := range s.Bars.ReadBars(ctx, all(key)).Rows() {
				if err != nil {
					return err
				}

				inside = steps(
					func() error { return write(ctx, s, over) },
					func() error { return wantBars(ctx, s, query(over.Range()), over) },
				)

				break
			}
			if inside != nil {
				return inside
			}

			return wantBars(ctx, s, all(key), join(b, over))
		},
	},
	{
		name: "concurrent/readers_and_writers",
		text: "concurrent readers and writers of several series all get complete results of their own series",
		race: true,
		check: func(ctx context.Context, s Store) error {
			const rounds = 20
			var calls []func(context.Context) error
			for i := range 4 {
				k := minuteKey(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)))
				b := bars(k, start, 10*rounds, 1000*i)
				calls = append(calls, func(ctx context.Context) error {
					for n := range rounds {
						if err := write(ctx, s, b.Slice(10*n, 10*n+10)); err != nil {
							return err
						}
						if err := wantBars(ctx, s, ports.BarQuery{Key: k, Range: always, Last: 10}, b.Slice(10*n, 10*n+10)); err != nil {
							return fmt.Errorf("ReadBars after WriteBatch returned: %w", err)
						}
					}

					return nil
				}, func(ctx context.Context) error {
					for range rounds {
						got, err := read(ctx, s, all(k))
						if err != nil {
							return err
						}
						if err := sameBars(got, b.Slice(0, got.Len())); err != nil {
							return fmt.Errorf("ReadBars beside writers: %w", err)
						}

						_, err = ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{k.Symbol}}))
						if err := wantNoError("Extents beside writers", err); err != nil {
							return err
						}
					}

					return nil
				})
			}

			return runAll(ctx, calls...)
		},
	},
	{
		name: "concurrent/writers_of_one_series",
		text: "concurrent writers of one series lose no bars and no coverage",
		race: true,
		check: func(ctx context.Context, s Store) error {
			const writers, rounds = 4, 15
			b := bars(key, start, 10*writers*rounds, 1)
			var calls []func(context.Context) error
			for w := range writers {
				calls = append(calls, func(ctx context.Context) error {
					for n := range rounds {
						at := 10 * (n*writers + w)
						if err := write(ctx, s, b.Slice(at, at+10)); err != nil {
							return err
						}
					}

					return nil
				})
			}

			return steps(
				func() error { return runAll(ctx, calls...) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
}

// runAll runs the calls concurrently, without a record of them. The first failure cancels the others and is returned.
func runAll(ctx context.Context, calls ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(withoutRecord(ctx))
	defer cancel(nil)
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() {
			if errs[i] = call(ctx); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}

	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}

	return errors.Join(errs...)
}
