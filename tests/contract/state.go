package contract

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// states describes one kind of data for the laws on states. Its fixtures have rows in every minute.
type states struct {
	layout      domain.BlockLayout
	perMinute   int // rows in a minute
	unversioned func(s Store) bool

	write    func(ctx context.Context, s Store, from, to, seed int) error // rows in the minutes [from, to), which it declares
	declare  func(ctx context.Context, s Store, r domain.Range) error
	delete   func(ctx context.Context, s Store, r domain.Range) error
	other    func(ctx context.Context, s Store) error // writes to another series
	coverage func(ctx context.Context, s Store) ([]domain.Range, error)
	read     func(ctx context.Context, s Store, q stateQuery) (rows int, state *domain.SeriesState, err error)
}

// stateQuery is a read of the series of most laws.
type stateQuery struct {
	r           domain.Range
	first, last int
	state       ports.StateQuery
}

func barStates() states {
	return states{
		layout: domain.BarBlocks(key.Grid), perMinute: 1,
		unversioned: func(s Store) bool { return s.UnversionedBars },
		write: func(ctx context.Context, s Store, from, to, seed int) error {
			return write(ctx, s, bars(key, minutes(from), to-from, seed))
		},
		declare: func(ctx context.Context, s Store, r domain.Range) error { return declare(ctx, s, key, r) },
		delete: func(ctx context.Context, s Store, r domain.Range) error {
			return second(s.Bars.DeleteBars(ctx, key, r))
		},
		other: func(ctx context.Context, s Store) error {
			return write(ctx, s, bars(minuteKey("ETH/USD"), start, 10, 1))
		},
		coverage: func(ctx context.Context, s Store) (covered []domain.Range, err error) {
			extents, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{key.Symbol}}))
			for _, e := range extents {
				covered = append(covered, e.Range)
			}

			return covered, err
		},
		read: func(ctx context.Context, s Store, q stateQuery) (int, *domain.SeriesState, error) {
			query := ports.BarQuery{Key: key, Range: q.r, First: q.first, Last: q.last, State: q.state}
			b, state, err := collectState(key, s.Bars.ReadBars(ctx, query))
			return b.Len(), state, err
		},
	}
}

func tickStates[D data[D]](f form[D]) states {
	return states{
		layout: domain.TickBlocks(), perMinute: f.aMinute,
		unversioned: func(s Store) bool { return s.UnversionedTicks },
		write: func(ctx context.Context, s Store, from, to, seed int) error {
			return second(f.put(ctx, s, f.run(from, to, seed), span(from, to)))
		},
		declare: func(ctx context.Context, s Store, r domain.Range) error { return f.declare(ctx, s, key.Symbol, r) },
		delete:  f.delete,
		other: func(ctx context.Context, s Store) error {
			return f.write(ctx, s, f.rows("ETH/USD", 0, 10, 1))
		},
		coverage: func(ctx context.Context, s Store) (covered []domain.Range, err error) {
			extents, err := f.extents(ctx, s, ports.ExtentQuery{Symbols: []domain.Symbol{key.Symbol}})
			for _, e := range extents {
				covered = append(covered, e.r)
			}

			return covered, err
		},
		read: func(ctx context.Context, s Store, q stateQuery) (rows int, state *domain.SeriesState, err error) {
			query := ports.TickQuery{Symbol: key.Symbol, Range: q.r, First: q.first, Last: q.last, State: q.state}
			for piece, err := range f.stream(ctx, s, query) {
				if err != nil {
					return rows, state, err
				}
				if rows += piece.Rows.Len(); piece.State != nil {
					state = piece.State
				}
			}

			return rows, state, nil
		},
	}
}

// at reads r and its state. A store must yield a state or say that it keeps no versions.
func (f states) at(ctx context.Context, s Store, r domain.Range) (rows int, state *domain.SeriesState, err error) {
	rows, state, err = f.read(ctx, s, stateQuery{r: r})
	switch {
	case err != nil:
	case f.unversioned(s) && state != nil:
		err = fmt.Errorf("the read got the state %+v, want none, because the store says that it keeps no versions", *state)
	case f.unversioned(s):
		err = notApplicableError("the store keeps no versions")
	case state == nil:
		err = fmt.Errorf("the read of %s got no state, want one; a store without versions says so with UnversionedBars or "+
			"UnversionedTicks of contract.Store", r)
	}

	return rows, state, err
}

