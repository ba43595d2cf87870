package domain

// EndTimes appends the end of every bar to dst, in microseconds since 1970: the instants from which on the bars are
// known.
func (s Series) EndTimes(dst []int64) []int64 {
	if s.block == nil {
		return dst
	}

	times := s.block.OpenMicros[s.from:s.to]
	if step, _, fixed := s.key.Grid.fixed(); fixed {
		for _, t := range times {
			dst = append(dst, t+step)
		}
		return dst
	}

	for _, t := range times {
		dst = append(dst, microsFloor(s.key.Grid.Next(fromMicros(t))))
	}
	return dst
}
