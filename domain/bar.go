package domain

import (
	"encoding/json"
	"fmt"
	"time"
)

// Bar summarizes the trading from its open time, included, to the next edge of its grid, excluded.
type Bar struct {
	OpenTime time.Time `json:"time"` // UTC, on the grid
	Open     Decimal   `json:"open"`
	High     Decimal   `json:"high"`
	Low      Decimal   `json:"low"`
	Close    Decimal   `json:"close"`
	Volume   Decimal   `json:"volume"`
	Trades   int64     `json:"trades"` // not negative; 0 means unknown, unless Volume is 0
}

// Equal reports whether all fields are equal. It compares decimals as numbers, so 1.0 equals 1.00.
func (b Bar) Equal(o Bar) bool {
	return b.OpenTime.Equal(o.OpenTime) && b.Trades == o.Trades &&
		b.Open.Equal(o.Open) && b.High.Equal(o.High) && b.Low.Equal(o.Low) &&
		b.Close.Equal(o.Close) && b.Volume.Equal(o.Volume)
}

// String returns the bar on one line: "2018-04-04T00:00:00Z o=7424.91 h=7424.91 l=7422 c=7422 v=7.14319709 n=31". An
// unknown trade count is left out.
func (b Bar) String() string {
	s := fmt.Sprintf("%s o=%s h=%s l=%s c=%s v=%s",
		b.OpenTime.Format(time.RFC3339Nano), b.Open, b.High, b.Low, b.Close, b.Volume)
	if b.HasTradeCount() {
		s += fmt.Sprintf(" n=%d", b.Trades)
	}

	return s
}

// HasTradeCount reports whether the number of trades is known.
func (b Bar) HasTradeCount() bool { return !hasUnknownTrades(b.Trades, b.Volume.IsZero()) }

// barJSON is the JSON encoding of a Bar.
type barJSON struct {
	Time   *time.Time `json:"time"`
	Open   *Decimal   `json:"open"`
	High   *Decimal   `json:"high"`
	Low    *Decimal   `json:"low"`
	Close  *Decimal   `json:"close"`
	Volume *Decimal   `json:"volume"`
	Trades *int64     `json:"trades"`
}

// MarshalJSON returns an object with the numbers as strings. An unknown trade count is null.
func (b Bar) MarshalJSON() ([]byte, error) {
	j := barJSON{
		Time: &b.OpenTime, Open: &b.Open, High: &b.High, Low: &b.Low, Close: &b.Close, Volume: &b.Volume,
	}
	if b.HasTradeCount() {
		j.Trades = &b.Trades
	}

	return json.Marshal(j)
}

// UnmarshalJSON parses a bar. It returns an error that wraps ErrInvalid if the time or one of the five numbers is
// missing, because a missing number is not 0. Trades may be missing or null.
func (b *Bar) UnmarshalJSON(text []byte) error {
	var j barJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Time == nil || j.Open == nil || j.High == nil || j.Low == nil || j.Close == nil || j.Volume == nil {
		return invalid("bar", string(text), "give time, open, high, low, close and volume (%s)", RuleIncomplete)
	}

	*b = Bar{
		OpenTime: j.Time.UTC(), Open: *j.Open, High: *j.High, Low: *j.Low, Close: *j.Close,
		Volume: *j.Volume,
	}
	if j.Trades != nil {
		b.Trades = *j.Trades
	}

	return nil
}
