package contract

import (
	"context"
	"runtime"
	"slices"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// stateFault is a store that yields a wrong state, and the law that must fail.
type stateFault struct {
	name  string
	alter func(s *domain.SeriesState, read domain.Range, layout domain.BlockLayout) *domain.SeriesState
	law   string
}

var stateFaults = []stateFault{
	{"no state of an unwritten series", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		if s.Version.Revision == 0 {
			return nil
		}
		return s
	}, "state/comes_with_every_read"},
	{"coverage of the range that is read", func(s *domain.SeriesState, r domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		s.Coverage = domain.ClipRanges(s.Coverage, r)
		return s
	}, "state/has_the_coverage"},
	{"one nonce for ever", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		s.Version.Nonce = 1
		return s
	}, "state/every_change_is_a_version"},
	{"a version of every read", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		s.Version = s.Version.Next()
		return s
	}, "state/no_change_is_no_version"},
	{"every block has the version of the series", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		for i := range s.Blocks {
			s.Blocks[i].Version = s.Version
		}
		return s
	}, "state/blocks_have_their_versions"},
	{"blocks of the range that is read", func(s *domain.SeriesState, r domain.Range, layout domain.BlockLayout) *domain.SeriesState {
		from, to := layout.Span(r)
		s.Blocks = slices.DeleteFunc(s.Blocks, func(b domain.BlockState) bool { return b.Index < from || b.Index >= to })
		return s
	}, "state/blocks_of_a_wider_range"},
}

// alterState alters the state of a sequence.
func alterState[D ports.Rows](f stateFault, next ports.Sequence[D], r domain.Range, layout domain.BlockLayout) ports.Sequence[D] {
	return func(yield func(ports.Piece[D], error) bool) {
		for p, err := range next {
			if p.State != nil {
				altered := *p.State
				altered.Blocks = slices.Clone(altered.Blocks)
				p.State = f.alter(&altered, r, layout)
			}
			if (err != nil || p.State != nil || p.Rows.Len() > 0) && !yield(p, err) {
				return
			}
		}
	}
}

// twoSnapshots yields the state of one read with the rows of a later one.
func twoSnapshots[D ports.Rows](read func() ports.Sequence[D]) ports.Sequence[D] {
	return func(yield func(ports.Piece[D], error) bool) {
		var state *domain.SeriesState
		for p, err := range read() {
			if err != nil {
				yield(ports.Piece[D]{}, err)
				return
			}

			state = p.State

			break
		}
		for range 20 {
			runtime.Gosched()
		}

		for p, err := range read() {
			if p.State != nil {
				p.State = state
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// everyVersionInTail is a fault of tails that have all versions of the last block.
func everyVersionInTail() stateFault {
	var seen []uint64
	return stateFault{"a tail that has every version", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		if last, found := s.LastBlock(); found && !slices.Contains(seen, last.Version.Nonce) {
			seen = append(seen, last.Version.Nonce)
		}
		s.Tail = slices.Clone(seen)

		return s
	}, "state/tail_has_nothing_else"}
}

// tailOfDeletedBlock is a fault of tails that are kept where the last block was deleted.
func tailOfDeletedBlock() stateFault {
	var tail []uint64
	var index int64
	return stateFault{"a tail of a block that was deleted", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		if last, found := s.LastBlock(); found && last.Index < index {
			s.Tail = tail
		} else if found {
			tail, index = s.Tail, last.Index
		}

		return s
	}, "state/tail_is_of_the_last_block"}
}

// barStateFaults seeds the faults into a store of bars.
func barStateFaults() []fault {
	snapshots := func() *faulty {
		return &faulty{pieces: func(next *memory.Store, ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
			return twoSnapshots(func() ports.Sequence[domain.Series] { return next.ReadBars(ctx, q) })
		}}
	}
	faults := []fault{
		{"state and rows of two snapshots", snapshots, []string{"state/rows_and_coverage_are_one_state"}},
	}
	ownVersion := stateFault{"a tail that has only the present version", func(s *domain.SeriesState, _ domain.Range, _ domain.BlockLayout) *domain.SeriesState {
		s.Tail = s.Tail[:min(1, len(s.Tail))]
		return s
	}, "state/tail_has_appends"}
	for _, f := range append(slices.Clip(stateFaults), ownVersion, everyVersionInTail(), tailOfDeletedBlock()) {
		faults = append(faults, fault{f.name, func() *faulty {
			return &faulty{pieces: func(next *memory.Store, ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
				return alterState(f, next.ReadBars(ctx, q), q.Range, domain.BarBlocks(q.Key.Grid))
			}}
		}, []string{f.law}})
	}

	return faults
}

// tickStateFaults seeds the faults into a store of ticks.
func tickStateFaults[T domain.Tick]() []tickFault[T] {
	type D = domain.Ticks[T]
	wrap := func(alter func(read func() ports.Sequence[D], q ports.TickQuery) ports.Sequence[D]) func(*form[D]) {
		return func(f *form[D]) {
			next := f.stream
			f.stream = func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[D] {
				return alter(func() ports.Sequence[D] { return next(ctx, s, q) }, q)
			}
		}
	}

	faults := []tickFault[T]{{"state and rows of two snapshots", wrap(
		func(read func() ports.Sequence[D], _ ports.TickQuery) ports.Sequence[D] { return twoSnapshots(read) },
	), []string{"state/rows_and_coverage_are_one_state"}}}
	for _, f := range append(slices.Clip(stateFaults), everyVersionInTail(), tailOfDeletedBlock()) {
		faults = append(faults, tickFault[T]{f.name, wrap(func(read func() ports.Sequence[D], q ports.TickQuery) ports.Sequence[D] {
			return alterState(f, read(), q.Range, domain.TickBlocks())
		}), []string{f.law}})
	}

	return faults
}
