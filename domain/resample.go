package domain

import (
	"fmt"
	"math/bits"
	"slices"
)

// Resampler makes the bars of one series from finer bars, trades or quotes, piece by piece. It returns a bar once a
// later piece shows that the bar is complete, and the last one from Flush. All returned pieces together equal the
// result for the whole input at once. A Resampler is for one goroutine.
//
// A bar has the open of its first part, the close of its last one, the exact sum of the volumes, and the sum of the
// trade counts. The sum is unknown if the count of a part with volume is unknown. A sum that does not fit, of volumes
// or of trade counts, is an error that wraps ErrOverflow.
type Resampler struct {
	key     SeriesKey
	pending Series // the last bar, which the next piece may extend; empty before the first
}

// NewResampler returns a Resampler for bars of key, or an error that wraps ErrInvalid if the key is invalid.
func NewResampler(key SeriesKey) (*Resampler, error) {
	return &Resampler{key: key, pending: EmptySeries(key)}, key.Validate()
}

// AddBars adds the next piece of finer bars and returns the bars that are complete. The piece must have the symbol and
// price type of the key, and its grid must divide that of the key; otherwise the error wraps ErrInvalid.
func (r *Resampler) AddBars(s Series) (Series, error) {
	if s.Len() == 0 {
		return EmptySeries(r.key), nil
	}
	sameInstrument := s.key.Symbol == r.key.Symbol && s.key.PriceType == r.key.PriceType
	if !sameInstrument || !s.key.Grid.Divides(r.key.Grid, s.Range()) {
		return Series{}, invalid("resampling", s.key.String(), "%s cannot be resampled from it", r.key)
	}

	c := s.Columns()

	return r.add(len(c.OpenMicros), c.OpenMicros, barAppender(&c))
}

// AddTrades adds the next piece of trades and returns the bars that are complete. The trades must have the symbol of
// the key, and the price type of the key must be PriceTrade; otherwise the error wraps ErrInvalid.
func (r *Resampler) AddTrades(t Trades) (Series, error) {
	if t.symbol != r.key.Symbol && t.Len() > 0 || r.key.PriceType != PriceTrade {
		return Series{}, invalid("trades", string(t.symbol), "%s cannot be aggregated from them", r.key)
	}
	if t.Len() == 0 {
		return EmptySeries(r.key), nil
	}

	c := t.block
	price, size := c.numbers[0].slice(t.from, t.to), c.numbers[1].slice(t.from, t.to)
	counts := slices.Repeat([]int64{1}, t.Len())
	columns := Columns{
		Open: price, High: price, Low: price, Close: price, PriceScale: c.scales[0],
		Volume: size, VolumeScale: c.scales[1], Trades: counts,
	}

	return r.add(t.Len(), c.timeMicros[t.from:t.to], barAppender(&columns))
}

// AddQuotes adds the next piece of quotes and returns the bars that are complete, which have no volume. The quotes
// must have the symbol of the key, and the price type of the key must be PriceBid, PriceAsk or PriceMid; otherwise the
// error wraps ErrInvalid. It wraps ErrOverflow if a mid price needs more than 18 digits after the point.
func (r *Resampler) AddQuotes(q Quotes) (Series, error) {
	if q.symbol != r.key.Symbol && q.Len() > 0 {
		return Series{}, invalid("quotes", string(q.symbol), "%s cannot be aggregated from them", r.key)
	}
	if q.Len() == 0 {
		return EmptySeries(r.key), nil
	}

	var price Column
	var scale uint8
	switch r.key.PriceType {
	case PriceBid:
		price, scale = q.block.numbers[0].slice(q.from, q.to), q.block.scales[0]
	case PriceAsk:
		price, scale = q.block.numbers[1].slice(q.from, q.to), q.block.scales[1]
	case PriceMid:
		var err error
		if price, scale, err = midColumn(q); err != nil {
			return Series{}, err
		}
	default:
		return Series{}, invalid("aggregation of quotes", r.key.String(), "the price type must be bid, ask or mid")
	}

	none := make([]int64, q.Len())
	columns := Columns{
		Open: price, High: price, Low: price, Close: price, PriceScale: scale, Volume: Column{Lo: none}, Trades: none,
	}

	return r.add(q.Len(), q.block.timeMicros[q.from:q.to], barAppender(&columns))
}

