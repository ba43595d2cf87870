package domain

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Side is which side of a trade was the aggressor. The zero value is SideUnknown.
type Side uint8

// The sides.
const (
	SideUnknown Side = iota
	SideBuy
	SideSell
)

var sides = [...]string{"unknown", "buy", "sell"}

// ParseSide reads buy, sell or unknown.
func ParseSide(s string) (Side, error) {
	for i, text := range sides {
		if s == text {
			return Side(i), nil
		}
	}
	return 0, invalid("side", s, "one of %s", strings.Join(sides[:], ", "))
}

// Validate refuses a side made by conversion that is none of the constants.
func (s Side) Validate() error {
	if int(s) >= len(sides) {
		return invalid("side", s.String(), "one of %s", strings.Join(sides[:], ", "))
	}
	return nil
}

// String is the side's text.
func (s Side) String() string {
	if int(s) < len(sides) {
		return sides[s]
	}
	return "side " + strconv.Itoa(int(s))
}

// MarshalText is String.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), s.Validate() }

// UnmarshalText is ParseSide.
func (s *Side) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSide(string(b))
	return err
}

// Trade is one execution. Time and Seq together order and name it.
type Trade struct {
	Time  time.Time `json:"time"` // UTC, whole microseconds
	Seq   int64     `json:"seq"`  // the source's number, or the ordinal within its instant; not negative
	Price Decimal   `json:"price"`
	Size  Decimal   `json:"size"` // not negative
	Side  Side      `json:"side"`
}

// Quote is the best bid and ask from its time on. Time and Seq together order and name it.
type Quote struct {
	Time    time.Time `json:"time"` // UTC, whole microseconds
	Seq     int64     `json:"seq"`  // the source's number, or the ordinal within its instant; not negative
	Bid     Decimal   `json:"bid"`
	Ask     Decimal   `json:"ask"`
	BidSize Decimal   `json:"bid_size"` // not negative
	AskSize Decimal   `json:"ask_size"` // not negative
}

// Equal reports whether both say the same, numbers compared as numbers.
func (t Trade) Equal(o Trade) bool { return equalRows(t.row(), o.row()) }

// Equal reports whether both say the same, numbers compared as numbers.
func (q Quote) Equal(o Quote) bool { return equalRows(q.row(), o.row()) }

// String is one line: "2019-10-11T00:00:11.62Z #13519807 sell 23 @ 0.00141342".
func (t Trade) String() string {
	return fmt.Sprintf("%s #%d %s %s @ %s", t.Time.Format(time.RFC3339Nano), t.Seq, t.Side, t.Size, t.Price)
}

// String is one line: "2018-04-04T00:01:00Z #0 1.88 @ 7424.9 / 7424.91 @ 33.35".
func (q Quote) String() string {
	return fmt.Sprintf("%s #%d %s @ %s / %s @ %s", q.Time.Format(time.RFC3339Nano), q.Seq, q.BidSize, q.Bid, q.Ask, q.AskSize)
}