// version reads the version of the series.
func (f states) version(ctx context.Context, s Store) (domain.Version, error) {
	_, state, err := f.at(ctx, s, span(0, 1))
	if err != nil {
		return domain.Version{}, err
	}

	return state.Version, nil
}

// block returns minutes from the start of the i-th block after that of the first minute of the fixtures.
func (f states) block(i, minute int) int {
	start, _ := f.layout.Bounds(f.layout.Index(domain.MicrosFloor(minutes(0))) + int64(i))
	return int(start.Time().Sub(minutes(0)).Minutes()) + minute
}

// stateLaws are the laws on the state of a series that a read yields with the rows.
func stateLaws(f states) []law[Store] {
	return []law[Store]{
		{
			name: "state/comes_with_every_read",
			text: "the first piece of every read has the state, also where the result has no rows; a series that " +
				"was never written has the zero version",
			check: func(ctx context.Context, s Store) error {
				_, state, err := f.at(ctx, s, always)
				if err != nil {
					return err
				}
				if state.Version != (domain.Version{}) || len(state.Coverage)+len(state.Blocks) > 0 {
					return fmt.Errorf("the read of a series that was never written got the state %+v, want the zero state", *state)
				}

				if err := f.write(ctx, s, 0, 10, 1); err != nil {
					return err
				}
				for _, q := range []stateQuery{{r: always}, {r: always, first: 3}, {r: span(2, 5)}, {r: span(100, 200)}} {
					if _, state, err = f.read(ctx, s, q); err != nil {
						return err
					}
					if state == nil || state.Version == (domain.Version{}) {
						return fmt.Errorf("the read of %s first %d got the state %v, want the same version and coverage as a read of all", q.r, q.first, state)
					}
				}

				return nil
			},
		},
		{
			name: "state/has_the_coverage",
			text: "the coverage of the state is the declared coverage of the whole series",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return f.write(ctx, s, 0, 10, 1) },
					func() error { return f.declare(ctx, s, span(20, 30)) },
					func() error { return f.write(ctx, s, 28, 40, 1) },
					func() error { return f.delete(ctx, s, span(3, 5)) },
					func() error { return f.other(ctx, s) },
					func() error {
						_, state, err := f.at(ctx, s, span(0, 5))
						if err != nil {
							return err
						}
						declared, err := f.coverage(ctx, s)
						if err != nil {
							return err
						}

						want := []domain.Range{span(0, 3), span(5, 10), span(20, 40)}
						if !slices.EqualFunc(state.Coverage, want, domain.Range.Equal) ||
							!slices.EqualFunc(declared, want, domain.Range.Equal) {
							return fmt.Errorf("got a state with the coverage %v and extents of %v, want %v", state.Coverage, declared, want)
						}

						return nil
					},
				)
			},
		},
		{
			name: "state/every_change_is_a_version",
			text: "every write that changes a row or the coverage gives the series a higher revision and another " +
				"nonce",
			check: f.checkVersions,
		},
		{
			name: "state/no_change_is_no_version",
			text: "a write that changes neither a row nor the coverage, and a write to another series, leave the " +
				"version as it is",
			check: f.checkUnchanged,
		},
		{
			name: "state/blocks_have_their_versions",
			text: "a block has the number of its rows and the version of the series after the last write that " +
				"changed one of them; a block without rows is absent",
			check: f.checkBlocks,
		},
		{
			name: "state/tail_is_of_the_last_block",
			text: "a tail has nonces of versions of the last block, its present one among them, also after the block " +
				"behind it was deleted; an empty one tells nothing",
			check: f.checkTailBlock,
		},
		{
			name: "state/blocks_of_a_wider_range",
			text: "the state has the blocks of the rows that are read, and of the range that the query names",
			check: func(ctx context.Context, s Store) error {
				whole := span(f.block(0, 0), f.block(4, 0))
				first, second, third := f.block(1, 10), f.block(2, 10), f.block(3, 10)
				for _, at := range []int{first, second, third} {
					if err := f.write(ctx, s, at, at+1, 1); err != nil {
						return err
					}
				}

				_, all, err := f.at(ctx, s, whole)
				if err != nil {
					return err
				}
				_, wider, err := f.read(ctx, s, stateQuery{r: span(second, second+1), state: ports.StateQuery{Range: whole}})
				if err != nil {
					return err
				}
				for _, q := range []stateQuery{{r: whole, first: 1}, {r: whole, last: 1}} {
					_, limited, err := f.read(ctx, s, q)
					if err != nil {
						return err
					}

					want := all.Blocks[q.last*2] // of the first row, or of the last
					if !slices.Contains(limited.Blocks, want) {
						return fmt.Errorf("the read of first %d last %d got the blocks %v, want among them %v", q.first, q.last, limited.Blocks, want)
					}
				}
				if len(all.Blocks) != 3 || !all.SameWithin(&domain.SeriesState{Coverage: wider.Coverage, Blocks: wider.Blocks}, f.layout, whole) {
					return fmt.Errorf("got the blocks %v, want %v", wider.Blocks, all.Blocks)
				}

				_, known, err := f.read(ctx, s, stateQuery{r: whole, state: ports.StateQuery{Known: all.Version}})
				if err == nil && known.Version != all.Version {
					err = fmt.Errorf("the read that knows the version %s got the version %s, want the known one", all.Version, known.Version)
				}

				return err
			},
		},
		{
			name: "state/rows_and_coverage_are_one_state",
			text: "a read concurrent with deletions and writes yields all rows or no coverage, and its version " +
				"never goes back",
			race: true,
			check: func(ctx context.Context, s Store) error {
				if _, _, err := f.at(ctx, s, always); err != nil {
					return err
				}

				return f.hammer(ctx, s)
			},
		},
	}
}

