package domain

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/cockroachdb/apd/v3"
)

// Resampler makes the bars of one series out of finer bars, of trades or of quotes, piece by piece. A bar is handed out
// once a later piece shows that it is whole, the last one by Flush: the pieces handed out sum to what the whole input
// gives at once. It is for one goroutine.
//
// Of bars, the open is the first's, the close the last's, volumes add exactly, and trade counts add: a bar without
// volume adds none, and one whose count is unknown makes the sum unknown.
type Resampler struct {
	key  SeriesKey
	held Series // the last bar, which the next piece may add to; empty before the first
}

// NewResampler returns a Resampler that makes bars of key.
func NewResampler(key SeriesKey) (*Resampler, error) {
	return &Resampler{key: key, held: EmptySeries(key)}, key.Validate()
}

// AddBars takes the next piece of finer bars, of the same symbol and kind, on a grid that divides the key's.
func (r *Resampler) AddBars(s Series) (Series, error) {
	if s.Len() == 0 {
		return EmptySeries(r.key), nil
	}
	if from := s.key; from.Symbol != r.key.Symbol || from.PriceType != r.key.PriceType || !from.Grid.Divides(r.key.Grid, s.Range()) {
		return Series{}, invalid("resampling", from.String(), "%s cannot be made of it", r.key)
	}

	c := s.Columns()
	return r.add(len(c.OpenMicros), c.OpenMicros, barBuckets(&c))
}

