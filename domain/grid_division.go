package domain

// Divides reports whether every edge of coarse in r, and the end of the last coarse bar that opens in r, is an edge of
// g. If so, the bars of coarse in r can be resampled from bars of g.
func (g Grid) Divides(coarse Grid, r Range) bool {
	step, origin, fixed := g.uniformStep()
	coarseStep, coarseOrigin, coarseFixed := coarse.uniformStep()
	if fixed && coarseFixed {
		return coarseStep%step == 0 && int64(coarseOrigin-origin)%step == 0
	}

	for edge := coarse.Floor(r.Start); ; edge = coarse.Next(edge) {
		if !g.Aligned(edge) {
			return false
		}
		if !edge.Before(r.End) {
			return true
		}
	}
}

// AlignInward returns the part of r that whole bars of the grid fill, from the first edge in r to the last. It is empty
// if no whole bar fits.
func (g Grid) AlignInward(r Range) Range {
	whole := Range{Start: g.Ceil(r.Start), End: g.Floor(r.End)}
	if whole.Empty() {
		return Range{}
	}

	return whole
}

// DivisibleRanges returns the parts of r whose coarse bars can be resampled from bars of g: ascending, disjoint and not
// touching. It checks each coarse bar, because the result may change over time: hours divide the days of a zone only
// while its offset from UTC is a whole number of hours.
func (g Grid) DivisibleRanges(coarse Grid, r Range) []Range {
	whole := coarse.AlignInward(r)
	if whole.Empty() {
		return nil
	}

	_, _, fixed := g.uniformStep()
	_, _, coarseFixed := coarse.uniformStep()
	if fixed && coarseFixed {
		if !g.Divides(coarse, whole) {
			return nil
		}
		return []Range{whole}
	}

	var runs []Range
	open, aligned := whole.Start, g.Aligned(whole.Start)
	for open.Before(whole.End) {
		end := coarse.Next(open)
		endAligned := g.Aligned(end)
		if aligned && endAligned {
			if n := len(runs); n > 0 && runs[n-1].End.Equal(open) {
				runs[n-1].End = end
			} else {
				runs = append(runs, Range{Start: open, End: end})
			}
		}

		open, aligned = end, endAligned
	}

	return runs
}
