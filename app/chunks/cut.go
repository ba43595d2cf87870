package chunks

import (
	"math"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// fixedBars is the length of a chunk where all bars are of one length.
	fixedBars = 4096

	// calendarBars is the length of a chunk in mean bars elsewhere. Days and months that are shorter than the mean, or a zone's change
	// of clocks, let a few more begin in it, never 4096.
	calendarBars = 4000
)

// Data has years from 1 to 9999.
var (
	earliest = domain.MicrosFloor(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	latest   = domain.MicrosFloor(time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC))
)

// cut says where the chunks of a series begin: chunk i is [i*length, (i+1)*length) in microseconds since 1970, whatever edges the
// grid has.
type cut struct{ length int64 }

func cutOf(g domain.Grid) cut {
	f := g.Frequency()
	bars := int64(fixedBars)
	if f.Unit() == domain.Month || f.Unit() >= domain.Day && g.Zone() != "" {
		bars = calendarBars
	}
	bar := f.Nominal().Microseconds()

	return cut{bar * min(bars, int64(latest-earliest)/bar+1)} // bars of many years would overflow
}

// index is the number of the chunk in which what opens then lies.
func (c cut) index(at domain.Micros) int64 {
	i := int64(at) / c.length
	if int64(at)%c.length < 0 {
		i--
	}

	return i
}

// span is the numbers of the chunks that r touches: from the first up to, not including, the last.
func (c cut) span(r domain.Range) (from, to int64) {
	if r.Empty() {
		return 0, 0
	}
	start, end := r.Micros()

	return c.index(start), c.index(end-1) + 1
}

// bounds is the range of chunk i.
func (c cut) bounds(i int64) (start, end domain.Micros) {
	if i >= math.MaxInt64/c.length || i <= math.MinInt64/c.length {
		return latest, latest
	}
	return max(domain.Micros(i*c.length), earliest), min(domain.Micros((i+1)*c.length), latest)
}

func rangeOf(start, end domain.Micros) domain.Range {
	return domain.Range{Start: start.Time(), End: end.Time()}
}

// key is the cache's key of chunk i.
func (s *Store) key(series domain.SeriesKey, c cut, i int64) ports.ChunkKey {
	start, end := c.bounds(i)
	return ports.ChunkKey{Store: s.cfg.Name, Series: series, Start: start, End: end}
}
