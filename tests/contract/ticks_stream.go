package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickStreamLaws are the laws on sequences. Its form (pieces with rows, of the symbol, ascending, nothing
// after an error) is checked by every read of every law.
func tickStreamLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "stream/pieces_are_the_whole",
			text: "the pieces of a long result together are exactly the result",
			check: func(ctx context.Context, s Store) error {
				d := f.long(key.Symbol, 1)
				n := d.Len()
				last := in(always)
				last.Last = n - 1

				return steps(
					func() error { return f.write(ctx, s, d.Slice(0, 6_000)) },
					func() error { return f.write(ctx, s, d.Slice(6_000, 6_001)) },
					func() error { return f.write(ctx, s, d.Slice(6_001, n)) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.want(ctx, s, in(span(1, n)), d.Slice(f.aMinute, n)) },
					func() error { return f.want(ctx, s, last, d.Slice(1, n)) },
				)
			},
		},
		{
			name: "stream/lazy",
			text: "a sequence reads when it is ranged over, and one that never is holds nothing",
			check: func(ctx context.Context, s Store) error {
				before := f.stream(ctx, s, in(always)).Rows()
				for range 64 {
					f.stream(ctx, s, in(always)).Rows()
				}
				d := f.run(0, 10, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				for piece, err := range before {
					if err != nil {
						return err
					}
					return f.same(piece, d.Slice(0, piece.Len()))
				}

				return fmt.Errorf("%s, called before a write and ranged over after it, got nothing, want the rows", f.method("Read"))
			},
		},
		{
			name: "stream/break_frees",
			text: "stopping an iteration frees all resources of the read: the store still reads and writes after " +
				"many of them",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 2_000/f.aMinute, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				for range 32 { // more than a pool has connections
					for _, err := range f.stream(ctx, s, in(always)).Rows() {
						if err != nil {
							return wantNoError(f.method("Read")+" after reads that were stopped", err)
						}
						break
					}
				}

				over := f.run(0, 10, 7)

				return steps(
					func() error { return f.write(ctx, s, over) },
					func() error { return f.want(ctx, s, in(span(0, 20)), f.joined(over, d.Clip(span(10, 20)))) },
				)
			},
		},
		{
			name: "stream/second_range_errors",
			text: "a sequence is single use: ranging over it again, after its end or a break, yields an error and " +
				"no data",
			check: func(ctx context.Context, s Store) error {
				if err := f.write(ctx, s, f.run(0, 10, 1)); err != nil {
					return err
				}

				for _, breakOff := range []bool{false, true} {
					sequence := f.stream(ctx, s, in(always)).Rows()
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
						if piece.Len() > 0 {
							return fmt.Errorf("%s, ranged over again, got rows, want an error", f.method("Read"))
						}
					}
					if pairs != 1 || last == nil {
						return fmt.Errorf("%s, ranged over again, got %d pairs, the last with %s, want one with an error", f.method("Read"),
							pairs, errorText(last))
					}
				}

				return nil
			},
		},
		{
			name: "stream/error_is_last",
			text: "an error comes with nothing in its piece, and nothing comes after it",
			check: func(ctx context.Context, s Store) error {
				if err := f.write(ctx, s, f.long(key.Symbol, 1)); err != nil {
					return err
				}

				reading, cancel := context.WithCancel(ctx)
				defer cancel()
				var failed error
				for piece, err := range f.stream(reading, s, in(always)).Rows() {
					cancel()
					switch {
					case failed != nil:
						return fmt.Errorf("%s got a piece after the error, want the end of the sequence: %w", f.method("Read"), failed)
					case err != nil && piece.Len() > 0:
						return fmt.Errorf("%s got %d rows with an error, want none: %w", f.method("Read"), piece.Len(), err)
					}

					failed = err
				}
				if failed == nil {
					return fmt.Errorf("%s, cancelled at its first piece, got no error, want context.Canceled", f.method("Read"))
				}

				return nil
			},
		},
	}
}

