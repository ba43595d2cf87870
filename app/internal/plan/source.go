package plan

import (
	"cmp"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Source describes one store to a plan. Names are unique.
type Source struct {
	Name     domain.StoreName
	Priority int                 // where two sources have the same row, the smaller goes first
	Bars     []domain.Extent     // of bars that may be read from the source, in any order; other series are ignored
	Ticks    []domain.TickExtent // in any order; other symbols are ignored
	Rate     Rate
}

// compareSources orders sources that have the same row by which is read first.
func compareSources(a, b *Source) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
}

// Rate is the measured speed of a source. It estimates how long a plan takes and never chooses between plans. The zero
// value means not measured.
type Rate struct {
	PerQuery      time.Duration // before the first row of a query
	RowsPerSecond float64
}

// estimate returns the time to read the rows in one query; 0 where the rate was not measured.
func (r Rate) estimate(rows int64) time.Duration {
	if r.RowsPerSecond <= 0 {
		return 0
	}

	return r.PerQuery + time.Duration(float64(rows)/r.RowsPerSecond*float64(time.Second))
}
