package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batchStreamLaws are the laws on the sequence of a batch and on the end of its context.
var batchStreamLaws = []law[Store]{
	{
		name: "batch/lazy",
		text: "a batch reads when it is ranged over, and one that never is holds nothing",
		check: func(ctx context.Context, s Store) error {
			before := s.Batch.ReadBatch(ctx, twice())
			for range 64 {
				s.Batch.ReadBatch(ctx, twice())
			}
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for piece, err := range before {
				if err != nil {
					return err
				}
				return sameBars(piece.Bars, b)
			}

			return errors.New("ReadBatch, called before a write and ranged over after it, got no bar, want those of the write")
		},
	},
	{
		name: "batch/break_frees",
		text: "stopping an iteration frees all resources of the batch: the store still reads and writes after many " +
			"of them",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 2_000, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for i := range 32 { // more than a pool has connections
				for piece, err := range s.Batch.ReadBatch(ctx, twice()) {
					if err != nil {
						return wantNoError("ReadBatch after batches that were stopped", err)
					}
					if piece.Query == i%2 { // in the first result, or between two
						break
					}
				}
			}

			over := bars(key, start, 10, 7)

			return steps(
				func() error { return write(ctx, s, over) },
				func() error {
					return wantBatch(ctx, s, []ports.BarQuery{query(span(0, 20))}, join(over, b.Slice(10, 20)))
				},
			)
		},
	},
	{
		name: "batch/second_range_errors",
		text: "a batch is single use: ranging over it again, after its end or a break, yields an error and no bar",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, 10, 1)); err != nil {
				return err
			}

			for _, breakOff := range []bool{false, true} {
				sequence := s.Batch.ReadBatch(ctx, twice())
				for _, err := range sequence {
					if err != nil {
						return err
					}
					if breakOff {
						break
					}
				}

				var pairs int
				var last error
				for piece, err := range sequence {
					pairs, last = pairs+1, err
					if piece.Bars.Len() > 0 {
						return errors.New("ReadBatch, ranged over again, got bars, want an error")
					}
				}
				if pairs != 1 || last == nil {
					return fmt.Errorf(
						"ranging over a batch again yields %d pairs, the last with %s; want one with an error", pairs, errorText(last))
				}
			}

			return nil
		},
	},
	{
		name: "batch/error_is_last",
		text: "an error comes without bars, and nothing comes after it",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, manyBars, 1)); err != nil {
				return err
			}

			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var failed error
			for piece, err := range s.Batch.ReadBatch(ctx, twice()) {
				cancel()
				switch {
				case failed != nil:
					return fmt.Errorf("ReadBatch got a piece after the error, want the end of the sequence: %w", failed)
				case err != nil && piece.Bars.Len() > 0:
					return fmt.Errorf("ReadBatch got %d bars with an error, want none: %w", piece.Bars.Len(), err)
				}

				failed = err
			}
			if failed == nil {
				return errors.New("ReadBatch, cancelled at its first piece, got no error, want context.Canceled")
			}

			return nil
		},
	},
	{
		name: "batch/cancelled_call_is_an_error",
		text: "a batch with a cancelled context returns the context's error, which is a *ports.Error, and no bar",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, 10, 1)); err != nil {
				return err
			}

			gone, cancel := context.WithCancel(ctx)
			cancel()
			for piece, err := range s.Batch.ReadBatch(gone, twice()) {
				var e *ports.Error
				if piece.Bars.Len() > 0 || !errors.As(err, &e) || e.Op == "" {
					return fmt.Errorf("got %d bars and %s, want a *ports.Error with an Op", piece.Bars.Len(), errorText(err))
				}
				if !errors.Is(err, ports.ErrCanceled) || !errors.Is(err, context.Canceled) {
					return fmt.Errorf("ReadBatch got %s, want an error that is both its kind and its cause", errorText(err))
				}

				return nil
			}

			return errors.New("ReadBatch with a cancelled context got nothing, want an error")
		},
	},
	{
		name: "batch/deadline_surfaces",
		text: "a batch after its deadline returns an error that wraps context.DeadlineExceeded",
		check: func(ctx context.Context, s Store) error {
			late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
			defer cancel()
			if _, err := readBatch(late, s, twice()); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("ReadBatch got %s, want context.DeadlineExceeded", errorText(err))
			}

			return nil
		},
	},
	{
		name: "batch/cancel_surfaces",
		text: "when the context is cancelled during a batch, it ends within 250 ms with an error that wraps the " +
			"context's",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, manyBars, 1)); err != nil {
				return err
			}

			queries := make([]ports.BarQuery, 100)
			for i := range queries {
				queries[i] = all(key)
			}
			var took time.Duration
			for range cancelTries {
				reading, cancel := context.WithCancel(ctx)
				defer cancel()
				var began time.Time
				var failed error
				for _, err := range s.Batch.ReadBatch(reading, queries) {
					if began.IsZero() {
						cancel()
						began = time.Now()
					}
					failed = err
				}
				if took = time.Since(began); !errors.Is(failed, context.Canceled) {
					return fmt.Errorf("ReadBatch, cancelled at its first piece, got %s at its end, want context.Canceled", errorText(failed))
				}
				if took <= cancelLimit {
					return nil
				}
			}

			return fmt.Errorf("ReadBatch got its end %s after the cancellation, in the last of %d tries, want %s", took, cancelTries, cancelLimit)
		},
	},
	{
		name: "batch/short_answers_are_errors",
		text: "a batch whose deadline passes at any moment is complete, or ends with an error that wraps the context's",
		race: true,
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 2_000, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for i := range 50 {
				limit := time.Duration(i) * 200 * time.Microsecond
				reading, cancel := context.WithTimeout(ctx, limit)
				err := wantBatch(reading, s, twice(), b, b)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return fmt.Errorf("ReadBatch with %s to go: got an error that is no deadline, want context.DeadlineExceeded: %w", limit, err)
				}
			}

			return nil
		},
	},
	{
		name: "batch/reads_share_nothing",
		text: "two batches iterated in turns each yield their own results",
		check: func(ctx context.Context, s Store) error {
			keys := [2]domain.SeriesKey{key, minuteKey("ETH/USD")}
			var next [2]func() (ports.BatchBars, error, bool)
			var want [2]domain.Series
			for i, k := range keys {
				want[i] = bars(k, start, 100, 200*i)
				if err := write(ctx, s, want[i]); err != nil {
					return err
				}

				queries := []ports.BarQuery{all(k), all(k), all(k)}
				pull, stop := iter.Pull2(s.Batch.ReadBatch(ctx, queries))
				defer stop()
				next[i] = pull
			}

			for n := range 3 {
				for i := range next {
					piece, err, ok := next[i]()
					if err != nil || !ok || piece.Query != n {
						return fmt.Errorf("ReadBatch %d: got a piece of query %d (%t) and %s, want one of query %d", i, piece.Query, ok, errorText(err), n)
					}
					if err := sameBars(piece.Bars, want[i]); err != nil {
						return fmt.Errorf("batch %d, query %d: %w", i, n, err)
					}
				}
			}

			for i := range next {
				if piece, err, ok := next[i](); ok {
					return fmt.Errorf("ReadBatch %d got %s and %s, want its end", i, piece.Bars, errorText(err))
				}
			}

			return nil
		},
	},
	{
		name: "batch/write_during_read",
		text: "a batch that pauses between pieces stops neither another read nor a write of the same series",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, manyBars, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			over := bars(key, minutes(manyBars), 10, 7)
			for _, err := range s.Batch.ReadBatch(ctx, twice()) {
				if err != nil {
					return err
				}
				if err := steps(
					func() error { return write(ctx, s, over) },
					func() error { return wantBatch(ctx, s, []ports.BarQuery{query(over.Range())}, over) },
				); err != nil {
					return err
				}

				break
			}

			return wantBatch(ctx, s, twice(), join(b, over), join(b, over))
		},
	},
}

