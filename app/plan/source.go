package plan

import (
	"cmp"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Source is what is known of one store when a plan is made. Names are unique.
type Source struct {
	Name     string
	Priority int                         // where two sources hold the same row, the smaller goes first
	Takes    func(domain.Frequency) bool // whether routing by frequency sends bars of that length here; nil is always
	Bars     []domain.Extent             // in any order; those of other series are passed over
	Ticks    []domain.TickExtent         // in any order; those of other symbols are passed over
	Rate     Rate
}

// takes reports whether routing by frequency sends the grid's bars here.
func (s *Source) takes(g domain.Grid) bool { return s.Takes == nil || s.Takes(g.Frequency()) }

// compare orders sources by who is asked for a row that both hold; routed is whether routing sends the row there.
func compare(a *Source, aRouted bool, b *Source, bRouted bool) int {
	if aRouted != bRouted {
		if aRouted {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
}

// Rate is how fast a source was measured to answer. It tells how long a plan will take and never chooses between plans. The zero
// value is not measured.
type Rate struct {
	PerQuery      time.Duration // what a query costs before its first row
	RowsPerSecond float64
}

// expected is how long it takes to read so many rows in one query; 0 where nobody knows.
func (r Rate) expected(rows int64) time.Duration {
	if r.RowsPerSecond <= 0 {
		return 0
	}
	return r.PerQuery + time.Duration(float64(rows)/r.RowsPerSecond*float64(time.Second))
}