// AddTrades takes the next piece of trades; the key's kind must be PriceTrade.
func (r *Resampler) AddTrades(t Trades) (Series, error) {
	if t.symbol != r.key.Symbol && t.Len() > 0 || r.key.PriceType != PriceTrade {
		return Series{}, invalid("aggregation of trades", string(t.symbol), "%s cannot be made of them", r.key)
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

	return r.add(t.Len(), c.timeMicros[t.from:t.to], barBuckets(&columns))
}

// AddQuotes takes the next piece of quotes; the key's kind must be PriceBid, PriceAsk or PriceMid. The bars have no
// volume. A mid that needs more than 18 digits after the point is an error that wraps ErrOverflow.
func (r *Resampler) AddQuotes(q Quotes) (Series, error) {
	if q.symbol != r.key.Symbol && q.Len() > 0 {
		return Series{}, invalid("aggregation of quotes", string(q.symbol), "%s cannot be made of them", r.key)
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
		return Series{}, invalid("aggregation of quotes", r.key.String(), "the price kind is bid, ask or mid")
	}

	none := make([]int64, q.Len())
	columns := Columns{
		Open: price, High: price, Low: price, Close: price, PriceScale: scale, Volume: Column{Lo: none}, Trades: none,
	}
	return r.add(q.Len(), q.block.timeMicros[q.from:q.to], barBuckets(&columns))
}

// midColumn is half of bid and ask, with one digit more after the point where a half needs it.
func midColumn(q Quotes) (Column, uint8, error) {
	scale := max(q.block.scales[0], q.block.scales[1])
	mids := Column{Lo: make([]int64, 0, q.Len())}
	for _, quote := range q.All() {
		sum, err := quote.Bid.Add(quote.Ask)
		if err != nil {
			return Column{}, 0, err
		}

		mid, err := sum.half()
		if err != nil {
			return Column{}, 0, err
		}

		if mid.scale > scale {
			mids.rescale(scale, mid.scale)
			scale = mid.scale
		}

		mids.append(mid.at(scale))
	}

	return mids, scale, nil
}

// Flush hands out the last bar.
func (r *Resampler) Flush() Series {
	last := r.held
	r.held = EmptySeries(r.key)
	return last
}

// Resample is the bars of key made of all of s at once.
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

// Clone is the same bars in columns of their own: what a long-lived small slice of a large Series should be.
func (s Series) Clone() Series {
	b := NewSeriesBuilder(s.key, s.Len())
	if err := b.AppendSeries(s); err != nil {
		panic(err) // a Series is a Series
	}

	clone, err := b.Series()
	if err != nil {
		panic(err)
	}

	return clone
}

func joinSeries(a, b Series) (Series, error) {
	joined := NewSeriesBuilder(b.key, a.Len()+b.Len())
	for _, s := range [...]Series{a, b} {
		if err := joined.AppendSeries(s); err != nil {
			return Series{}, err
		}
	}

	return joined.Series()
}

// Divides reports whether every edge of coarse in r and the end of r's last coarse bar are edges of g: then bars of
// coarse can be made of bars of g.
func (g Grid) Divides(coarse Grid, r Range) bool {
	step, origin, fixed := g.fixed()
	coarseStep, coarseOrigin, coarseFixed := coarse.fixed()
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

// AlignInward moves both ends of r inwards to edges: what whole bars of the grid fit into r. It is empty where none
// does.
func (g Grid) AlignInward(r Range) Range {
	whole := Range{Start: g.Ceil(r.Start), End: g.Floor(r.End)}
	if whole.Empty() {
		return Range{}
	}

	return whole
}

// DivisibleRanges is the runs of whole bars of coarse in r that bars of g make up exactly: ascending, disjoint, not
// touching. Unlike Divides it takes the calendar bar by bar: an hour divides the days of a zone for as long as its
// clock is whole hours off.
func (g Grid) DivisibleRanges(coarse Grid, r Range) []Range {
	whole := coarse.AlignInward(r)
	if whole.Empty() {
		return nil
	}

	_, _, fixed := g.fixed()
	_, _, coarseFixed := coarse.fixed()
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

// add cuts the piece's rows into buckets, makes a bar of each, and hands out all but the last.
func (r *Resampler) add(n int, times []int64, bucket func(out *Columns, from, to int) error) (Series, error) {
	var out Columns
	step, origin, fixed := r.key.Grid.fixed()
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
		if err := bucket(&out, from, to); err != nil {
			return Series{}, fmt.Errorf("%s bar of %s: %w", r.key, open.Time(), err)
		}

		out.OpenMicros = append(out.OpenMicros, int64(open))
		from = to
	}

	made := Series{key: r.key, block: &out, to: len(out.OpenMicros)}
	if r.held.Len() > 0 {
		joined, err := r.join(made)
		if err != nil {
			return Series{}, err
		}

		made = joined
	}

	last := made.Len() - 1
	r.held = made.Slice(last, last+1).Clone()
	return made.Slice(0, last), nil
}

// join puts the held bar in front of made, or adds it to made's first where both are parts of one bar.
func (r *Resampler) join(made Series) (Series, error) {
	held := r.held.At(0)
	b := NewSeriesBuilder(r.key, made.Len()+1)
	if first := made.At(0); first.OpenTime.Equal(held.OpenTime) {
		merged, err := mergeBars(held, first)
		if err != nil {
			return Series{}, fmt.Errorf("%s bar of %s: %w", r.key, held.OpenTime, err)
		}

		held = merged
		made = made.Slice(1, made.Len())
	}
	if err := b.Append(held); err != nil {
		return Series{}, err
	}
	if err := b.AppendSeries(made); err != nil {
		return Series{}, err
	}

	return b.Series()
}

// mergeBars is the bar of two parts of it, earlier before later.
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
	if !unknownTrades(a.Trades, a.Volume.IsZero()) && !unknownTrades(b.Trades, b.Volume.IsZero()) {
		m.Trades = a.Trades + b.Trades
	}

	return m, nil
}

func unknownTrades(trades int64, withoutVolume bool) bool { return trades == 0 && !withoutVolume }

// barBuckets returns the function that makes one bar of the rows [from, to) of c, and appends it to out, without its
// time.
func barBuckets(c *Columns) func(out *Columns, from, to int) error {
	if !narrowNumbers(c) {
		return func(out *Columns, from, to int) error { return wideBucket(c, out, from, to) }
	}
	return func(out *Columns, from, to int) error { return narrowBucket(c, out, from, to) }
}

// narrowBucket is the fast way: every number has 64 bits. Only the sum of the volumes may need more.
func narrowBucket(c, out *Columns, from, to int) error {
	out.PriceScale, out.VolumeScale = c.PriceScale, c.VolumeScale
	high := slices.Max(c.High.Lo[from:to])
	low := slices.Min(c.Low.Lo[from:to])
	var volumeHi, trades int64
	var volumeLo uint64
	known := true
	volumes, counts := c.Volume.Lo[from:to], c.Trades[from:to]
	for i, v := range volumes {
		var carry uint64
		volumeLo, carry = bits.Add64(volumeLo, uint64(v), 0)
		volumeHi += v>>63 + int64(carry)
		n := counts[i]
		known = known && (n != 0 || v == 0)
		trades += n
	}

	volume := Decimal{hi: volumeHi, lo: volumeLo, scale: c.VolumeScale}
	if !volume.withinLimit() {
		return ErrOverflow
	}

	if !known {
		trades = 0
	}
	out.Open.Lo = append(out.Open.Lo, c.Open.Lo[from])
	out.High.Lo = append(out.High.Lo, high)
	out.Low.Lo = append(out.Low.Lo, low)
	out.Close.Lo = append(out.Close.Lo, c.Close.Lo[to-1])
	out.Volume.append(volume)
	out.Trades = append(out.Trades, trades)

	return nil
}

// wideBucket is the way that holds for any numbers.
func wideBucket(c, out *Columns, from, to int) error {
	out.PriceScale, out.VolumeScale = c.PriceScale, c.VolumeScale
	at := func(i int) Bar {
		return Bar{
			Open: c.Open.at(i, c.PriceScale), High: c.High.at(i, c.PriceScale), Low: c.Low.at(i, c.PriceScale),
			Close: c.Close.at(i, c.PriceScale), Volume: c.Volume.at(i, c.VolumeScale), Trades: c.Trades[i],
		}
	}
	bar := at(from)
	for i := from + 1; i < to; i++ {
		merged, err := mergeBars(bar, at(i))
		if err != nil {
			return err
		}

		bar = merged
	}

	out.Open.append(bar.Open)
	out.High.append(bar.High)
	out.Low.append(bar.Low)
	out.Close.append(bar.Close)
	out.Volume.append(bar.Volume.at(c.VolumeScale))
	out.Trades = append(out.Trades, bar.Trades)

	return nil
}

// half is d/2, spelled with as few more digits after the point as it needs.
func (d Decimal) half() (Decimal, error) {
	if d.isNarrow() && d.lo&1 == 0 {
		return narrow(int64(d.lo)/2, d.scale), nil
	}

	var x apd.Decimal
	if _, err := exact.Mul(&x, d.APD(), apd.New(5, -1)); err != nil {
		return Decimal{}, fmt.Errorf("%s / 2: %w", d, ErrOverflow)
	}

	return DecimalFromAPD(&x)
}

// withinLimit reports whether the number has at most MaxIntegerDigits before the point.
func (d Decimal) withinLimit() bool {
	if d.isNarrow() {
		return true
	}

	c := Column{Lo: []int64{int64(d.lo)}, Hi: []int64{d.hi}}
	return c.magnitudes(d.scale) == nil
}
