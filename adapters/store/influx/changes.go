package influx

import (
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// changes are the writes and deletions that turn stored bars into other bars. Indices refer to the other bars.
type changes struct {
	report    ports.WriteReport
	overwrite []int // the bars at times with another stored bar
	insert    []int // the bars at times without a stored bar
	erase     span  // is deleted first; the zero span deletes nothing
	restore   []int // the bars in erase, written again after the deletion

	surplus []int // indices of the stored bars without a counterpart
}

// isEmpty reports whether nothing has to be written or deleted.
func (c changes) isEmpty() bool {
	return len(c.overwrite)+len(c.insert)+len(c.restore) == 0 && c.erase == (span{})
}

// diff returns the changes that make every bar of bars a stored one. It deletes nothing.
func diff(stored, bars domain.Series) changes {
	var c changes
	at := 0 // index of the next stored bar
	for i, bar := range bars.All() {
		for ; at < stored.Len() && stored.OpenTime(at).Before(bar.OpenTime); at++ {
			c.surplus = append(c.surplus, at)
		}
		if at == stored.Len() || stored.OpenTime(at).After(bar.OpenTime) {
			c.insert = append(c.insert, i)
			continue
		}

		if stored.At(at).Equal(bar) {
			c.report.Unchanged++
		} else {
			c.overwrite = append(c.overwrite, i)
		}
		at++
	}

	for ; at < stored.Len(); at++ {
		c.surplus = append(c.surplus, at)
	}
	c.report.Inserted, c.report.Changed = len(c.insert), len(c.overwrite)

	return c
}

// resolve returns the changes to the bars under a conflict policy.
func (c changes) resolve(bars domain.Series, onConflict ports.ConflictPolicy) (changes, error) {
	n := len(c.overwrite)
	switch {
	case n == 0 || onConflict == ports.ConflictReplace:
		return c, nil
	case onConflict == ports.ConflictFail:
		return changes{}, &ports.ConflictError{Rows: n, First: bars.OpenTime(c.overwrite[0])}
	}

	c.overwrite = nil
	c.report.Changed, c.report.Kept = 0, n

	return c, nil
}

// withDeletions returns the changes with the deletion of the surplus bars: one span from the first to the last of them,
// and the bars between them written again.
func (c changes) withDeletions(stored, bars domain.Series) changes {
	c.report.Deleted = len(c.surplus)
	if len(c.surplus) == 0 {
		return c
	}

	first, last := stored.OpenTime(c.surplus[0]), stored.OpenTime(c.surplus[len(c.surplus)-1])
	isErased := func(i int) bool { return bars.OpenTime(i).After(first) && bars.OpenTime(i).Before(last) }
	c.insert = slices.DeleteFunc(c.insert, isErased)
	for i := range bars.Len() {
		if isErased(i) {
			c.restore = append(c.restore, i)
		}
	}
	c.erase = span{start: first.UnixNano(), end: last.UnixNano() + 1}

	return c
}
