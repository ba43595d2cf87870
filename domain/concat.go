package domain

// ConcatSeries returns the pieces as one Series, or empty where there is no piece. Pieces must be of the key of empty,
// ascending and disjoint. A single piece is returned as it is; several are copied into one block of exactly the bars
// they have.
func ConcatSeries(empty Series, pieces []Series) (Series, error) {
	switch len(pieces) {
	case 0:
		return empty, nil
	case 1:
		return pieces[0], nil
	}

	bars := 0
	for _, p := range pieces {
		bars += p.Len()
	}
	b := NewSeriesBuilder(empty.key, bars)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			return Series{}, err
		}
	}

	return b.Series()
}

// ConcatTicks returns the pieces as one Ticks, under the rules of ConcatSeries.
func ConcatTicks[T Tick](empty Ticks[T], pieces []Ticks[T]) (Ticks[T], error) {
	switch len(pieces) {
	case 0:
		return empty, nil
	case 1:
		return pieces[0], nil
	}

	b := NewTicksBuilder[T](empty.symbol)
	for _, p := range pieces {
		if err := b.AppendTicks(p); err != nil {
			return empty, err
		}
	}

	return b.Ticks()
}
