package replay

import (
	"math"
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// never is the instant of a series that has no bar left.
const never domain.Micros = math.MaxInt64

// agenda knows when the next bar of each series ends. It is a tree of minima, the series in order below it, so that a
// walk through it comes by those of one instant in order, and by no part of it that holds none: many of one instant
// cost little each, one among many costs a step a level.
type agenda struct {
	levels [][]domain.Micros // the series' instants; each entry of the next level is the least of so many as fan here
}

const fan = 16

// newAgenda takes over the instant of every series.
func newAgenda(instants []domain.Micros) *agenda {
	a := &agenda{levels: [][]domain.Micros{instants}}
	for len(instants) > fan {
		var least []domain.Micros
		for group := range slices.Chunk(instants, fan) {
			least = append(least, slices.Min(group))
		}
		a.levels = append(a.levels, least)
		instants = least
	}

	return a
}

// first is the least of all instants.
func (a *agenda) first() domain.Micros { return slices.Min(a.levels[len(a.levels)-1]) }

// turn puts the series of the instant now, in order, to the instants that next returns, which are later, and returns
// the least of all instants then.
func (a *agenda) turn(now domain.Micros, next func(series int) domain.Micros) domain.Micros {
	top := len(a.levels) - 1
	return a.walk(top, 0, len(a.levels[top]), now, next)
}

// walk is turn for the entries from and to of a level.
func (a *agenda) walk(level, from, to int, now domain.Micros, next func(series int) domain.Micros) domain.Micros {
	least := never
	for i, at := range a.levels[level][from:to] {
		if at == now {
			i += from
			if level == 0 {
				at = next(i)
			} else {
				at = a.walk(level-1, i*fan, min((i+1)*fan, len(a.levels[level-1])), now, next)
			}

			a.levels[level][i] = at
		}
		least = min(least, at)
	}

	return least
}
