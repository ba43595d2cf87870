package domain

// CopyBars copies the first bars into dst, as many as fit, and returns their number. A loop that visits the bars of
// many series in turn should copy them in blocks, because reading one bar at a time jumps between the columns of all
// series.
func (s Series) CopyBars(dst []Bar) int {
	n := min(len(dst), s.Len())
	for i := range n {
		s.block.fill(s.from+i, &dst[i])
	}

	return n
}
