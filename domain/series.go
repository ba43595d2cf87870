package domain

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sort"
	"time"
)

// Series is a list of bars of one key. INVARIANT: open times ascend strictly and lie on the grid of the key. A Series
// is immutable and safe to share. It stores bars by column, so that copying and slicing it is cheap. The zero value is
// empty and has no key.
type Series struct {
	key      SeriesKey
	block    *Columns // may be nil if the Series is empty
	from, to int      // the bars of the Series in block
}

// NewSeries returns the bars as a Series. It returns an error that wraps ErrInvalid if the key is invalid, and a
// *RuleError unless open times ascend strictly, lie on the grid of the key and in the years 1 to 9999, and trade
// counts are not negative.
func NewSeries(key SeriesKey, bars ...Bar) (Series, error) {
	b := NewSeriesBuilder(key, len(bars))
	for _, bar := range bars {
		if err := b.Append(bar); err != nil {
			return Series{}, err
		}
	}

	return b.Series()
}

// NewSeriesFromColumns returns the bars in the columns as a Series. It takes ownership: the caller must not use the
// columns any more. It returns the errors of NewSeries, and an error that wraps ErrInvalid if the lengths of the
// columns differ, a scale is above MaxScale, or a value has too many digits.
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
			if err := column.checkMagnitudes(scale); err != nil {
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

// EmptySeries returns a Series of the key without bars.
func EmptySeries(key SeriesKey) Series { return Series{key: key} }

// checkTimes returns a *RuleError unless the open times ascend strictly and lie on the grid of the key, in the years 1
// to 9999.
func checkTimes(key SeriesKey, times []int64) error {
	step, origin, fixed := key.Grid.uniformStep()
	for i := range times {
		t := Micros(times[i])
		if i == 0 || i == len(times)-1 { // the others lie between them, because times ascend
			if !isWithinYears(t) {
				return yearError(key, t)
			}
		}
		if i > 0 {
			before := Micros(times[i-1])
			if t <= before {
				return orderError(key, before, t)
			}
			if fixed && int64(t-before) == step {
				continue // the next edge; this saves the division below, which is the slowest step
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
	return &RuleError{Rule: RuleOffGrid, Key: key, At: at, Detail: "no bar of the frequency opens at this time"}
}

func yearError(key SeriesKey, t Micros) error {
	return &RuleError{Rule: RuleTimeOutOfBounds, Key: key, At: t.Time(),
		Detail: "the year of the open time is not 1 to 9999"}
}

func negativeTrades(key SeriesKey, t Micros) error {
	return &RuleError{Rule: RuleNegativeTradeCount, Key: key, At: t.Time(), Detail: "negative trade count"}
}

// Key returns the key of the bars.
func (s Series) Key() SeriesKey { return s.key }

// Len returns the number of bars.
func (s Series) Len() int { return s.to - s.from }

// At returns bar i. It panics unless 0 <= i < Len().
func (s Series) At(i int) (b Bar) {
	if uint(i) >= uint(s.Len()) {
		panic(fmt.Sprintf("domain: bar %d of a series of %d", i, s.Len()))
	}

	s.block.fill(s.from+i, &b)

	return b
}

// All yields the bars in order with their indices.
func (s Series) All() iter.Seq2[int, Bar] {
	block, from, n := s.block, s.from, s.Len()
	return func(yield func(int, Bar) bool) {
		for i := range n {
			var b Bar
			block.fill(from+i, &b)
			if !yield(i, b) {
				return
			}
		}
	}
}

// OpenTime returns the open time of bar i. It panics unless 0 <= i < Len().
func (s Series) OpenTime(i int) time.Time {
	if uint(i) >= uint(s.Len()) {
		panic(fmt.Sprintf("domain: bar %d of a series of %d", i, s.Len()))
	}
	return Micros(s.block.OpenMicros[s.from+i]).Time()
}

// Slice returns the bars [from, to), which share the memory of s. It panics unless 0 <= from <= to <= Len().
func (s Series) Slice(from, to int) Series {
	if from < 0 || from > to || to > s.Len() {
		panic(fmt.Sprintf("domain: slice [%d:%d] of a series of %d", from, to, s.Len()))
	}
	return Series{key: s.key, block: s.block, from: s.from + from, to: s.from + to}
}

// Clip returns the bars whose open time is in r, which share the memory of s.
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

// Range returns the range from the open time of the first bar to the end of the last, or the zero Range if there are
// no bars.
func (s Series) Range() Range {
	if s.Len() == 0 {
		return Range{}
	}
	return Range{Start: s.OpenTime(0), End: s.key.Grid.Next(s.OpenTime(s.Len() - 1))}
}

// Columns returns the bars by column, for codecs and fast loops. The columns share the memory of the Series, so that
// the caller must not change them.
func (s Series) Columns() Columns {
	if s.block == nil {
		return Columns{}
	}
	return s.block.slice(s.from, s.to)
}

// Floats appends the values of the field to dst, each rounded to the nearest float64, for indicators. Use Decimal for
// prices that are compared, stored or traded at, because floats lose digits.
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
			dst = append(dst, c.value(i, scale).float())
		}
	}

	return dst
}

// Equal reports whether both have the same key and equal bars, as Bar.Equal compares them.
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

// String returns a summary without the bars: "BTC/USD 1m: 3 bars [first, end)".
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

// seriesJSON is the JSON encoding of a Series.
type seriesJSON struct {
	SeriesKey
	Bars []Bar `json:"bars"`
}

// MarshalJSON returns an object of the parts of the key and the bars. It does not round.
func (s Series) MarshalJSON() ([]byte, error) {
	j := seriesJSON{SeriesKey: s.key, Bars: make([]Bar, 0, s.Len())}
	for _, b := range s.All() {
		j.Bars = append(j.Bars, b)
	}

	return json.Marshal(j)
}

// UnmarshalJSON parses the result of MarshalJSON. It returns the errors of NewSeries.
func (s *Series) UnmarshalJSON(b []byte) error {
	var j seriesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}

	parsed, err := NewSeries(j.SeriesKey, j.Bars...)
	if err != nil {
		return err
	}

	*s = parsed

	return nil
}

// Drop returns the Series without the bars at the indices, which must ascend. It shares memory with s only if there
// are no indices.
func (s Series) Drop(indices []int) Series {
	if len(indices) == 0 {
		return s
	}

	b := NewSeriesBuilder(s.key, s.Len()-len(indices))
	from := 0
	for _, i := range append(slices.Clone(indices), s.Len()) {
		if err := b.AppendSeries(s.Slice(from, i)); err != nil {
			panic(err) // unreachable, because parts of a Series in order are a Series
		}
		from = min(i+1, s.Len())
	}

	rest, err := b.Series()
	if err != nil {
		panic(err)
	}

	return rest
}

// Clone returns a copy that shares no memory with s. Clone a small slice that outlives a large Series, because the
// slice keeps all columns of the Series in memory.
func (s Series) Clone() Series {
	b := NewSeriesBuilder(s.key, s.Len())
	if err := b.AppendSeries(s); err != nil {
		panic(err) // unreachable, because s is a Series
	}

	clone, err := b.Series()
	if err != nil {
		panic(err)
	}

	return clone
}
