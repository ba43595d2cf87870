package replay

import "math"

// never is the end of a series that has no bar left.
const never = math.MaxInt64

// tree is a loser tree: it keeps the series whose next bar ends first, at one instant the one of the smaller number, and finds the
// next with one comparison a level.
type tree struct {
	ends []int64 // of the next bar of each series, in microseconds since 1970
	lost []int32 // lost[i] is who lost at node i; the leaves are the nodes from len(ends) on
	won  int32
}

func newTree(ends []int64) *tree {
	n := len(ends)
	t := &tree{ends: ends, lost: make([]int32, n)}
	winners := make([]int32, 2*n)
	for i := range n {
		winners[n+i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		a, b := winners[2*i], winners[2*i+1]
		if t.before(b, a) {
			a, b = b, a
		}
		winners[i], t.lost[i] = a, b
	}
	t.won = winners[1]
	return t
}

// before reports whether the next bar of series a comes before that of b.
func (t *tree) before(a, b int32) bool {
	return t.ends[a] < t.ends[b] || t.ends[a] == t.ends[b] && a < b
}

// first is the series whose bar comes next, and that bar's end.
func (t *tree) first() (series int, end int64) { return int(t.won), t.ends[t.won] }

// end is when the series' next bar ends.
func (t *tree) end(series int) int64 { return t.ends[series] }

// set moves the series that is first on to the end of its next bar.
func (t *tree) set(series int, end int64) {
	t.ends[series] = end
	w := int32(series)
	for i := (series + len(t.ends)) / 2; i > 0; i /= 2 {
		if l := t.lost[i]; t.before(l, w) {
			t.lost[i], w = w, l
		}
	}
	t.won = w
}
