package domain

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Side is the side of the aggressor of a trade. The zero value is SideUnknown.
type Side uint8

// The sides.
const (
	SideUnknown Side = iota
	SideBuy
	SideSell
)

var sides = [...]string{"unknown", "buy", "sell"}

// ParseSide parses buy, sell or unknown. It returns an error that wraps ErrInvalid for any other text.
func ParseSide(s string) (Side, error) {
	for i, text := range sides {
		if s == text {
			return Side(i), nil
		}
	}

	return 0, invalid("side", s, "one of %s", strings.Join(sides[:], ", "))
}

// Validate returns an error that wraps ErrInvalid if the side is none of the constants.
func (s Side) Validate() error {
	if int(s) >= len(sides) {
		return invalid("side", s.String(), "one of %s", strings.Join(sides[:], ", "))
	}
	return nil
}

// String returns the text of the side.
func (s Side) String() string {
	if int(s) < len(sides) {
		return sides[s]
	}
	return "side " + strconv.Itoa(int(s))
}

// MarshalText returns String, or the error of Validate.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), s.Validate() }

// UnmarshalText parses the text as ParseSide does.
func (s *Side) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSide(string(b))
	return err
}

// Trade is one execution. Time and Seq together identify it and determine its order.
type Trade struct {
	Time  time.Time `json:"time"` // UTC, whole microseconds
	Seq   int64     `json:"seq"`  // number that the source gives, or position within the same instant; not negative
	Price Decimal   `json:"price"`
	Size  Decimal   `json:"size"` // not negative
	Side  Side      `json:"side"`
}

// Quote is the best bid and ask from its time on. Time and Seq together identify it and determine its order.
type Quote struct {
	Time    time.Time `json:"time"` // UTC, whole microseconds
	Seq     int64     `json:"seq"`  // number that the source gives, or position within the same instant; not negative
	Bid     Decimal   `json:"bid"`
	Ask     Decimal   `json:"ask"`
	BidSize Decimal   `json:"bid_size"` // not negative
	AskSize Decimal   `json:"ask_size"` // not negative
}

// Equal reports whether all fields are equal. It compares decimals as numbers.
func (t Trade) Equal(o Trade) bool { return equalRows(t.row(), o.row()) }

// Equal reports whether all fields are equal. It compares decimals as numbers.
func (q Quote) Equal(o Quote) bool { return equalRows(q.row(), o.row()) }

// String returns one line: "2019-10-11T00:00:11.62Z #13519807 sell 23 @ 0.00141342".
func (t Trade) String() string {
	return fmt.Sprintf("%s #%d %s %s @ %s", t.Time.Format(time.RFC3339Nano), t.Seq, t.Side, t.Size, t.Price)
}

// String returns one line: "2018-04-04T00:01:00Z #0 1.88 @ 7424.9 / 7424.91 @ 33.35".
func (q Quote) String() string {
	return fmt.Sprintf("%s #%d %s @ %s / %s @ %s",
		q.Time.Format(time.RFC3339Nano), q.Seq, q.BidSize, q.Bid, q.Ask, q.AskSize)
}

// UnmarshalJSON parses a trade. It returns an error that wraps ErrInvalid if the time, price or size is missing,
// because a missing number is not 0.
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

// UnmarshalJSON parses a quote. It returns an error that wraps ErrInvalid if the time or one of the four numbers is
// missing, because a missing number is not 0.
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

// Tick is a trade or a quote.
type Tick interface {
	Trade | Quote
	fmt.Stringer

	row() tickRow
}

// tickRow is a trade or a quote in the layout of the columns of Ticks. The numbers of a trade are price and size; those
// of a quote are bid, ask, bid size and ask size.
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

// tickOf returns the row as a trade or a quote.
func tickOf[T Tick](r tickRow) (tick T) {
	switch t := any(&tick).(type) {
	case *Trade:
		*t = Trade{Time: r.time, Seq: r.seq, Price: r.numbers[0], Size: r.numbers[1], Side: r.side}
	case *Quote:
		*t = Quote{
			Time: r.time, Seq: r.seq, Bid: r.numbers[0], Ask: r.numbers[1], BidSize: r.numbers[2], AskSize: r.numbers[3],
		}
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

// check returns an error if the row cannot be in Ticks. sizes are the numbers that must not be negative.
func (r tickRow) check(symbol Symbol, sizes []Decimal) error {
	if !MicrosFloor(r.time).Time().Equal(r.time) {
		return &TickError{Rule: RuleTimeOutOfBounds, Symbol: symbol, Time: r.time, Seq: r.seq,
			Detail: "time is finer than a microsecond"}
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

// sizes returns the numbers of the row that must not be negative.
func sizes[T Tick](r *tickRow) []Decimal {
	var tick T
	if _, isTrade := any(tick).(Trade); isTrade {
		return r.numbers[1:2]
	}

	return r.numbers[2:4]
}

// TickError is the error for a trade or quote that breaks a rule.
type TickError struct {
	Rule   Rule
	Symbol Symbol
	Time   time.Time
	Seq    int64
	Detail string
}

// Error returns "symbol at time #seq: detail (rule)".
func (e *TickError) Error() string {
	return fmt.Sprintf("%s at %s #%d: %s (%s)", e.Symbol, e.Time.UTC().Format(time.RFC3339Nano), e.Seq, e.Detail, e.Rule)
}
