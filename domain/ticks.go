package domain

import (
	"encoding/json"
	"fmt"
	"iter"
	"sort"
	"time"
)

// Trades is the trades of one symbol.
type Trades = Ticks[Trade]

// Quotes is the quotes of one symbol.
type Quotes = Ticks[Quote]

// Ticks is the trades or the quotes of one symbol, ordered by time and sequence number, each pair once. It is
// immutable, held by column, cheap to copy and to slice, and safe to share. The zero value is empty and of no symbol.
type Ticks[T Tick] struct {
	symbol   Symbol
	block    *tickColumns // nil where there is no tick
	from, to int
}

// tickColumns holds ticks by column, each number at a scale of its own.
type tickColumns struct {
	timeMicros []int64 // Micros
	seq        []int64
	numbers    [tickNumbers]Column
	scales     [tickNumbers]uint8
	side       []Side
}

// NewTicks returns the ticks, which must ascend by time and sequence number, each pair once. It refuses a time finer
// than a microsecond, a negative sequence number and a negative size.
func NewTicks[T Tick](symbol Symbol, ticks ...T) (Ticks[T], error) {
	b := NewTicksBuilder[T](symbol)
	for _, t := range ticks {
		if err := b.Append(t); err != nil {
			return Ticks[T]{}, err
		}
	}

	return b.Ticks()
}

// Symbol is what the ticks are of.
func (t Ticks[T]) Symbol() Symbol { return t.symbol }

// Len is the number of ticks.
func (t Ticks[T]) Len() int { return t.to - t.from }

// At is tick i; it panics where i is not in [0, Len()).
func (t Ticks[T]) At(i int) T {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}

	i += t.from
	r := tickRow{time: Micros(t.block.timeMicros[i]).Time(), seq: t.block.seq[i], side: t.block.side[i]}
	for n := range r.numbers {
		r.numbers[n] = t.block.numbers[n].at(i, t.block.scales[n])
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

// Time is tick i's time; it panics where i is not in [0, Len()).
func (t Ticks[T]) Time(i int) time.Time {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}
	return Micros(t.block.timeMicros[t.from+i]).Time()
}

// Seq is tick i's sequence number; it panics where i is not in [0, Len()).
func (t Ticks[T]) Seq(i int) int64 {
	if uint(i) >= uint(t.Len()) {
		panic(fmt.Sprintf("domain: tick %d of %d", i, t.Len()))
	}
	return t.block.seq[t.from+i]
}

// Slice is ticks from to to, sharing the columns; it panics where they are not in order within [0, Len()].
func (t Ticks[T]) Slice(from, to int) Ticks[T] {
	if from < 0 || from > to || to > t.Len() {
		panic(fmt.Sprintf("domain: slice [%d:%d] of %d ticks", from, to, t.Len()))
	}
	return Ticks[T]{symbol: t.symbol, block: t.block, from: t.from + from, to: t.from + to}
}

// Clip is the ticks whose time is in r, sharing the columns.
func (t Ticks[T]) Clip(r Range) Ticks[T] {
	start, end := r.Micros()
	from := t.search(start)
	return t.Slice(from, max(from, t.search(end)))
}

// search returns the index of the first tick at or after at.
func (t Ticks[T]) search(at Micros) int {
	if t.block == nil {
		return 0
	}

	times := t.block.timeMicros[t.from:t.to]
	return sort.Search(len(times), func(i int) bool { return times[i] >= int64(at) })
}

// Range is from the first tick's time to a microsecond after the last; the zero Range where there is no tick.
func (t Ticks[T]) Range() Range {
	if t.Len() == 0 {
		return Range{}
	}
	return Range{Start: t.Time(0), End: t.Time(t.Len() - 1).Add(time.Microsecond)}
}

// Equal reports whether both are of one symbol and hold equal ticks.
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