// checkVersions writes in every way, and compares the versions.
func (f states) checkVersions(ctx context.Context, s Store) error {
	changes := []struct {
		name string
		do   func() error
	}{
		{"rows", func() error { return f.write(ctx, s, 0, 10, 1) }},
		{"other values", func() error { return f.write(ctx, s, 0, 10, 2) }},
		{"more rows", func() error { return f.write(ctx, s, 10, 12, 1) }},
		{"coverage alone", func() error { return f.declare(ctx, s, span(12, 20)) }},
		{"a deletion of rows", func() error { return f.delete(ctx, s, span(0, 3)) }},
		{"a deletion of coverage alone", func() error { return f.delete(ctx, s, span(15, 17)) }},
		{"a deletion of all", func() error { return f.delete(ctx, s, always) }},
		{"the first rows again", func() error { return f.write(ctx, s, 0, 10, 1) }},
	}

	before, err := f.version(ctx, s)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := c.do(); err != nil {
			return err
		}

		after, err := f.version(ctx, s)
		if err != nil {
			return err
		}
		if after.Revision <= before.Revision || after.Nonce == before.Nonce {
			return fmt.Errorf("%s: got the version %s after %s, want a greater revision and another nonce", c.name, after, before)
		}
		before = after
	}

	return nil
}

// checkUnchanged repeats writes, which change nothing, and compares the versions.
func (f states) checkUnchanged(ctx context.Context, s Store) error {
	if err := f.write(ctx, s, 0, 10, 1); err != nil {
		return err
	}
	before, err := f.version(ctx, s)
	if err != nil {
		return err
	}

	for name, do := range map[string]func() error{
		"the same rows again":          func() error { return f.write(ctx, s, 0, 10, 1) },
		"coverage that is declared":    func() error { return f.declare(ctx, s, span(1, 9)) },
		"an empty range":               func() error { return f.declare(ctx, s, span(50, 50)) },
		"a deletion where nothing is":  func() error { return f.delete(ctx, s, span(20, 30)) },
		"a write to another series":    func() error { return f.other(ctx, s) },
		"a deletion of an empty range": func() error { return f.delete(ctx, s, span(5, 5)) },
	} {
		if err := do(); err != nil {
			return err
		}

		after, err := f.version(ctx, s)
		if err != nil {
			return err
		}
		if after != before {
			return fmt.Errorf("%s: got the version %s, want %s as before", name, after, before)
		}
	}

	return nil
}

