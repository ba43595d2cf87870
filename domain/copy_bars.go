package domain

// CopyBars sets dst to the first bars, as many as fit, and returns how many: for a loop that wants bars rather than
// columns of many series in turns, since a bar at a time would jump between the columns of them all.
func (s Series) CopyBars(dst []Bar) int {
	n := min(len(dst), s.Len())
	for i := range n {
		s.block.read(s.from+i, &dst[i])
	}
	return n
}
