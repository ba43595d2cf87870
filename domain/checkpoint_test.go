package domain

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHashTicks says that the hash of ticks depends on every field, on each tick, and not on the scale of the numbers.
func TestHashTicks(t *testing.T) {
	t.Parallel()
	base := Quote{
		Time: utc("2018-04-04T00:00:00Z"), Seq: 1,
		Bid: MustDecimal("1"), Ask: MustDecimal("2"), BidSize: MustDecimal("3"), AskSize: MustDecimal("4"),
	}
	hashOf := func(ticks ...Quote) uint64 { return HashTicks(must(NewTicks("BTC/USD", ticks...))) }
	want := hashOf(base)
	for name, alter := range map[string]func(*Quote){
		"time":     func(q *Quote) { q.Time = q.Time.Add(time.Microsecond) },
		"sequence": func(q *Quote) { q.Seq++ },
		"bid":      func(q *Quote) { q.Bid = MustDecimal("1.1") },
		"ask":      func(q *Quote) { q.Ask = MustDecimal("1") },
		"bid size": func(q *Quote) { q.BidSize = MustDecimal("4") },
		"ask size": func(q *Quote) { q.AskSize = MustDecimal("3") },
	} {
		altered := base
		alter(&altered)
		if hashOf(altered) == want {
			t.Errorf("%s: the hash is the same", name)
		}
	}

	trade := Trade{Time: base.Time, Price: base.Bid, Size: base.Ask, Side: SideBuy}
	sold := trade
	sold.Side = SideSell
	if HashTicks(must(NewTicks("BTC/USD", trade))) == HashTicks(must(NewTicks("BTC/USD", sold))) {
		t.Error("side: the hash is the same")
	}

	later := base
	later.Seq, later.Bid = 2, MustDecimal("1.25")
	if got := hashOf(base, later); got != want+hashOf(later) {
		t.Errorf("the hash of two is %x, want the sum of %x and %x", got, want, hashOf(later))
	}
}

// TestCheckpointOfMorePages says that a checkpoint that is carried from page to page equals one of all pages at once.
func TestCheckpointOfMorePages(t *testing.T) {
	check(t, func(t *rapid.T) {
		s := SeriesCheckpoint{Store: "test", Grid: Minute1.UTC()}
		layout := s.Layout()
		state := &SeriesState{Version: Version{Revision: 9, Nonce: 9}}
		for i := range int64(6) {
			if rapid.Bool().Draw(t, "has rows") {
				state.Blocks = append(state.Blocks, BlockState{Index: i, Rows: 1, Version: Version{Revision: 1, Nonce: rapid.Uint64().Draw(t, "nonce")}})
			}
		}
		whole := layout.Range(0, 6)
		state.Coverage = []Range{{whole.Start, whole.Start.Add(time.Hour)}, {whole.Start.Add(2 * time.Hour), whole.End}}

		start := whole.Start.Add(time.Duration(rapid.IntRange(0, 4096).Draw(t, "start")) * time.Minute)
		r, carried := Range{start, start}, s
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
	s := SeriesCheckpoint{Grid: Minute1.UTC()}
	whole := s.Layout().Range(0, 2)
	r := Range{whole.Start, whole.End.Add(-time.Hour)}
	first := BlockState{Index: 0, Rows: 5, Version: Version{1, 1}}
	cut := BlockState{Index: 1, Rows: 5, Version: Version{2, 2}}
	grown := BlockState{Index: 1, Rows: 6, Version: Version{3, 3}}
	before := &SeriesState{Version: Version{2, 2}, Coverage: []Range{whole}, Blocks: []BlockState{first, cut}, Tail: []uint64{2}}
	c := s.Advance(before, r, 7, true)
	state := func(coverage []Range, tail []uint64, blocks ...BlockState) *SeriesState {
		return &SeriesState{Version: Version{3, 3}, Coverage: coverage, Blocks: blocks, Tail: tail}
	}
	covered, part := []Range{whole}, []Range{{whole.Start, r.End.Add(-time.Minute)}}
	for name, of := range map[string]struct {
		state *SeriesState
		last  uint64
		holds bool
	}{
		"the same version":                  {before, 7, true},
		"another version, nothing changed":  {state(covered, []uint64{2}, first, cut), 7, true},
		"a row behind":                      {state(covered, []uint64{3, 2}, first, grown), 7, true},
		"a row behind the last, in range":   {state(covered, []uint64{3, 2}, first, grown), 8, false},
		"the cut block changed":             {state(covered, []uint64{3}, first, grown), 7, false},
		"a tail of another block":           {state(covered, []uint64{3, 2}, first, grown, BlockState{2, 1, Version{3, 3}}), 7, false},
		"a whole block changed":             {state(covered, []uint64{2}, BlockState{0, 5, Version{3, 3}}, cut), 7, false},
		"a whole block lost":                {state(covered, []uint64{2}, cut), 7, false},
		"coverage lost":                     {state(part, []uint64{2}, first, cut), 7, false},
		"the first block of another number": {state(covered, []uint64{2}, BlockState{-1, 5, Version{1, 1}}, cut), 7, false},
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