// checkBlocks changes rows of one block at a time, and compares the blocks with the expected ones.
func (f states) checkBlocks(ctx context.Context, s Store) error {
	whole := span(f.block(-1, 0), f.block(4, 0))
	first, second, last := f.block(1, 0), f.block(2, 0), f.block(3, 0)
	zero := f.layout.Index(domain.MicrosFloor(minutes(f.block(0, 0))))
	var want []domain.BlockState

	expect := func(blocks ...domain.BlockState) error {
		_, state, err := f.at(ctx, s, whole)
		if err != nil {
			return err
		}
		for i := range blocks {
			if blocks[i].Version == (domain.Version{}) {
				blocks[i].Version = state.Version // changed by the last write
			}
		}
		if want = blocks; !slices.Equal(state.Blocks, want) {
			return fmt.Errorf("at version %s got the blocks %v, want %v", state.Version, state.Blocks, want)
		}

		return nil
	}
	changed := func(i, minutes int) domain.BlockState {
		return domain.BlockState{Index: zero + int64(i), Rows: minutes * f.perMinute}
	}

	return steps(
		func() error { return f.write(ctx, s, second-2, second+3, 1) }, // the last minutes of one block, the first of the next
		func() error { return expect(changed(1, 2), changed(2, 3)) },
		func() error { return f.write(ctx, s, second+1, second+2, 700) }, // another value
		func() error { return expect(want[0], changed(2, 3)) },
		func() error { return f.write(ctx, s, second-2, second+1, 1) }, // the same again
		func() error { return expect(want[0], want[1]) },
		func() error { return f.write(ctx, s, second-2, second+3, 1) }, // only the second block differs
		func() error { return expect(want[0], changed(2, 3)) },
		func() error { return f.declare(ctx, s, span(first, last)) }, // coverage alone
		func() error { return expect(want[0], want[1]) },
		func() error { return f.write(ctx, s, last, last+1, 1) },
		func() error { return expect(want[0], want[1], changed(3, 1)) },
		func() error { return f.write(ctx, s, first, first+1, 1) },
		func() error { return expect(changed(1, 3), want[1], want[2]) },
		func() error { return f.delete(ctx, s, span(second, second+1)) },
		func() error { return expect(want[0], changed(2, 2), want[2]) },
		func() error { return f.delete(ctx, s, span(second, last)) },
		func() error { return expect(want[0], want[2]) },
		func() error { return f.delete(ctx, s, whole) },
		func() error { return expect() },
	)
}

// checkTailBlock changes two blocks, and deletes the later one.
func (f states) checkTailBlock(ctx context.Context, s Store) error {
	first, second := f.block(1, 0), f.block(2, 0)
	versions := map[int64][]uint64{} // nonces by block
	check := func() error {
		_, state, err := f.at(ctx, s, always)
		if err != nil {
			return err
		}
		for _, b := range state.Blocks {
			versions[b.Index] = append(versions[b.Index], b.Version.Nonce)
		}

		last, _ := state.LastBlock()
		for _, nonce := range state.Tail {
			if !slices.Contains(versions[last.Index], nonce) {
				return fmt.Errorf("got the tail %x with %x, want only versions of the last block %v", state.Tail, nonce, last)
			}
		}
		if len(state.Tail) > 0 && !slices.Contains(state.Tail, last.Version.Nonce) {
			return fmt.Errorf("got the tail %x, want the version of the last block %v in it", state.Tail, last)
		}

		return nil
	}

	return steps(
		func() error { return f.write(ctx, s, first, first+3, 1) }, check,
		func() error { return f.write(ctx, s, second, second+3, 1) }, check,
		func() error { return f.write(ctx, s, second+3, second+4, 1) }, check,
		func() error { return f.delete(ctx, s, span(second, second+9)) }, check,
		func() error { return f.write(ctx, s, first+3, first+4, 1) }, check,
		func() error { return f.write(ctx, s, second, second+3, 1) }, check,
	)
}

// hammer reads beside a writer that deletes rows and writes them again.
func (f states) hammer(ctx context.Context, s Store) error {
	const rounds, minutes = 40, 20
	if err := f.write(ctx, s, 0, minutes, 1); err != nil {
		return err
	}

	done := make(chan struct{})
	writer := func(ctx context.Context) error {
		defer close(done)
		for range rounds {
			if err := f.delete(ctx, s, span(5, 15)); err != nil {
				return err
			}
			if err := f.write(ctx, s, 5, 15, 1); err != nil {
				return err
			}
		}

		return nil
	}
	reader := func(ctx context.Context) error {
		var before domain.Version
		for {
			select {
			case <-done:
				return nil
			default:
			}

			rows, state, err := f.at(ctx, s, span(0, minutes))
			if err != nil {
				return err
			}

			want := minutes
			if !state.Covers(span(5, 15)) {
				want -= 10
			}
			if rows != want*f.perMinute {
				return fmt.Errorf("the read got %d rows with the coverage %v, want %d rows", rows, state.Coverage, want*f.perMinute)
			}
			if state.Version.Revision < before.Revision {
				return fmt.Errorf("the read got the version %s after %s, want that or a later one", state.Version, before)
			}
			before = state.Version
		}
	}

	return runAll(ctx, writer, reader, reader)
}
