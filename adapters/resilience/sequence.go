package resilience

import (
	"context"
	"errors"
	"iter"

	"github.com/gal-friday/marketdata/ports"
)

// sequence returns the values of open, of at most so many rows, with the policy. A read is retried until it has yielded
// a value.
func sequence[V any](
	ctx context.Context, p *Policy, op string, rows int64, open func() iter.Seq2[V, error],
) iter.Seq2[V, error] {
	first := open() // if it is single use, so is the result
	return func(yield func(V, error) bool) {
		values, stopped := first, false
		read := func(a *attempt) error {
			if values == nil {
				values = open()
			}
			for v, err := range values {
				if err != nil {
					values = nil
					return err
				}

				a.deliver()
				if !yield(v, nil) {
					stopped = true
					return nil
				}
			}

			return nil
		}
		err := p.withReservation(ctx, op, rows, p.limits.reserveRead, func() error { return p.read(ctx, op, read) })
		if err != nil && !stopped {
			var none V
			yield(none, err)
		}
	}
}

// pieces is sequence for the rows of a series.
func pieces[D ports.Rows](
	ctx context.Context, p *Policy, op string, rows int64, open func() ports.Sequence[D],
) ports.Sequence[D] {
	return ports.Sequence[D](sequence(ctx, p, op, rows, func() iter.Seq2[ports.Piece[D], error] {
		return iter.Seq2[ports.Piece[D], error](open())
	}))
}

// readValue makes a call that returns a value.
func readValue[T any](ctx context.Context, p *Policy, op string, read func() (T, error)) (value T, err error) {
	err = p.read(ctx, op, func(*attempt) (err error) {
		value, err = read()
		return err
	})

	return value, err
}

// writeValue makes a call that may change something, of so many rows, and returns a value.
func writeValue[T any](
	ctx context.Context, p *Policy, op string, rows int, write func() (T, error),
) (value T, err error) {
	err = p.withReservation(ctx, op, int64(rows), p.limits.reserveWrite, func() error {
		return p.write(ctx, op, func(*attempt) (err error) {
			value, err = write()
			return err
		})
	})

	return value, err
}

// batchWrite is a call that writes each element by itself: result i is that of element i.
type batchWrite[E, R any] struct {
	op       string
	elements []E
	rows     func(E) int // of an element; nil where elements have no rows
	errOf    func(*R) *error
	write    func([]E) []R
}

// writeEach makes the call. It writes those elements again of which nothing was sent.
func writeEach[E, R any](ctx context.Context, p *Policy, b batchWrite[E, R]) []R {
	elements, errOf := b.elements, b.errOf
	rows := 0
	for _, e := range elements {
		if b.rows != nil {
			rows += b.rows(e)
		}
	}

	results := make([]R, len(elements))
	left := make([]int, len(elements)) // indices of the elements of the next attempt
	for i := range left {
		left[i] = i
	}

	write := func(*attempt) error {
		part := make([]E, len(left))
		for n, i := range left {
			part[n] = elements[i]
		}

		var unsent []int
		var errs []error
		for n, r := range b.write(part) {
			results[left[n]] = r
			err := *errOf(&r)
			if errs = append(errs, err); isUnsent(err) {
				unsent = append(unsent, left[n])
			}
		}
		left = unsent

		return worst(errs)
	}
	err := p.withReservation(ctx, b.op, int64(rows), p.limits.reserveWrite, func() error {
		return p.write(ctx, b.op, write)
	})
	for _, i := range left {
		if e := errOf(&results[i]); *e == nil { // no attempt was made
			*e = err
		}
	}

	return results
}

// sameError is the errOf of results that are errors.
func sameError(err *error) *error { return err }

// worst returns the error that says most about the server: of an element of which nothing was sent, else of a failure,
// else any.
func worst(errs []error) error {
	for _, is := range [...]func(error) bool{isUnsent, isFailure} {
		for _, err := range errs {
			if err != nil && is(err) {
				return err
			}
		}
	}

	return errors.Join(errs...)
}
