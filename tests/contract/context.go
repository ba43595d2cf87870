package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// cancelLimit is the maximum time until a sequence ends after its context is done. A law that measures it has several
// attempts, because the machine may be busy.
const (
	cancelLimit = 250 * time.Millisecond
	cancelTries = 5
)

// contextLaws are the laws on the end of a context.
var contextLaws = []law[Store]{
	{
		name: "ctx/cancelled_call_is_an_error",
		text: "a call with a cancelled context returns the context's error and does nothing",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			gone, cancel := context.WithCancel(ctx)
			cancel()
			if n, err := broken(gone, s, all(key)); n > 0 || !errors.Is(err, context.Canceled) {
				return fmt.Errorf("ReadBars with a cancelled context got %d bars and %s, want context.Canceled", n, errorText(err))
			}
			if _, err := ports.Collect(s.Bars.Extents(gone, ports.ExtentQuery{})); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Extents with a cancelled context got %s, want context.Canceled", errorText(err))
			}

			other := bars(key, start, 20, 50)
			if _, err := ports.WriteBars(gone, s.Bars, other, other.Range(), ports.ConflictReplace); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("WriteBatch with a cancelled context got %s, want context.Canceled", errorText(err))
			}
			if _, err := s.Bars.ReplaceBars(gone, other, other.Range()); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("ReplaceBars with a cancelled context got %s, want context.Canceled", errorText(err))
			}
			if _, err := s.Bars.DeleteBars(gone, key, always); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("DeleteBars with a cancelled context got %s, want context.Canceled", errorText(err))
			}

			return steps(
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "ctx/cancel_surfaces",
		text: "when the context is cancelled during a read, the sequence ends within 250 ms with an error that " +
			"wraps the context's",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, manyBars, 1)); err != nil {
				return err
			}

			var took time.Duration
			for range cancelTries {
				reading, cancel := context.WithCancel(ctx)
				defer cancel()
				var began time.Time
				var failed error
				for _, err := range s.Bars.ReadBars(reading, all(key)).Rows() {
					if began.IsZero() {
						cancel()
						began = time.Now()
					}
					failed = err
				}
				if took = time.Since(began); !errors.Is(failed, context.Canceled) {
					return fmt.Errorf("ReadBars, cancelled at its first piece, got %s at its end, want context.Canceled", errorText(failed))
				}
				if took <= cancelLimit {
					return nil
				}
			}

			return fmt.Errorf("ReadBars got its end %s after the cancellation, in the last of %d tries, want %s", took, cancelTries, cancelLimit)
		},
	},
	{
		name: "ctx/deadline_surfaces",
		text: "a call after its deadline returns an error that wraps context.DeadlineExceeded",
		check: func(ctx context.Context, s Store) error {
			late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
			defer cancel()
			b := bars(key, start, 10, 1)
			if _, err := broken(late, s, all(key)); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("ReadBars past its deadline got %s, want context.DeadlineExceeded", errorText(err))
			}
			if err := write(late, s, b); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("WriteBatch past its deadline got %s, want context.DeadlineExceeded", errorText(err))
			}

			return wantNothing(ctx, s, key)
		},
	},
	{
		name: "ctx/short_answers_are_errors",
		text: "a read whose deadline passes at any moment is complete, or ends with an error that wraps the context's",
		race: true,
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, manyBars, 1)); err != nil {
				return err
			}

			for i := range 50 {
				if err := readInTime(ctx, s, time.Duration(i)*100*time.Microsecond); err != nil {
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
			b := bars(key, start, 10, 1)
			_, reading := broken(gone, s, all(key))
			_, extents := ports.Collect(s.Bars.Extents(gone, ports.ExtentQuery{}))
			_, refused := ports.WriteBars(ctx, s.Bars, b, span(0, 9), ports.ConflictReplace)
			for _, c := range []struct{ err, kind, cause error }{
				{reading, ports.ErrCanceled, context.Canceled},
				{extents, ports.ErrCanceled, context.Canceled},
				{write(gone, s, b), ports.ErrCanceled, context.Canceled},
				{refused, ports.ErrInvalid, ports.ErrInvalid},
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

// readInTime reads manyBars with a deadline.
func readInTime(ctx context.Context, s Store, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	n, err := broken(ctx, s, all(key))
	if err == nil && n != manyBars {
		return fmt.Errorf("ReadBars with %s to go got no error after %d of %d bars, want context.DeadlineExceeded", limit, n, manyBars)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ReadBars with %s to go got another error, want context.DeadlineExceeded: %w", limit, err)
	}

	return nil
}
