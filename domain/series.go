package domain

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sort"
	"time"
)

// Series is the bars of one key, ordered by open time, each time once, all on the key's grid. It is immutable, held by
// column, cheap to copy and to slice, and safe to share. The zero value is an empty Series of no key.
type Series struct {
	key      SeriesKey
	block    *Columns // nil where the Series is empty
	from, to int      // the part of block that is this Series
}

// NewSeries returns the bars as a Series. They must be ascending by open time, each time once, on the key's grid, in
// whole microseconds; a trade count must not be negative.
func NewSeries(key SeriesKey, bars ...Bar) (Series, error) {
	b := NewSeriesBuilder(key, len(bars))
	for _, bar := range bars {
		if err := b.Append(bar); err != nil {
			return Series{}, err
		}
	}

	return b.Series()
}

// NewSeriesFromColumns takes over the columns, which the caller must not touch again. It refuses what NewSeries
// refuses, and columns of unequal length.
func NewSeriesFromColumns(key SeriesKey, c Columns) (Series, error) {
	if err := key.Validate(); err != nil {
		return Series{}, err
	}
	if c.PriceScale > MaxScale || c.VolumeScale > MaxScale {
		return Series{}, fmt.Errorf("%s: scale above %d: %w", key, MaxScale, ErrInvalid)
	}

	n := len(c.OpenMicros)
	lengths := len(c.Trades) == n
	for f := range Field(fieldCount) {
		column, scale := c.Field(f)
		lengths = lengths && len(column.Lo) == n && (column.Hi == nil || len(column.Hi) == n)
		if lengths {
			if err := column.magnitudes(scale); err != nil {
				return Series{}, fmt.Errorf("%s %s %w", key, f, err)
			}
		}
	}
	if !lengths {
		return Series{}, fmt.Errorf("%s: columns of unequal length: %w", key, ErrInvalid)
	}
	if err := checkTimes(key, c.OpenMicros); err != nil {
		return Series{}, err
	}

	for i, trades := range c.Trades {
		if trades < 0 {
			return Series{}, negativeTrades(key, Micros(c.OpenMicros[i]))
		}
	}

	return Series{key: key, block: &c, to: n}, nil
}

// EmptySeries is the Series of the key without a bar.
func EmptySeries(key SeriesKey) Series { return Series{key: key} }

// checkTimes wants open times on the key's grid, ascending, each once.
func checkTimes(key SeriesKey, times []int64) error {
	step, origin, fixed := key.Grid.fixed()
	for i := range times {
		t := Micros(times[i])
		if i > 0 {
			before := Micros(times[i-1])
			if t <= before {
				return orderError(key, before, t)
			}
			if fixed && int64(t-before) == step {
				continue // from edge to edge; the division below takes longer than all else here
			}
		}
		if fixed && int64(t-origin)%step != 0 || !fixed && !key.Grid.Aligned(t.Time()) {
			return gridError(key, t.Time())
		}
	}

	return nil
}

func orderError(key SeriesKey, before, t Micros) error {
	if t == before {
		return &RuleError{Rule: RuleDuplicate, Key: key, At: t.Time(), Detail: "two bars of one open time"}
	}
	return &RuleError{Rule: RuleOutOfOrder, Key: key, At: t.Time(),
		Detail: "comes after the bar of " + before.Time().Format(time.RFC3339Nano)}
}

func gridError(key SeriesKey, at time.Time) error {
	return &RuleError{Rule: RuleOffGrid, Key: key, At: at, Detail: "open time is not on the grid"}
}

func negativeTrades(key SeriesKey, t Micros) error {
	return &RuleError{Rule: RuleNegativeTradeCount, Key: key, At: t.Time(), Detail: "negative trade count"}
}

// Key is what the bars are of.
func (s Series) Key() SeriesKey { return s.key }

// Len is the number of bars.
func (s Series) Len() int { return s.to - s.from }

// At is bar i; it panics where i is not in [0, Len()).
func (s Series) At(i int) (b Bar) {
	if uint(i) >= uint(s.Len()) {
		panic(fmt.Sprintf("domain: bar %d of a series of %d", i, s.Len()))
	}

	s.block.read(s.from+i, &b)
	return b
}

// All yields the bars in order with their indices.
func (s Series) All() iter.Seq2[int, Bar] {
	block, from, n := s.block, s.from, s.Len()
	return func(yield func(int, Bar) bool) {
		for i := range n {
			var b Bar
			block.read(from+i, &b)
			if !yield(i, b) {
				return
			}
		}
	}
}

