package seriescache

import (
	"math"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// need returns how many bars the query wants at most.
func (r *reading) need() int {
	if limit := max(r.query.First, r.query.Last); limit > 0 {
		return limit
	}

	return math.MaxInt
}

// nearestRange returns the range whose blocks are needed first: all, or those nearest to the end of First or Last.
func (r *reading) nearestRange() domain.Range { return r.nearest(r.query.Range, r.need(), 1) }

// nearest returns the part of open, at the end that is read first, in which so many bars lie if no slot is empty, and
// size blocks more.
func (r *reading) nearest(open domain.Range, bars int, size int64) domain.Range {
	if bars == math.MaxInt {
		return open
	}

	start, end := open.Micros()
	from, to := r.layout.Span(open)
	slots := domain.Micros(r.query.Key.Grid.Frequency().Nominal().Microseconds()) * domain.Micros(bars)
	if r.query.Last > 0 {
		if slots < end-start {
			from = max(from, r.layout.Index(end-slots)-size)
		}
	} else if slots < end-start {
		to = min(to, r.layout.Index(start+slots)+1+size)
	}

	return r.layout.Range(from, to).Intersect(open)
}

// remainder returns the rest of open behind or before part, which lies at one end of it.
func (r *reading) remainder(open, part domain.Range) domain.Range {
	if r.query.Last > 0 {
		open.End = part.Start
	} else {
		open.Start = part.End
	}

	return open
}

// limit returns the bars of the pieces that the query wants, at most need of its first or last ones, and how many more
// are needed. It changes the pieces.
func (r *reading) limit(pieces []blockcache.Bars, need int) ([]blockcache.Bars, int) {
	if r.query.Last > 0 {
		slices.Reverse(pieces)
	}
	n := 0
	for _, p := range pieces {
		bars := p.Bars.Clip(r.query.Range)
		taken := min(need, bars.Len())
		if p.Bars = bars.Slice(0, taken); r.query.Last > 0 {
			p.Bars = bars.Slice(bars.Len()-taken, bars.Len())
		}
		if taken > 0 {
			need -= taken
			pieces[n] = p
			n++
		}
	}
	pieces = pieces[:n]
	if r.query.Last > 0 {
		slices.Reverse(pieces)
	}

	return pieces, need
}