// midColumn returns the mean of bid and ask for each quote, with one more digit after the point if a mean needs it.
func midColumn(q Quotes) (Column, uint8, error) {
	scale := max(q.block.scales[0], q.block.scales[1])
	mids := Column{Lo: make([]int64, 0, q.Len())}
	for _, quote := range q.All() {
		mid, err := quote.Bid.mean(quote.Ask)
		if err != nil {
			return Column{}, 0, err
		}

		if mid.scale > scale {
			mids.rescale(scale, mid.scale)
			scale = mid.scale
		}

		mids.append(mid.withScale(scale))
	}

	return mids, scale, nil
}

// Flush returns the last bar, or an empty Series if there is none.
func (r *Resampler) Flush() Series {
	last := r.pending
	r.pending = EmptySeries(r.key)
	return last
}

// Resample returns the bars of key that a Resampler makes from all of s.
func Resample(s Series, key SeriesKey) (Series, error) {
	r, err := NewResampler(key)
	if err != nil {
		return Series{}, err
	}

	bars, err := r.AddBars(s)
	if err != nil {
		return Series{}, err
	}

	return joinSeries(bars, r.Flush())
}

// joinSeries returns the bars of a followed by those of b.
func joinSeries(a, b Series) (Series, error) {
	joined := NewSeriesBuilder(b.key, a.Len()+b.Len())
	for _, s := range [...]Series{a, b} {
		if err := joined.AppendSeries(s); err != nil {
			return Series{}, err
		}
	}

	return joined.Series()
}

// add divides the rows of a piece by the bars that they belong to, appends each bar with appendBar, and returns all
// bars but the last.
func (r *Resampler) add(n int, times []int64, appendBar func(out *Columns, from, to int) error) (Series, error) {
	var out Columns
	step, origin, fixed := r.key.Grid.uniformStep()
	for from := 0; from < n; {
		var open, end Micros
		if fixed {
			open = Micros(times[from]).floor(step, origin)
			end = open + Micros(step)
		} else {
			edge := r.key.Grid.Floor(Micros(times[from]).Time())
			open, end = MicrosFloor(edge), MicrosFloor(r.key.Grid.Next(edge))
		}

		to := from + 1
		for to < n && times[to] < int64(end) {
			to++
		}
		if err := appendBar(&out, from, to); err != nil {
			return Series{}, fmt.Errorf("%s bar of %s: %w", r.key, open.Time(), err)
		}

		out.OpenMicros = append(out.OpenMicros, int64(open))
		from = to
	}

	bars := Series{key: r.key, block: &out, to: len(out.OpenMicros)}
	if r.pending.Len() > 0 {
		joined, err := r.join(bars)
		if err != nil {
			return Series{}, err
		}

		bars = joined
	}

	last := bars.Len() - 1
	r.pending = bars.Slice(last, last+1).Clone()

	return bars.Slice(0, last), nil
}

// join prepends the pending bar to bars, or merges it with the first of bars if both are parts of one bar.
func (r *Resampler) join(bars Series) (Series, error) {
	pending := r.pending.At(0)
	b := NewSeriesBuilder(r.key, bars.Len()+1)
	if first := bars.At(0); first.OpenTime.Equal(pending.OpenTime) {
		merged, err := mergeBars(pending, first)
		if err != nil {
			return Series{}, fmt.Errorf("%s bar of %s: %w", r.key, pending.OpenTime, err)
		}

		pending = merged
		bars = bars.Slice(1, bars.Len())
	}
	if err := b.Append(pending); err != nil {
		return Series{}, err
	}
	if err := b.AppendSeries(bars); err != nil {
		return Series{}, err
	}

	return b.Series()
}

