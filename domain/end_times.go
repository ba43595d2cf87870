package domain

// EndTimes appends the end of every bar to dst. A bar is closed, and may be seen, from its end on.
func (s Series) EndTimes(dst []Micros) []Micros {
	if s.block == nil {
		return dst
	}

	times := s.block.OpenMicros[s.from:s.to]
	if step, _, fixed := s.key.Grid.uniformStep(); fixed {
		for _, t := range times {
			dst = append(dst, Micros(t+step))
		}
		return dst
	}

	for _, t := range times {
		dst = append(dst, MicrosFloor(s.key.Grid.Next(Micros(t).Time())))
	}

	return dst
}
