package domain

import (
	"encoding/json"
	"fmt"
	"iter"
	"sort"
	"time"
)

// Trades is a list of trades of one symbol.
type Trades = Ticks[Trade]

// Quotes is a list of quotes of one symbol.
type Quotes = Ticks[Quote]

// Ticks is a list of trades or quotes of one symbol. INVARIANT: pairs of time and sequence number ascend strictly. A
// Ticks is immutable and safe to share. It stores ticks by column, so that copying and slicing it is cheap. The zero
// value is empty and has no symbol.
type Ticks[T Tick] struct {
	symbol   Symbol
	block    *tickColumns // may be nil if there are no ticks
	from, to int
}

// tickColumns holds ticks by column. Each column of numbers has its own scale.
type tickColumns struct {
	timeMicros []int64 // Micros
	seq        []int64
	numbers    [tickNumbers]Column
	scales     [tickNumbers]uint8
	side       []Side
}

// NewTicks returns the ticks as Ticks. It returns an error that wraps ErrInvalid if the symbol or a side is invalid. It
// returns a *TickError unless pairs of time and sequence number ascend strictly, times are whole microseconds, and
// sequence numbers and sizes are not negative.
func NewTicks[T Tick](symbol Symbol, ticks ...T) (Ticks[T], error) {
	b := NewTicksBuilder[T](symbol)
	for _, t := range ticks {
		if err := b.Append(t); err != nil {
			return Ticks[T]{}, err
		}
	}

	return b.Ticks()
}

// Symbol returns the symbol of the ticks.
func (t Ticks[T]) Symbol() Symbol { return t.symbol }

// Len returns the number of ticks.
func (t Ticks[T]) Len() int { return t.to - t.from }

// At returns tick i. It panics unless 0 <= i < Len().
func (t Ticks[T]) At(i int) T {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}

	i += t.from
	r := tickRow{time: Micros(t.block.timeMicros[i]).Time(), seq: t.block.seq[i], side: t.block.side[i]}
	for n := range r.numbers {
		r.numbers[n] = t.block.numbers[n].value(i, t.block.scales[n])
	}

	return tickOf[T](r)
}

// All yields the ticks in order with their indices.
func (t Ticks[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := range t.Len() {
			if !yield(i, t.At(i)) {
				return
			}
		}
	}
}

// Time returns the time of tick i. It panics unless 0 <= i < Len().
func (t Ticks[T]) Time(i int) time.Time {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}
	return Micros(t.block.timeMicros[t.from+i]).Time()
}

// Seq returns the sequence number of tick i. It panics unless 0 <= i < Len().
func (t Ticks[T]) Seq(i int) int64 {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}
	return t.block.seq[t.from+i]
}

// Slice returns the ticks [from, to), which share the memory of t. It panics unless 0 <= from <= to <= Len().
func (t Ticks[T]) Slice(from, to int) Ticks[T] {
	if from < 0 || from > to || to > t.Len() {
		panic(fmt.Sprintf("domain: slice [%d:%d] of %d ticks", from, to, t.Len()))
	}
	return Ticks[T]{symbol: t.symbol, block: t.block, from: t.from + from, to: t.from + to}
}

// Clip returns the ticks whose time is in r, which share the memory of t.
func (t Ticks[T]) Clip(r Range) Ticks[T] {
	start, end := r.Micros()
	from := t.search(start)
	return t.Slice(from, max(from, t.search(end)))
}

// search returns the index of the first tick whose time is at or after the instant.
func (t Ticks[T]) search(at Micros) int {
	if t.block == nil {
		return 0
	}

	times := t.block.timeMicros[t.from:t.to]

	return sort.Search(len(times), func(i int) bool { return times[i] >= int64(at) })
}

// Range returns the range from the time of the first tick to a microsecond after the last, or the zero Range if there
// are no ticks.
func (t Ticks[T]) Range() Range {
	if t.Len() == 0 {
		return Range{}
	}
	return Range{Start: t.Time(0), End: t.Time(t.Len() - 1).Add(time.Microsecond)}
}

// Equal reports whether both have the same symbol and equal ticks.
func (t Ticks[T]) Equal(o Ticks[T]) bool {
	if t.symbol != o.symbol || t.Len() != o.Len() {
		return false
	}

	for i := range t.Len() {
		if !equalRows(t.At(i).row(), o.At(i).row()) {
			return false
		}
	}

	return true
}

// String returns a summary without the ticks: "XRP/ETH: 3 ticks [first, end)".
func (t Ticks[T]) String() string {
	if t.Len() == 0 {
		return string(t.symbol) + ": no ticks"
	}
	return fmt.Sprintf("%s: %d ticks %s", t.symbol, t.Len(), t.Range())
}

// MarshalJSON returns an object of the symbol and the ticks. It does not round.
func (t Ticks[T]) MarshalJSON() ([]byte, error) {
	rows := make([]T, 0, t.Len())
	for _, tick := range t.All() {
		rows = append(rows, tick)
	}

	return json.Marshal(struct {
		Symbol Symbol `json:"symbol"`
		Ticks  []T    `json:"ticks"`
	}{t.symbol, rows})
}