// tickContextLaws are the laws on the end of a context.
func tickContextLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "ctx/cancelled_call_is_an_error",
			text: "a call with a cancelled context returns the context's error and does nothing",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				gone, cancel := context.WithCancel(ctx)
				cancel()
				n, reading := f.count(gone, s, in(always))
				if n > 0 {
					return fmt.Errorf("%s, cancelled before the call, got %d rows, want none", f.method("Read"), n)
				}

				_, extents := f.extents(gone, s, ports.ExtentQuery{})
				other := f.run(0, 20, 50)

				return steps(
					func() error { return wantError(reading, context.Canceled) },
					func() error { return wantError(extents, context.Canceled) },
					func() error { return wantError(f.write(gone, s, other), context.Canceled) },
					func() error { return wantError(second(f.replace(gone, s, other, f.minutes(other))), context.Canceled) },
					func() error { return wantError(f.delete(gone, s, always), context.Canceled) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
		{
			name: "ctx/cancel_surfaces",
			text: "when the context is cancelled during a read, the sequence ends within 250 ms with an error that " +
				"wraps the context's",
			check: func(ctx context.Context, s Store) error {
				if err := f.write(ctx, s, f.long(key.Symbol, 1)); err != nil {
					return err
				}

				var took time.Duration
				for range cancelTries {
					reading, cancel := context.WithCancel(ctx)
					defer cancel()
					var began time.Time
					var failed error
					for _, err := range f.stream(reading, s, in(always)).Rows() {
						if began.IsZero() {
							cancel()
							began = time.Now()
						}
						failed = err
					}
					if took = time.Since(began); !errors.Is(failed, context.Canceled) {
						return fmt.Errorf("%s, cancelled at its first piece, got %s at its end, want context.Canceled", f.method("Read"), errorText(failed))
					}
					if took <= cancelLimit {
						return nil
					}
				}

				return fmt.Errorf("%s got its end %s after the cancellation, in the last of %d tries, want %s", f.method("Read"), took, cancelTries, cancelLimit)
			},
		},
		{
			name: "ctx/deadline_surfaces",
			text: "a call after its deadline returns an error that wraps context.DeadlineExceeded",
			check: func(ctx context.Context, s Store) error {
				late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
				defer cancel()
				_, reading := f.count(late, s, in(always))
				return steps(
					func() error { return wantError(reading, context.DeadlineExceeded) },
					func() error { return wantError(f.write(late, s, f.run(0, 10, 1)), context.DeadlineExceeded) },
					func() error { return f.wantNothing(ctx, s, key.Symbol) },
				)
			},
		},
		{
			name: "ctx/short_answers_are_errors",
			text: "a read whose deadline passes at any moment is complete, or ends with an error that wraps the " +
				"context's",
			race: true,
			check: func(ctx context.Context, s Store) error {
				d := f.long(key.Symbol, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				inTime := func(limit time.Duration) error {
					ctx, cancel := context.WithTimeout(ctx, limit)
					defer cancel()
					n, err := f.count(ctx, s, in(always))
					if err == nil && n != d.Len() {
						return fmt.Errorf("%s with %s to go got no error after %d of %d rows, want context.DeadlineExceeded", f.method("Read"), limit, n, d.Len())
					}
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						return fmt.Errorf("%s with %s to go got another error, want context.DeadlineExceeded: %w", f.method("Read"), limit, err)
					}

					return nil
				}
				for i := range 50 {
					if err := inTime(time.Duration(i) * 100 * time.Microsecond); err != nil {
						return err
					}
				}

				return nil
			},
		},
		{
			name: "error/kind_and_cause",
			text: "an error is a *ports.Error with an operation, and wraps both its kind and its cause",
			check: func(ctx context.Context, s Store) error {
				gone, cancel := context.WithCancel(ctx)
				cancel()
				d := f.run(0, 10, 1)
				_, reading := f.count(gone, s, in(always))
				_, extents := f.extents(gone, s, ports.ExtentQuery{})
				_, refused := f.put(ctx, s, d, span(0, 9))
				for _, c := range []struct{ err, kind, cause error }{
					{reading, ports.ErrCanceled, context.Canceled},
					{extents, ports.ErrCanceled, context.Canceled},
					{f.write(gone, s, d), ports.ErrCanceled, context.Canceled},
					{second(f.replace(gone, s, d, f.minutes(d))), ports.ErrCanceled, context.Canceled},
					{refused, ports.ErrInvalid, domain.ErrInvalid},
				} {
					var e *ports.Error
					if !errors.As(c.err, &e) || e.Op == "" {
						return fmt.Errorf("got %s, want a *ports.Error with an Op", errorText(c.err))
					}
					if !errors.Is(c.err, c.kind) || !errors.Is(c.err, c.cause) {
						return fmt.Errorf("got %s, want an error that is both %q and %q", errorText(c.err), c.kind.Error(), c.cause.Error())
					}
				}

				return nil
			},
		},
	}
}