// twice returns two queries for all bars of key.
func twice() []ports.BarQuery { return []ports.BarQuery{all(key), all(key)} }

// batchCorruptLaws are the laws on stored bars that no Series can represent.
var batchCorruptLaws = []law[Store]{
	{
		name:  "batch/corrupt_missing",
		text:  "a bar that lacks a number makes the batch ErrCorruptData with rule and key",
		check: corruptBatch(DefectMissing, domain.RuleIncomplete),
	},
	{
		name:  "batch/corrupt_not_finite",
		text:  "a bar with a number that is not finite makes the batch ErrCorruptData with rule and key",
		check: corruptBatch(DefectNotFinite, domain.RuleNotFinite),
	},
	{
		name:  "batch/corrupt_off_grid",
		text:  "a bar that opens off its grid makes the batch ErrCorruptData with rule and key",
		check: corruptBatch(DefectOffGrid, domain.RuleOffGrid),
	},
	{
		name:  "batch/corrupt_duplicate",
		text:  "two bars of one open time make the batch ErrCorruptData with rule and key",
		check: corruptBatch(DefectDuplicate, domain.RuleDuplicate),
	},
	{
		name:  "batch/corrupt_trades",
		text:  "a bar of a negative trade count makes the batch ErrCorruptData with rule and key",
		check: corruptBatch(DefectTradeCount, domain.RuleNegativeTradeCount),
	},
}

func corruptBatch(d Defect, rule domain.Rule) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		plant := s.Corrupt[d]
		if plant == nil {
			return notApplicableError("the harness plants no defect " + string(d))
		}

		sound := bars(minuteKey("ETH/USD"), minutes(1_000), 10, 1)
		if err := steps(
			func() error { return write(ctx, s, sound) },
			func() error { return write(ctx, s, bars(key, start, 10, 1)) },
			func() error { return plant(ctx, key, minutes(5)) },
		); err != nil {
			return err
		}

		for _, q := range []ports.BarQuery{all(key), query(span(5, 6)), {Key: key, Range: always, Last: 8}} {
			_, err := readBatch(ctx, s, []ports.BarQuery{all(sound.Key()), q, all(sound.Key())})
			if err := wantError(err, ports.ErrCorruptData); err != nil {
				return err
			}

			var broken *domain.RuleError
			if !errors.As(err, &broken) || broken.Rule != rule || broken.Key != key {
				return fmt.Errorf("ReadBatch got an error without a *domain.RuleError, want one of rule %s and key %s: %w", rule, key, err)
			}
		}

		return wantBatch(ctx, s, []ports.BarQuery{all(sound.Key()), all(sound.Key())}, sound, sound)
	}
}