// UnmarshalJSON reads a trade and refuses one without its time, price or size: what is absent is not 0.
func (t *Trade) UnmarshalJSON(text []byte) error {
	var j struct {
		Time  *time.Time `json:"time"`
		Seq   int64      `json:"seq"`
		Price *Decimal   `json:"price"`
		Size  *Decimal   `json:"size"`
		Side  Side       `json:"side"`
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Time == nil || j.Price == nil || j.Size == nil {
		return invalid("trade", string(text), "give time, price and size (%s)", RuleIncomplete)
	}

	*t = Trade{Time: j.Time.UTC(), Seq: j.Seq, Price: *j.Price, Size: *j.Size, Side: j.Side}
	return nil
}

// UnmarshalJSON reads a quote and refuses one without its time or one of its four numbers: what is absent is not 0.
func (q *Quote) UnmarshalJSON(text []byte) error {
	var j struct {
		Time    *time.Time `json:"time"`
		Seq     int64      `json:"seq"`
		Bid     *Decimal   `json:"bid"`
		Ask     *Decimal   `json:"ask"`
		BidSize *Decimal   `json:"bid_size"`
		AskSize *Decimal   `json:"ask_size"`
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Time == nil || j.Bid == nil || j.Ask == nil || j.BidSize == nil || j.AskSize == nil {
		return invalid("quote", string(text), "give time, bid, ask, bid_size and ask_size (%s)", RuleIncomplete)
	}

	*q = Quote{Time: j.Time.UTC(), Seq: j.Seq, Bid: *j.Bid, Ask: *j.Ask, BidSize: *j.BidSize, AskSize: *j.AskSize}
	return nil
}

// Tick is what Ticks can be of.
type Tick interface {
	Trade | Quote
	fmt.Stringer

	row() tickRow
}

// tickRow is a tick in the form that the columns of Ticks share. A trade uses the first two numbers: price and size. A
// quote uses all: bid, ask, bid size, ask size.
type tickRow struct {
	time    time.Time
	seq     int64
	numbers [tickNumbers]Decimal
	side    Side
}

const tickNumbers = 4

func (t Trade) row() tickRow {
	return tickRow{time: t.Time, seq: t.Seq, numbers: [tickNumbers]Decimal{t.Price, t.Size}, side: t.Side}
}

func (q Quote) row() tickRow {
	return tickRow{time: q.Time, seq: q.Seq, numbers: [tickNumbers]Decimal{q.Bid, q.Ask, q.BidSize, q.AskSize}}
}

func tickOf[T Tick](r tickRow) (tick T) {
	switch t := any(&tick).(type) {
	case *Trade:
		*t = Trade{Time: r.time, Seq: r.seq, Price: r.numbers[0], Size: r.numbers[1], Side: r.side}
	case *Quote:
		*t = Quote{Time: r.time, Seq: r.seq, Bid: r.numbers[0], Ask: r.numbers[1], BidSize: r.numbers[2], AskSize: r.numbers[3]}
	}
	return tick
}

func equalRows(a, b tickRow) bool {
	for i := range a.numbers {
		if !a.numbers[i].Equal(b.numbers[i]) {
			return false
		}
	}
	return a.time.Equal(b.time) && a.seq == b.seq && a.side == b.side
}

// check refuses a row that no Ticks can hold.
func (r tickRow) check(symbol Symbol, sizes []Decimal) error {
	if !MicrosFloor(r.time).Time().Equal(r.time) {
		return &TickError{Rule: RuleTimeOutOfBounds, Symbol: symbol, Time: r.time, Seq: r.seq, Detail: "time is finer than a microsecond"}
	}
	if r.seq < 0 {
		return &TickError{Rule: RuleOutOfOrder, Symbol: symbol, Time: r.time, Seq: r.seq, Detail: "negative sequence number"}
	}

	for _, size := range sizes {
		if size.Sign() < 0 {
			return &TickError{Rule: RuleNegativeVolume, Symbol: symbol, Time: r.time, Seq: r.seq, Detail: "negative size"}
		}
	}

	return r.side.Validate()
}

// sizes is the row's numbers that must not be negative.
func sizes[T Tick](r *tickRow) []Decimal {
	var tick T
	if _, isTrade := any(tick).(Trade); isTrade {
		return r.numbers[1:2]
	}

	return r.numbers[2:4]
}

// TickError says that a trade or a quote breaks a rule.
type TickError struct {
	Rule   Rule
	Symbol Symbol
	Time   time.Time
	Seq    int64
	Detail string
}

// Error returns the symbol, the time, the number, the detail and the name of the rule.
func (e *TickError) Error() string {
	return fmt.Sprintf("%s at %s #%d: %s (%s)", e.Symbol, e.Time.UTC().Format(time.RFC3339Nano), e.Seq, e.Detail, e.Rule)
}