// mergeBars merges two consecutive parts of a bar.
func mergeBars(a, b Bar) (Bar, error) {
	volume, err := a.Volume.Add(b.Volume)
	if err != nil {
		return Bar{}, err
	}

	m := Bar{OpenTime: a.OpenTime, Open: a.Open, High: a.High, Low: a.Low, Close: b.Close, Volume: volume}
	if b.High.Cmp(m.High) > 0 {
		m.High = b.High
	}
	if b.Low.Cmp(m.Low) < 0 {
		m.Low = b.Low
	}
	if !hasUnknownTrades(a.Trades, a.Volume.IsZero()) && !hasUnknownTrades(b.Trades, b.Volume.IsZero()) {
		if m.Trades = a.Trades + b.Trades; m.Trades < 0 {
			return Bar{}, errTradeCount
		}
	}

	return m, nil
}

// errTradeCount is the error of a sum of trade counts that an int64 cannot hold. Both terms are never negative, so
// that the sum is negative if and only if it overflows.
var errTradeCount = fmt.Errorf("sum of trade counts: %w", ErrOverflow)

// hasUnknownTrades reports whether the trade count of a bar is unknown.
func hasUnknownTrades(trades int64, withoutVolume bool) bool { return trades == 0 && !withoutVolume }

// barAppender returns the function that makes one bar from the rows [from, to) of c and appends it to out without its
// time.
func barAppender(c *Columns) func(out *Columns, from, to int) error {
	if !isNarrow(c) {
		return func(out *Columns, from, to int) error { return appendWideBar(c, out, from, to) }
	}
	return func(out *Columns, from, to int) error { return appendNarrowBar(c, out, from, to) }
}

// appendNarrowBar is the fast path for numbers of 64 bits. Only the sum of the volumes may need more.
func appendNarrowBar(c, out *Columns, from, to int) error {
	out.PriceScale, out.VolumeScale = c.PriceScale, c.VolumeScale
	high := slices.Max(c.High.Lo[from:to])
	low := slices.Min(c.Low.Lo[from:to])
	var volumeHi, trades, overflow int64
	var volumeLo uint64
	isKnown := true
	volumes, counts := c.Volume.Lo[from:to], c.Trades[from:to]
	for i, v := range volumes {
		var carry uint64
		volumeLo, carry = bits.Add64(volumeLo, uint64(v), 0)
		volumeHi += v>>63 + int64(carry)
		n := counts[i]
		isKnown = isKnown && (n != 0 || v == 0)
		trades += n
		overflow |= trades
	}

	volume := Decimal{hi: volumeHi, lo: volumeLo, scale: c.VolumeScale}
	if !volume.withinLimit() {
		return ErrOverflow
	}

	switch {
	case !isKnown:
		trades = 0
	case overflow < 0:
		return errTradeCount
	}
	out.Open.Lo = append(out.Open.Lo, c.Open.Lo[from])
	out.High.Lo = append(out.High.Lo, high)
	out.Low.Lo = append(out.Low.Lo, low)
	out.Close.Lo = append(out.Close.Lo, c.Close.Lo[to-1])
	out.Volume.append(volume)
	out.Trades = append(out.Trades, trades)

	return nil
}

// appendWideBar is the path for numbers of any width.
func appendWideBar(c, out *Columns, from, to int) error {
	out.PriceScale, out.VolumeScale = c.PriceScale, c.VolumeScale
	barAt := func(i int) Bar {
		return Bar{
			Open: c.Open.value(i, c.PriceScale), High: c.High.value(i, c.PriceScale), Low: c.Low.value(i, c.PriceScale),
			Close: c.Close.value(i, c.PriceScale), Volume: c.Volume.value(i, c.VolumeScale), Trades: c.Trades[i],
		}
	}
	bar := barAt(from)
	for i := from + 1; i < to; i++ {
		merged, err := mergeBars(bar, barAt(i))
		if err != nil {
			return err
		}

		bar = merged
	}

	out.Open.append(bar.Open)
	out.High.append(bar.High)
	out.Low.append(bar.Low)
	out.Close.append(bar.Close)
	out.Volume.append(bar.Volume.withScale(c.VolumeScale))
	out.Trades = append(out.Trades, bar.Trades)

	return nil
}
