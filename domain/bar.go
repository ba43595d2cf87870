package domain

import (
	"encoding/json"
	"fmt"
	"time"
)

// Bar is what was traded from its open time to the next edge of its grid.
type Bar struct {
	OpenTime time.Time `json:"time"` // UTC, on the grid
	Open     Decimal   `json:"open"`
	High     Decimal   `json:"high"`
	Low      Decimal   `json:"low"`
	Close    Decimal   `json:"close"`
	Volume   Decimal   `json:"volume"`
	Trades   int64     `json:"trades"` // 0 is unknown, unless Volume is 0
}

// Equal reports whether both bars say the same, numbers compared as numbers.
func (b Bar) Equal(o Bar) bool {
	return b.OpenTime.Equal(o.OpenTime) && b.Trades == o.Trades &&
		b.Open.Equal(o.Open) && b.High.Equal(o.High) && b.Low.Equal(o.Low) && b.Close.Equal(o.Close) && b.Volume.Equal(o.Volume)
}

// String is one line: "2018-04-04T00:00:00Z o=7424.91 h=7424.91 l=7422 c=7422 v=7.14319709 n=0".
func (b Bar) String() string {
	return fmt.Sprintf("%s o=%s h=%s l=%s c=%s v=%s n=%d",
		b.OpenTime.Format(time.RFC3339Nano), b.Open, b.High, b.Low, b.Close, b.Volume, b.Trades)
}

// UnmarshalJSON reads a bar and refuses one without its time or one of its five numbers: what is absent is not 0.
func (b *Bar) UnmarshalJSON(text []byte) error {
	var j struct {
		Time   *time.Time `json:"time"`
		Open   *Decimal   `json:"open"`
		High   *Decimal   `json:"high"`
		Low    *Decimal   `json:"low"`
		Close  *Decimal   `json:"close"`
		Volume *Decimal   `json:"volume"`
		Trades int64      `json:"trades"`
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Time == nil || j.Open == nil || j.High == nil || j.Low == nil || j.Close == nil || j.Volume == nil {
		return invalid("bar", string(text), "give time, open, high, low, close and volume (%s)", RuleIncomplete)
	}

	*b = Bar{OpenTime: j.Time.UTC(), Open: *j.Open, High: *j.High, Low: *j.Low, Close: *j.Close, Volume: *j.Volume, Trades: j.Trades}
	return nil
}