// TicksBuilder builds Ticks from ticks or pieces. A method that returns an error does not change the builder. A
// TicksBuilder is for one goroutine.
type TicksBuilder[T Tick] struct {
	symbol  Symbol
	columns tickColumns
}

// NewTicksBuilder returns an empty builder. If the symbol is invalid, Ticks returns the error.
func NewTicksBuilder[T Tick](symbol Symbol) *TicksBuilder[T] { return &TicksBuilder[T]{symbol: symbol} }

// Len returns the number of ticks that were appended since the last call of Ticks.
func (b *TicksBuilder[T]) Len() int { return len(b.columns.timeMicros) }

// Append adds the next tick. It returns a *TickError if the tick breaks a rule of NewTicks or is not after the last
// one.
func (b *TicksBuilder[T]) Append(tick T) error {
	r := tick.row()
	if err := r.check(b.symbol, sizes[T](&r)); err != nil {
		return err
	}

	c := &b.columns
	t := MicrosFloor(r.time)
	if err := b.checkAfterLast(t, r.seq); err != nil {
		return err
	}

	c.timeMicros = append(c.timeMicros, int64(t))
	c.seq = append(c.seq, r.seq)
	c.side = append(c.side, r.side)
	for n, d := range r.numbers {
		if d.scale > c.scales[n] { // trailing zeros must not increase the scale of the column
			d = d.trimZeros()
		}
		b.raiseScale(n, d.scale)
		c.numbers[n].append(d.withScale(c.scales[n]))
	}

	return nil
}

// AppendTicks adds the ticks of the next piece. It returns an error that wraps ErrInvalid if the symbol of the piece
// differs, and a *TickError if the piece does not begin after the last tick.
func (b *TicksBuilder[T]) AppendTicks(t Ticks[T]) error {
	if t.Len() == 0 {
		return nil
	}
	if t.symbol != b.symbol {
		return fmt.Errorf("a piece of %s for ticks of %s: %w", t.symbol, b.symbol, ErrInvalid)
	}

	o, c := t.block, &b.columns
	if err := b.checkAfterLast(Micros(o.timeMicros[t.from]), o.seq[t.from]); err != nil {
		return err
	}

	c.timeMicros = append(c.timeMicros, o.timeMicros[t.from:t.to]...)
	c.seq = append(c.seq, o.seq[t.from:t.to]...)
	c.side = append(c.side, o.side[t.from:t.to]...)
	for n := range c.numbers {
		b.raiseScale(n, o.scales[n])
		c.numbers[n].appendColumn(o.numbers[n], t.from, t.to, o.scales[n], c.scales[n])
	}

	return nil
}

// checkAfterLast returns a *TickError if the tick is not after the last one.
func (b *TicksBuilder[T]) checkAfterLast(t Micros, seq int64) error {
	n := len(b.columns.timeMicros)
	if n == 0 {
		return nil
	}

	lastTime, lastSeq := Micros(b.columns.timeMicros[n-1]), b.columns.seq[n-1]
	switch {
	case t > lastTime, t == lastTime && seq > lastSeq:
		return nil
	case t == lastTime && seq == lastSeq:
		return &TickError{Rule: RuleDuplicate, Symbol: b.symbol, Time: t.Time(), Seq: seq,
			Detail: "two of one time and sequence number"}
	}

	return &TickError{Rule: RuleOutOfOrder, Symbol: b.symbol, Time: t.Time(), Seq: seq, Detail: "comes after a later one"}
}

// raiseScale converts column n of the numbers to the scale if it is larger.
func (b *TicksBuilder[T]) raiseScale(n int, scale uint8) {
	if c := &b.columns; scale > c.scales[n] {
		c.numbers[n].rescale(c.scales[n], scale)
		c.scales[n] = scale
	}
}

// Ticks returns the ticks. The builder is empty afterwards and may be used for the next piece of the same symbol.
func (b *TicksBuilder[T]) Ticks() (Ticks[T], error) {
	if err := b.symbol.Validate(); err != nil {
		return Ticks[T]{}, err
	}

	c := b.columns
	b.columns = tickColumns{}
	if len(c.timeMicros) == 0 {
		return Ticks[T]{symbol: b.symbol}, nil
	}

	return Ticks[T]{symbol: b.symbol, block: &c, to: len(c.timeMicros)}, nil
}

// TickKind is trades or quotes.
type TickKind string

// The tick kinds.
const (
	TickTrades TickKind = "trades"
	TickQuotes TickKind = "quotes"
)

// TickExtent is a range in which a store has all trades or all quotes of a symbol, as a writer declared.
type TickExtent struct {
	Symbol Symbol   `json:"symbol"`
	Kind   TickKind `json:"data"`
	Range  Range    `json:"range"`
}
