package access

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ErrStateChanged is the error of a request that found two states of one series. It wraps ports.ErrConflict.
var ErrStateChanged = fmt.Errorf("the data changed while it was read; repeat the request: %w", ports.ErrConflict)

// Continuity holds the reads of one series by one request to one state: a later read may see a newer state only if
// nothing changed in the ranges that were read before. Where they end with a row, rows may have been added behind the
// last one of its block. The zero value with a Layout is ready for the first read. It is
// for one goroutine.
type Continuity struct {
	Layout domain.BlockLayout
	Fresh  bool // the cache was told to ask the store

	state     *domain.SeriesState // of the last read, with the blocks of all that was read
	read      domain.Range        // from the first to the last instant that was read
	endsAtRow bool                // read ends with a row
	isMixed   bool                // the reads saw several versions
}

// Query returns the parts of the state that the next read needs.
func (c *Continuity) Query() ports.StateQuery {
	if c.state == nil {
		return ports.StateQuery{}
	}

	return ports.StateQuery{Range: c.read, Known: c.state.Version}
}

// State returns the state of the last read, nil before one, with the blocks of all that was read, and the range from
// the first to the last instant that was read.
func (c *Continuity) State() (*domain.SeriesState, domain.Range) { return c.state, c.read }

// EndsAtRow reports whether the reads end at the instant, and with a row.
func (c *Continuity) EndsAtRow(at time.Time) bool { return c.endsAtRow && c.read.End.Equal(at) }

// AddStep is Add for a read of r that is not held to the state of the reads before it. If their versions differ, the
// state of all has no version, and the first version of each block.
func (c *Continuity) AddStep(state *domain.SeriesState, r domain.Range) {
	if c.state == nil {
		c.state = state
	}

	c.isMixed = c.isMixed || c.state.Version != state.Version
	if c.isMixed {
		c.state = &domain.SeriesState{Coverage: state.Coverage, Blocks: c.state.Blocks}
	}
	c.state = c.state.WithBlocks(state.Blocks)
	c.read, c.endsAtRow = c.read.Hull(r), false
}

// Add records a read of r that saw the state, and returns the state with the blocks of all that was read. endsAtRow
// says that r ends with the last row that was read, because the read was limited. Add returns ErrStateChanged where a
// range that was read before changed.
func (c *Continuity) Add(state *domain.SeriesState, r domain.Range, endsAtRow bool) (*domain.SeriesState, error) {
	switch {
	case c.isMixed:
		c.AddStep(state, r)
		return c.state, nil
	case c.state == nil:
		c.state = state
	case c.state.Version == state.Version:
		c.state = c.state.WithBlocks(state.Blocks)
	case c.holdsIn(state):
		c.state = state
	default:
		return nil, ErrStateChanged
	}

	switch r.End.Compare(c.read.End) {
	case 0:
		c.endsAtRow = c.endsAtRow && endsAtRow
	case 1:
		c.endsAtRow = endsAtRow
	}
	c.read = c.read.Hull(r)

	return c.state, nil
}

// holdsIn reports whether all that was read holds in another state.
func (c *Continuity) holdsIn(state *domain.SeriesState) bool {
	if c.endsAtRow {
		return c.state.ExtendedBy(state, c.Layout, c.read)
	}

	return c.state.SameWithin(state, c.Layout, c.read)
}
