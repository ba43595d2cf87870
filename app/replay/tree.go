package replay

import "math"

// place is where the next bar of a series stands in the order of events: the bar's end in seconds since 1970 above the number of the
// series. The ends of bars are whole seconds, so that places compare as integers do, without a branch.
type place int64

const (
	seriesBits = 24
	maxSeries  = 1 << seriesBits

	never place = math.MaxInt64 // of a series that has no bar left
)

func placeOf(end int64, series int) place {
	const microsPerSecond = 1_000_000
	return place(end/microsPerSecond<<seriesBits | int64(series))
}

func (p place) series() int { return int(p & (maxSeries - 1)) }

// instant is the bar's end in seconds since 1970.
func (p place) instant() int64 { return int64(p >> seriesBits) }

// tree is a loser tree: it keeps the series whose bar comes next and finds the one after it with one comparison a level.
type tree struct {
	lost  []place // lost[i] is what lost at node i; the nodes from len(lost) on are the series
	first place
}

// newTree takes the place of every series, in order.
func newTree(places []place) *tree {
	n := len(places)
	t := &tree{lost: make([]place, n)}
	won := append(make([]place, n), places...)
	for i := n - 1; i > 0; i-- {
		a, b := won[2*i], won[2*i+1]
		won[i], t.lost[i] = min(a, b), max(a, b)
	}
	t.first = won[1]
	return t
}

// replace puts the series that is first to its next place.
func (t *tree) replace(series int, next place) {
	for i := (series + len(t.lost)) / 2; i > 0; i /= 2 {
		l := t.lost[i]
		t.lost[i], next = max(l, next), min(l, next)
	}
	t.first = next
}
