package domain

// ConcatSeries joins the pieces into one Series; it returns empty if there is no piece. The pieces must have the key of
// empty, and each must begin after the end of the previous one, or ConcatSeries returns an error. It returns a single
// piece without a copy, and copies several pieces into one block of exactly the needed size.
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

// ConcatTicks joins the pieces into one Ticks, under the rules of ConcatSeries.
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
