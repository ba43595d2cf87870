package checkpoint

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// version returns the version of write n.
func version(n int64) domain.Version { return domain.Version{Revision: n, Nonce: uint64(n)} }

// TestCheckpointOfMorePages says that a checkpoint that is carried from page to page equals one of all pages at once.
func TestCheckpointOfMorePages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := Series{Store: "test", Grid: domain.Minute1.UTC()}
		layout := s.Layout()
		state := &domain.SeriesState{Version: domain.Version{Revision: 9, Nonce: 9}}
		for i := range int64(6) {
			if rapid.Bool().Draw(t, "has rows") {
				state.Blocks = append(state.Blocks, domain.BlockState{Index: i, Rows: 1, Version: domain.Version{Revision: 1, Nonce: rapid.Uint64().Draw(t, "nonce")}})
			}
		}
		whole := layout.Range(0, 6)
		state.Coverage = []domain.Range{
			{Start: whole.Start, End: whole.Start.Add(time.Hour)}, {Start: whole.Start.Add(2 * time.Hour), End: whole.End},
		}

		start := whole.Start.Add(time.Duration(rapid.IntRange(0, 4096).Draw(t, "start")) * time.Minute)
		r, carried := domain.Range{Start: start, End: start}, s
		for range rapid.IntRange(1, 5).Draw(t, "pages") {
			r.End = r.End.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "minutes")) * time.Minute)
			carried = carried.Advance(state, r, 7, true)
		}

		if once := s.Advance(state, r, 7, true); carried != once {
			t.Fatalf("carried %+v, at once %+v", carried, once)
		}
	})
}

// TestCheckpointHoldsIn has a series whose second block is cut, and states that follow.
func TestCheckpointHoldsIn(t *testing.T) {
	t.Parallel()
	s := Series{Grid: domain.Minute1.UTC()}
	whole := s.Layout().Range(0, 2)
	r := domain.Range{Start: whole.Start, End: whole.End.Add(-time.Hour)}
	first := domain.BlockState{Index: 0, Rows: 5, Version: version(1)}
	cut := domain.BlockState{Index: 1, Rows: 5, Version: version(2)}
	grown := domain.BlockState{Index: 1, Rows: 6, Version: version(3)}
	before := &domain.SeriesState{Version: version(2), Coverage: []domain.Range{whole}, Blocks: []domain.BlockState{first, cut}, Tail: []uint64{2}}
	c := s.Advance(before, r, 7, true)
	state := func(coverage []domain.Range, tail []uint64, blocks ...domain.BlockState) *domain.SeriesState {
		return &domain.SeriesState{Version: version(3), Coverage: coverage, Blocks: blocks, Tail: tail}
	}
	covered, part := []domain.Range{whole}, []domain.Range{{Start: whole.Start, End: r.End.Add(-time.Minute)}}
	for name, of := range map[string]struct {
		state *domain.SeriesState
		last  uint64
		holds bool
	}{
		"the same version":                  {before, 7, true},
		"another version, nothing changed":  {state(covered, []uint64{2}, first, cut), 7, true},
		"a row behind":                      {state(covered, []uint64{3, 2}, first, grown), 7, true},
		"a row behind the last, in range":   {state(covered, []uint64{3, 2}, first, grown), 8, false},
		"the cut block changed":             {state(covered, []uint64{3}, first, grown), 7, false},
		"a tail of another block":           {state(covered, []uint64{3, 2}, first, grown, domain.BlockState{Index: 2, Rows: 1, Version: version(3)}), 7, false},
		"a whole block changed":             {state(covered, []uint64{2}, domain.BlockState{Index: 0, Rows: 5, Version: version(3)}, cut), 7, false},
		"a whole block lost":                {state(covered, []uint64{2}, cut), 7, false},
		"coverage lost":                     {state(part, []uint64{2}, first, cut), 7, false},
		"the first block of another number": {state(covered, []uint64{2}, domain.BlockState{Index: -1, Rows: 5, Version: version(1)}, cut), 7, false},
	} {
		if got := c.HoldsIn(of.state, of.last); got != of.holds {
			t.Errorf("%s: %t, want %t", name, got, of.holds)
		}
	}

	all := s.Advance(before, r, 7, false) // of all rows, because the store has no tails
	if !all.HoldsIn(state(covered, nil, first, grown), 7) || all.HoldsIn(state(covered, nil, first, grown), 8) {
		t.Error("without a tail, the hash of the rows does not decide")
	}
}
