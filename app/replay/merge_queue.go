package replay

import (
	"math"
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// never is the instant of a series that has no bar left.
const never domain.Micros = math.MaxInt64

// mergeQueue merges the series by the instants at which their next bars end. It is the tree of a k-way merge, as a
// loser tree is: a tournament of fan entries a match, except that an entry stores the winner (the earliest instant) of
// the match below it, because several series often share the earliest instant and next must find all of them.
//
// next visits the series of one instant in their order and skips every subtree without one. Many series of one instant
// therefore cost a few comparisons each, and a single one costs one match on each level.
//
// INVARIANT: levels[0][i] is the instant of series i; levels[n+1][i] is the minimum of levels[n][i*fan:(i+1)*fan].
type mergeQueue struct {
	levels [][]domain.Micros
}

const fan = 16

// newMergeQueue returns the queue of the series with these instants, which it owns from now on.
func newMergeQueue(instants []domain.Micros) *mergeQueue {
	q := &mergeQueue{levels: [][]domain.Micros{instants}}
	for len(instants) > fan {
		var least []domain.Micros
		for group := range slices.Chunk(instants, fan) {
			least = append(least, slices.Min(group))
		}

		q.levels = append(q.levels, least)
		instants = least
	}

	return q
}

// first returns the earliest of all instants, never if no series has a bar.
func (q *mergeQueue) first() domain.Micros { return slices.Min(q.levels[len(q.levels)-1]) }

// next calls advance for each series at the instant now, in order, and stores the later instant that advance returns.
// It returns the earliest of all instants afterwards.
func (q *mergeQueue) next(now domain.Micros, advance func(series int) domain.Micros) domain.Micros {
	top := len(q.levels) - 1
	return q.nextWithin(top, 0, len(q.levels[top]), now, advance)
}

// nextWithin is next for the entries [from, to) of a level and the subtrees below them.
func (q *mergeQueue) nextWithin(
	level, from, to int, now domain.Micros, advance func(series int) domain.Micros,
) domain.Micros {
	least := never
	for i, at := range q.levels[level][from:to] {
		if at == now {
			i += from
			if level == 0 {
				at = advance(i)
			} else {
				at = q.nextWithin(level-1, i*fan, min((i+1)*fan, len(q.levels[level-1])), now, advance)
			}

			q.levels[level][i] = at
		}

		least = min(least, at)
	}

	return least
}
