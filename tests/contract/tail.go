package contract

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// tailLaws are the laws on SeriesState.Tail. A store may leave every tail empty.
var tailLaws = []law[Store]{
	{
		name: "state/tail_has_appends",
		text: "the tail has the nonce of every version of the last block since which bars were only added behind its " +
			"last one",
		check: func(ctx context.Context, s Store) error {
			f := barStates()
			if err := f.write(ctx, s, 0, 10, 1); err != nil {
				return err
			}
			_, first, err := f.at(ctx, s, always)
			if err != nil {
				return err
			}
			if len(first.Tail) == 0 {
				return notApplicableError("the store keeps no tails")
			}

			nonces := []uint64{first.Version.Nonce}
			for i := 10; i < 13; i++ {
				if err := f.write(ctx, s, i-2, i+1, 1+i-2); err != nil { // two equal bars, and one more
					return err
				}
				if err := f.declare(ctx, s, span(i+1, i+5)); err != nil {
					return err
				}

				_, state, err := f.at(ctx, s, always)
				if err != nil {
					return err
				}
				last, _ := state.LastBlock()
				nonces = slices.Insert(nonces, 0, last.Version.Nonce)
				if !slices.Equal(state.Tail, nonces) {
					return fmt.Errorf("after %d appends the read got the tail %x, want %x", i-9, state.Tail, nonces)
				}
			}

			return nil
		},
	},
	onlyAppendsLaw(tailFixture[domain.Series]{
		one: "bars", layout: domain.BarBlocks(key.Grid), change: changeBarTail,
		read: func(ctx context.Context, s Store) (domain.Series, *domain.SeriesState, error) {
			return collectState(key, s.Bars.ReadBars(ctx, all(key)))
		},
	}),
}

// tickTailLaws are the laws on SeriesState.Tail of ticks.
func tickTailLaws[T domain.Tick](f tickForm[T]) []law[Store] {
	return []law[Store]{onlyAppendsLaw(tailFixture[domain.Ticks[T]]{
		one: f.many, layout: domain.TickBlocks(), change: f.changeTail,
		read: func(ctx context.Context, s Store) (domain.Ticks[T], *domain.SeriesState, error) {
			var state *domain.SeriesState
			b := domain.NewTicksBuilder[T](key.Symbol)
			for p, err := range f.stream(ctx, s, everything(key.Symbol)) {
				if err == nil {
					err = b.AppendTicks(p.Rows)
				}
				if err != nil {
					return domain.Ticks[T]{}, nil, err
				}
				if p.State != nil {
					state = p.State
				}
			}

			ticks, err := b.Ticks()

			return ticks, state, err
		},
	})}
}

// tailFixture changes a series near its end and reads it.
type tailFixture[D data[D]] struct {
	one    string // names the rows
	layout domain.BlockLayout
	change func(ctx context.Context, s Store, random *rand.Rand, i int) error
	read   func(ctx context.Context, s Store) (D, *domain.SeriesState, error)
}

func onlyAppendsLaw[D data[D]](f tailFixture[D]) law[Store] {
	return law[Store]{
		name: "state/tail_has_nothing_else",
		text: "the " + f.one + " of every version whose nonce is in the tail are the first " + f.one + " of the last block",
		check: func(ctx context.Context, s Store) error {
			known := map[uint64]D{} // rows of the last block by the nonce of its version
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 150 {
				if err := f.change(ctx, s, random, i); err != nil {
					return err
				}

				got, state, err := f.read(ctx, s)
				if err != nil {
					return err
				}
				if state == nil {
					return notApplicableError("the store keeps no versions")
				}
				last, found := state.LastBlock()
				if !found {
					continue
				}

				block := got.Clip(f.layout.Range(last.Index, last.Index+1))
				if err := checkTail(state.Tail, known, block); err != nil {
					return fmt.Errorf("after %d changes: %w", i+1, err)
				}
				known[last.Version.Nonce] = block
			}

			return nil
		},
	}
}

// changeBarTail changes bars near the end of the series: most changes append.
func changeBarTail(ctx context.Context, s Store, random *rand.Rand, i int) error {
	f := barStates()
	at := i + random.IntN(3)*random.IntN(3)
	switch random.IntN(8) {
	case 0:
		return f.delete(ctx, s, span(i-2, i+1))
	case 1:
		return f.delete(ctx, s, span(i+1, i+9))
	case 2:
		return f.declare(ctx, s, span(i-1, i+3))
	case 3:
		return f.write(ctx, s, at-3, at+1, random.IntN(500))
	}

	return f.write(ctx, s, at, at+1, at)
}

// changeTail changes ticks near the end of the series: most changes append, often at the instant of the last tick.
func (f tickForm[T]) changeTail(ctx context.Context, s Store, random *rand.Rand, i int) error {
	minute := i/instant + random.IntN(3)*random.IntN(3)
	switch random.IntN(8) {
	case 0:
		return f.delete(ctx, s, span(minute-2, minute+1))
	case 1:
		return f.declare(ctx, s, key.Symbol, span(minute-1, minute+3))
	case 2:
		return second(f.put(ctx, s, f.run(minute-3, minute+1, random.IntN(500)), span(minute-3, minute+1)))
	}

	whole, n := f.run(minute, minute+1, minute), i%instant
	if random.IntN(4) == 0 { // an earlier tick of the instant
		n = random.IntN(instant)
	}

	return second(f.put(ctx, s, whole.Slice(n, n+1), span(minute, minute+1)))
}

// checkTail fails unless the rows of every known version in the tail are the first rows of the block.
func checkTail[D data[D]](tail []uint64, known map[uint64]D, block D) error {
	if len(tail) > domain.MaxTail {
		return fmt.Errorf("got a tail of %d versions, want at most %d", len(tail), domain.MaxTail)
	}

	for _, nonce := range tail {
		before, found := known[nonce]
		if !found {
			continue
		}
		if n := before.Len(); n > block.Len() || !block.Slice(0, n).Equal(before) {
			return fmt.Errorf("got a tail with the version %x of %s, want only versions that the block %s continues", nonce, before, block)
		}
	}

	return nil
}