// String says what is held, not the ticks: "XRP/ETH: 3 ticks [first, end)".
func (t Ticks[T]) String() string {
	if t.Len() == 0 {
		return string(t.symbol) + ": no ticks"
	}
	return fmt.Sprintf("%s: %d ticks %s", t.symbol, t.Len(), t.Range())
}

// MarshalJSON writes the symbol and the ticks, every digit kept.
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

// TicksBuilder makes Ticks one by one. It is for one goroutine. After a refusal it holds what it held.
type TicksBuilder[T Tick] struct {
	symbol  Symbol
	columns tickColumns
}

// NewTicksBuilder returns an empty builder. A symbol that is not valid is reported by Ticks.
func NewTicksBuilder[T Tick](symbol Symbol) *TicksBuilder[T] { return &TicksBuilder[T]{symbol: symbol} }

// Len is how many ticks were appended.
func (b *TicksBuilder[T]) Len() int { return len(b.columns.timeMicros) }

// Append adds the next tick and refuses, with a *TickError, one that no Ticks can hold or that is not after the last.
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
		if d.scale > c.scales[n] { // a spelling with trailing zeros needs no wider column
			d = d.reduced()
		}
		b.raiseScale(n, d.scale)
		c.numbers[n].append(d.at(c.scales[n]))
	}

	return nil
}

// AppendTicks adds all ticks of the next piece, which must be of the same symbol and begin after the last tick.
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

// checkAfterLast refuses a tick that does not come after the last.
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
		return &TickError{Rule: RuleDuplicate, Symbol: b.symbol, Time: t.Time(), Seq: seq, Detail: "two of one time and sequence number"}
	}

	return &TickError{Rule: RuleOutOfOrder, Symbol: b.symbol, Time: t.Time(), Seq: seq, Detail: "comes after a later one"}
}

func (b *TicksBuilder[T]) raiseScale(n int, scale uint8) {
	if c := &b.columns; scale > c.scales[n] {
		c.numbers[n].rescale(c.scales[n], scale)
		c.scales[n] = scale
	}
}

// Ticks returns the ticks and leaves the builder empty, ready for the next piece of the same symbol.
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

// TickKind says which ticks: trades or quotes.
type TickKind string

// The tick kinds.
const (
	TickTrades TickKind = "trades"
	TickQuotes TickKind = "quotes"
)

// TickExtent is a range in which a writer claimed a symbol's trades or quotes to be complete.
type TickExtent struct {
	Symbol Symbol   `json:"symbol"`
	Kind   TickKind `json:"ticks"`
	Range  Range    `json:"range"`
}

// TickRequest asks for the trades or quotes of one symbol whose time is in [Start, End), or for the first or last few
// of them.
type TickRequest struct {
	Symbol Symbol    `json:"symbol"`
	Start  time.Time `json:"start,omitzero"` // zero: from the first tick held
	End    time.Time `json:"end,omitzero"`   // zero: up to now; later than now is clamped to it, and so reported
	First  int       `json:"first,omitempty"`
	Last   int       `json:"last,omitempty"` // 0 is no limit; at most one of First and Last is given
}

// Validate refuses what no store could answer. Limits are the application's.
func (r TickRequest) Validate() error {
	if err := r.Symbol.Validate(); err != nil {
		return err
	}
	return checkWindow(r, r.Start, r.End, r.First, r.Last)
}

// String is the request on one line.
func (r TickRequest) String() string {
	return string(r.Symbol) + windowText("first tick", r.Start, r.End, r.First, r.Last)
}

// TickResult answers a TickRequest. Its fields say what those of Result say.
type TickResult[T Tick] struct {
	Ticks     Ticks[T]  `json:"ticks"`
	Range     Range     `json:"range"`
	Clamped   bool      `json:"clamped"`
	Uncovered []Range   `json:"uncovered"`
	Store     StoreName `json:"store"`
	Now       time.Time `json:"now"`
	Next      time.Time `json:"next"`
}
