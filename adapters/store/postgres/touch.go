package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.BarToucher = (*Store)(nil)

// TouchBars implements ports.BarToucher. It counts the stored bars of all blocks.
func (s *Store) TouchBars(ctx context.Context, key domain.SeriesKey) error {
	c := barChange("touch", domain.EmptySeries(key), domain.AllYears())
	c.deletes = true // a series that does not exist is not added
	if c.err = key.Validate(); c.err == nil {
		c.err = s.requireVersions(ctx)
	}
	if c.err == nil {
		changeSeries(ctx, s, touchOperation{c.table}, []*change{c})
	}
	_, err := c.result(ctx)

	return err
}

// touchOperation gives series and all their blocks a new version.
type touchOperation struct{ table *table }

func (o touchOperation) partitions([]*change) (string, []time.Time) { return o.table.name, nil }

func (o touchOperation) read([]*change) []step { return nil }

func (o touchOperation) apply(ctx context.Context, db session, changes []*change) ([]step, error) {
	w := &writer{db: db, table: o.table}
	var steps []step
	counted := make([]map[int64]block, len(changes))
	for i, c := range changes {
		counted[i] = map[int64]block{}
		steps = append(steps, w.countStored(c, c.knownBlocks(), counted[i]))
	}
	if err := db.pipeline(ctx, steps...); err != nil {
		return nil, err
	}

	for i, c := range changes {
		c.isTouched = true
		stored := byNumber(c.blocks)
		for _, number := range slices.Sorted(maps.Keys(counted[i])) {
			if b := counted[i][number]; b.rows > 0 {
				c.changedBlocks = append(c.changedBlocks, b)
			} else if stored[number].rows > 0 {
				c.emptyBlocks = append(c.emptyBlocks, number)
			}
		}
	}

	return nil, nil
}

// knownBlocks returns the numbers of the blocks that are stored or covered.
func (c *change) knownBlocks() []int64 {
	known := map[int64]bool{}
	for _, b := range c.blocks {
		known[b.number] = true
	}
	for _, r := range c.coverage {
		for from, to := c.layout.Span(r); from < to; from++ {
			known[from] = true
		}
	}

	return slices.Sorted(maps.Keys(known))
}
