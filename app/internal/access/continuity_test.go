package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// day is from one day of January 2024 to another; ticks have a block for each day.
func day(from, to int) domain.Range {
	return domain.Range{
		Start: time.Date(2024, 1, from, 0, 0, 0, 0, time.UTC), End: time.Date(2024, 1, to, 0, 0, 0, 0, time.UTC),
	}
}

// stateOf is a state with a block for each day from the 1st on, of the versions given.
func stateOf(version int64, covered domain.Range, blocks ...int64) *domain.SeriesState {
	s := &domain.SeriesState{Version: domain.Version{Revision: version, Nonce: 1}, Coverage: []domain.Range{covered}}
	first := domain.TickBlocks().Index(domain.MicrosFloor(day(1, 2).Start))
	for i, b := range blocks {
		block := domain.BlockState{Index: first + int64(i), Rows: 1, Version: domain.Version{Revision: b, Nonce: 1}}
		s.Blocks = append(s.Blocks, block)
	}

	return s
}

func TestContinuity(t *testing.T) {
	t.Parallel()
	before := stateOf(3, day(1, 4), 1, 2, 3)
	for name, c := range map[string]struct {
		next    *domain.SeriesState
		changed bool
	}{
		"the same version, whose parts are left out": {&domain.SeriesState{Version: before.Version}, false},
		"a change after the range that was read":     {stateOf(4, day(1, 4), 1, 2, 4), false},
		"more coverage after it":                     {stateOf(4, day(1, 9), 1, 2, 3), false},
		"a change in the range":                      {stateOf(4, day(1, 4), 1, 4, 3), true},
		"a deletion in the range":                    {stateOf(4, day(1, 4), 1), true},
		"less coverage in the range":                 {stateOf(4, day(2, 4), 1, 2, 3), true},
		"a restore with another write":               {restored(before), true},
	} {
		reads := access.Continuity{Layout: domain.TickBlocks()}
		if q := reads.Query(); q != (ports.StateQuery{}) {
			t.Errorf("%s: the first query is %+v", name, q)
		}
		if got, err := reads.Add(before, day(1, 3), false); err != nil || got != before {
			t.Fatalf("%s: the first read gave %+v, %v", name, got, err)
		}
		if q := reads.Query(); q.Known != before.Version || !q.Range.Equal(day(1, 3)) {
			t.Errorf("%s: the second query is %+v", name, q)
		}

		got, err := reads.Add(c.next, day(3, 4), false)
		if changed := errors.Is(err, access.ErrStateChanged) && errors.Is(err, ports.ErrConflict); changed != c.changed {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && len(got.Coverage) == 0 {
			t.Errorf("%s: the state has no coverage", name)
		}
	}
}

// tailed returns the state with the nonces of the versions of its last block.
func tailed(s *domain.SeriesState, nonces ...uint64) *domain.SeriesState {
	s.Tail = nonces
	return s
}

// Behind a row that ends what was read, the block of that row may get more rows, as long as its tail tells so.
func TestContinuityBehindARow(t *testing.T) {
	t.Parallel()
	appended := func(version int64, covered domain.Range, nonce uint64, blocks ...int64) *domain.SeriesState {
		s := stateOf(version, covered, blocks...)
		s.Blocks[len(blocks)-1].Version.Nonce = nonce

		return s
	}
	for name, c := range map[string]struct {
		next      *domain.SeriesState
		endsAtRow bool
		changed   bool
	}{
		"rows behind it":                 {tailed(appended(4, day(1, 9), 2, 1, 4), 2, 1), true, false},
		"rows behind the end of a range": {tailed(appended(4, day(1, 9), 2, 1, 4), 2, 1), false, true},
		"another change":                 {tailed(appended(4, day(1, 9), 2, 1, 4), 2), true, true},
		"and a change before it":         {tailed(appended(4, day(1, 9), 2, 4, 4), 2, 1), true, true},
		"and less coverage before it":    {tailed(appended(4, day(2, 9), 2, 1, 4), 2, 1), true, true},
		"and a block that is gone":       {tailed(appended(4, day(1, 9), 2, 1), 2, 1), true, true},
		"the tail of a later block":      {tailed(appended(4, day(1, 9), 2, 1, 4, 4), 2, 1), true, true},
	} {
		reads := access.Continuity{Layout: domain.TickBlocks()}
		if _, err := reads.Add(stateOf(3, day(1, 9), 1, 2), day(1, 3), c.endsAtRow); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := reads.Add(c.next, day(3, 4), false); errors.Is(err, access.ErrStateChanged) != c.changed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// restored is another state of the same revision.
func restored(s *domain.SeriesState) *domain.SeriesState {
	other := *s
	other.Version.Nonce = 2
	other.Blocks = []domain.BlockState{s.Blocks[0], s.Blocks[1], s.Blocks[2]}
	other.Blocks[1].Version.Nonce = 2

	return &other
}