// OpenTime is bar i's open time; it panics where i is not in [0, Len()).
func (s Series) OpenTime(i int) time.Time {
	if uint(i) >= uint(s.Len()) {
		panic(fmt.Sprintf("domain: bar %d of a series of %d", i, s.Len()))
	}
	return Micros(s.block.OpenMicros[s.from+i]).Time()
}

// Slice is bars from to to, sharing the columns; it panics where they are not in order within [0, Len()].
func (s Series) Slice(from, to int) Series {
	if from < 0 || from > to || to > s.Len() {
		panic(fmt.Sprintf("domain: slice [%d:%d] of a series of %d", from, to, s.Len()))
	}
	return Series{key: s.key, block: s.block, from: s.from + from, to: s.from + to}
}

// Clip is the bars whose open time is in r, sharing the columns.
func (s Series) Clip(r Range) Series {
	start, end := r.Micros()
	from := s.search(start)
	return s.Slice(from, max(from, s.search(end)))
}

// search returns the index of the first bar that opens at or after t.
func (s Series) search(t Micros) int {
	if s.block == nil {
		return 0
	}

	times := s.block.OpenMicros[s.from:s.to]
	return sort.Search(len(times), func(i int) bool { return times[i] >= int64(t) })
}

// Range is from the first bar's open time to the end of the last; the zero Range where there is no bar.
func (s Series) Range() Range {
	if s.Len() == 0 {
		return Range{}
	}
	return Range{Start: s.OpenTime(0), End: s.key.Grid.Next(s.OpenTime(s.Len() - 1))}
}

// Columns is a view of the bars by column, for codecs and loops. Nobody may write to it: the Series, and whoever shares
// it, reads the same memory.
func (s Series) Columns() Columns {
	if s.block == nil {
		return Columns{}
	}
	return s.block.slice(s.from, s.to)
}

// Floats appends the field's values to dst, each rounded to the nearest float64: for indicators, the one lossy way out.
// A price that is decided on, compared or stored stays a Decimal.
func (s Series) Floats(f Field, dst []float64) []float64 {
	if s.block == nil {
		return dst
	}

	dst = slices.Grow(dst, s.Len())
	c, scale := s.block.Field(f)
	const exactFloat = 1 << 53 // below it, and with at most 22 digits after the point, one division rounds once
	divisor := float64(pow10[scale])
	for i := s.from; i < s.to; i++ {
		if v := c.Lo[i]; c.Hi == nil && v < exactFloat && v > -exactFloat {
			dst = append(dst, float64(v)/divisor)
		} else {
			dst = append(dst, c.at(i, scale).float())
		}
	}

	return dst
}

// Equal reports whether both have the same key and equal bars.
func (s Series) Equal(o Series) bool {
	if s.key != o.key || s.Len() != o.Len() {
		return false
	}

	for i := range s.Len() {
		if !s.At(i).Equal(o.At(i)) {
			return false
		}
	}

	return true
}

// String says what the Series holds, not the bars: "BTC/USD 1m: 3 bars [first, end)".
func (s Series) String() string {
	switch n := s.Len(); n {
	case 0:
		return s.key.String() + ": no bars"
	case 1:
		return s.key.String() + ": 1 bar " + s.Range().String()
	default:
		return fmt.Sprintf("%s: %d bars %s", s.key, n, s.Range())
	}
}

// seriesJSON is the JSON form of a Series.
type seriesJSON struct {
	SeriesKey
	Bars []Bar `json:"bars"`
}

// MarshalJSON writes the key's parts and the bars, every digit kept.
func (s Series) MarshalJSON() ([]byte, error) {
	j := seriesJSON{SeriesKey: s.key, Bars: make([]Bar, 0, s.Len())}
	for _, b := range s.All() {
		j.Bars = append(j.Bars, b)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses what NewSeries refuses.
func (s *Series) UnmarshalJSON(b []byte) error {
	var j seriesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}

	made, err := NewSeries(j.SeriesKey, j.Bars...)
	if err != nil {
		return err
	}

	*s = made
	return nil
}

// Drop is the Series without the bars at the given ascending indices.
func (s Series) Drop(indices []int) Series {
	if len(indices) == 0 {
		return s
	}

	b := NewSeriesBuilder(s.key, s.Len()-len(indices))
	from := 0
	for _, i := range append(slices.Clone(indices), s.Len()) {
		if err := b.AppendSeries(s.Slice(from, i)); err != nil {
			panic(err) // pieces of one Series in order are a Series
		}
		from = min(i+1, s.Len())
	}

	rest, err := b.Series()
	if err != nil {
		panic(err)
	}

	return rest
}
