package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// manyBars is more than stores usually return in one piece, or write in one batch or statement.
const manyBars = 10_500

// streamLaws are the laws on sequences. Its form (pieces with bars, of the key, ascending, nothing after an error) is
// checked by every read of every law.
var streamLaws = []law[Store]{
	{
		name: "stream/pieces_are_the_whole",
		text: "the pieces of a long result together are exactly the result",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, manyBars, 1)
			return steps(
				func() error { return write(ctx, s, b.Slice(0, 6_000)) },
				func() error { return write(ctx, s, b.Slice(6_000, 6_001)) },
				func() error { return write(ctx, s, b.Slice(6_001, manyBars)) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantBars(ctx, s, query(span(1, manyBars-1)), b.Slice(1, manyBars-1)) },
				func() error {
					last := ports.BarQuery{Key: key, Range: always, Last: manyBars - 1}
					return wantBars(ctx, s, last, b.Slice(1, manyBars))
				},
			)
		},
	},
	{
		name: "stream/lazy",
		text: "a sequence reads when it is ranged over, and one that never is holds nothing",
		check: func(ctx context.Context, s Store) error {
			before := s.Bars.ReadBars(ctx, all(key)).Rows()
			for range 64 {
				s.Bars.ReadBars(ctx, all(key))
			}
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for piece, err := range before {
				if err != nil {
					return err
				}
				return sameBars(piece, b)
			}

			return errors.New("ReadBars, called before a write and ranged over after it, got no bar, want those of the write")
		},
	},
	{
		name: "stream/break_frees",
		text: "stopping an iteration frees all resources of the read: the store still reads and writes after many " +
			"of them",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 2_000, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for range 32 { // more than a pool has connections
				for _, err := range s.Bars.ReadBars(ctx, all(key)).Rows() {
					if err != nil {
						return wantNoError("ReadBars after reads that were stopped", err)
					}
					break
				}
			}

			over := bars(key, start, 10, 7)

			return steps(
				func() error { return write(ctx, s, over) },
				func() error { return wantBars(ctx, s, query(span(0, 20)), join(over, b.Slice(10, 20))) },
			)
		},
	},
	{
		name: "stream/second_range_errors",
		text: "a sequence is single use: ranging over it again, after its end or a break, yields an error and no bar",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, 10, 1)); err != nil {
				return err
			}

			for _, breakOff := range []bool{false, true} {
				sequence := s.Bars.ReadBars(ctx, all(key)).Rows()
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
						return errors.New("ReadBars, ranged over again, got bars, want an error")
					}
				}
				if pairs != 1 || last == nil {
					return fmt.Errorf("ReadBars, ranged over again, got %d pairs, the last with %s, want one with an error",
						pairs, errorText(last))
				}
			}

			return nil
		},
	},
	{
		name: "stream/error_is_last",
		text: "an error comes with an empty Series, and nothing comes after it",
		check: func(ctx context.Context, s Store) error {
			if err := write(ctx, s, bars(key, start, manyBars, 1)); err != nil {
				return err
			}

			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var failed error
			for piece, err := range s.Bars.ReadBars(ctx, all(key)).Rows() {
				cancel()
				switch {
				case failed != nil:
					return fmt.Errorf("ReadBars got a piece after the error, want the end of the sequence: %w", failed)
				case err != nil && piece.Len() > 0:
					return fmt.Errorf("ReadBars got %d bars with an error, want none: %w", piece.Len(), err)
				}

				failed = err
			}
			if failed == nil {
				return errors.New("ReadBars, cancelled at its first piece, got no error, want context.Canceled")
			}

			return nil
		},
	},
}

// broken reads and stops at the first error, which it returns with the number of bars before it.
func broken(ctx context.Context, s Store, q ports.BarQuery) (count int, err error) {
	var piece domain.Series
	for piece, err = range s.Bars.ReadBars(ctx, q).Rows() {
		if err != nil {
			return count, err
		}
		count += piece.Len()
	}

	return count, nil
}
