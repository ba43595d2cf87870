package domain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSideText(t *testing.T) {
	t.Parallel()
	for side, text := range map[Side]string{SideUnknown: "unknown", SideBuy: "buy", SideSell: "sell"} {
		got, err := ParseSide(text)
		if got != side || err != nil || side.String() != text || side.Validate() != nil {
			t.Errorf("%s: parsed as %s, %v", text, got, err)
		}
		var back Side
		if err := back.UnmarshalText(must(side.MarshalText())); back != side || err != nil {
			t.Errorf("%s: came back as %s, %v", text, back, err)
		}
	}

	for _, text := range []string{"", "Buy", "b", "buy ", "side 3"} {
		if _, err := ParseSide(text); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "unknown, buy, sell") {
			t.Errorf("%q: %v", text, err)
		}
	}

	beyond := Side(3)
	if _, err := beyond.MarshalText(); !errors.Is(err, ErrInvalid) || !errors.Is(beyond.Validate(), ErrInvalid) || beyond.String() != "side 3" {
		t.Errorf("%s: %v", beyond, err)
	}
}

func aTrade() Trade {
	return Trade{
		Time: utc("2019-10-11T00:00:11.62Z"), Seq: 13519807,
		Price: MustDecimal("0.00141342"), Size: MustDecimal("23"), Side: SideSell,
	}
}

func aQuote() Quote {
	return Quote{
		Time: utc("2018-04-04T00:01:00Z"), Seq: 2,
		Bid: MustDecimal("7424.9"), Ask: MustDecimal("7424.91"), BidSize: MustDecimal("1.88"), AskSize: MustDecimal("33.35"),
	}
}

func TestTickTexts(t *testing.T) {
	t.Parallel()
	if got := aTrade().String(); got != "2019-10-11T00:00:11.62Z #13519807 sell 23 @ 0.00141342" {
		t.Error(got)
	}
	if got := aQuote().String(); got != "2018-04-04T00:01:00Z #2 1.88 @ 7424.9 / 7424.91 @ 33.35" {
		t.Error(got)
	}
	err := &TickError{Rule: RuleOutOfOrder, Symbol: "A", Time: aTrade().Time, Seq: 3, Detail: "why"}
	if got := err.Error(); got != "A at 2019-10-11T00:00:11.62Z #3: why (out_of_order)" {
		t.Error(got)
	}
}

func TestTickEqualSeesEveryField(t *testing.T) {
	t.Parallel()
	one := MustDecimal("1")
	for name, change := range map[string]func(*Trade){
		"time": func(o *Trade) { o.Time = o.Time.Add(time.Microsecond) }, "seq": func(o *Trade) { o.Seq++ },
		"price": func(o *Trade) { o.Price = one }, "size": func(o *Trade) { o.Size = one }, "side": func(o *Trade) { o.Side = SideBuy },
	} {
		other := aTrade()
		if change(&other); other.Equal(aTrade()) {
			t.Errorf("trades of another %s are equal", name)
		}
	}

	for name, change := range map[string]func(*Quote){
		"time": func(o *Quote) { o.Time = o.Time.Add(time.Microsecond) }, "seq": func(o *Quote) { o.Seq++ },
		"bid": func(o *Quote) { o.Bid = one }, "ask": func(o *Quote) { o.Ask = one },
		"bid size": func(o *Quote) { o.BidSize = one }, "ask size": func(o *Quote) { o.AskSize = one },
	} {
		other := aQuote()
		if change(&other); other.Equal(aQuote()) {
			t.Errorf("quotes of another %s are equal", name)
		}
	}

	spelled := aTrade()
	spelled.Time, spelled.Size = spelled.Time.In(time.FixedZone("", 3600)), MustDecimal("23.00")
	if !spelled.Equal(aTrade()) {
		t.Error("a trade spelled otherwise is another")
	}
}

func TestTickJSON(t *testing.T) {
	t.Parallel()
	trade := must(json.Marshal(aTrade()))
	if got := string(trade); got != `{"time":"2019-10-11T00:00:11.62Z","seq":13519807,"price":"0.00141342","size":"23","side":"sell"}` {
		t.Error(got)
	}
	quote := must(json.Marshal(aQuote()))
	if got := string(quote); got !=
		`{"time":"2018-04-04T00:01:00Z","seq":2,"bid":"7424.9","ask":"7424.91","bid_size":"1.88","ask_size":"33.35"}` {
		t.Error(got)
	}

	holdsTickJSON(t, trade, aTrade().Equal, "time", "price", "size")
	holdsTickJSON(t, quote, aQuote().Equal, "time", "bid", "ask", "bid_size", "ask_size")
	for _, text := range []string{`{"side":"up"}`, `{"price":"x"}`, `[]`, `{"time":1}`} {
		if err := json.Unmarshal([]byte(text), new(Trade)); err == nil {
			t.Errorf("%s is a trade", text)
		}
	}

	if _, err := json.Marshal(Trade{Side: 3}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a side that is none: %v", err)
	}
	zoned := []byte(`{"time":"2020-01-01T02:00:00+02:00","price":1,"size":1}`)
	var back Trade
	if err := json.Unmarshal(zoned, &back); err != nil || back.Time != utc("2020-01-01T00:00:00Z") {
		t.Errorf("got %s, %v", back, err)
	}
}

// holdsTickJSON reads the text back, and wants each of the fields to be required.
func holdsTickJSON[T Tick](t *testing.T, text []byte, equal func(T) bool, required ...string) {
	t.Helper()
	var back T
	if err := json.Unmarshal(text, &back); err != nil || !equal(back) {
		t.Errorf("%s came back as %s, %v", text, back, err)
	}
	for _, name := range required {
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}

		delete(fields, name)
		if err := json.Unmarshal(must(json.Marshal(fields)), new(T)); !errors.Is(err, ErrInvalid) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestTickRequest(t *testing.T) {
	t.Parallel()
	at := utc("2020-01-01T00:00:00Z")
	for name, c := range map[string]struct {
		request TickRequest
		text    string
		ok      bool
	}{
		"all":         {TickRequest{Symbol: "A"}, "A [first tick, now)", true},
		"a range":     {TickRequest{Symbol: "A", Start: at, End: at.Add(1)}, "A [2020-01-01T00:00:00Z, 2020-01-01T00:00:00.000000001Z)", true},
		"first":       {TickRequest{Symbol: "A", Start: at, First: 3}, "A [2020-01-01T00:00:00Z, now) first 3", true},
		"last":        {TickRequest{Symbol: "A", End: at, Last: 3}, "A [first tick, 2020-01-01T00:00:00Z) last 3", true},
		"no symbol":   {TickRequest{}, " [first tick, now)", false},
		"comma":       {TickRequest{Symbol: "A,B"}, "A,B [first tick, now)", false},
		"backwards":   {TickRequest{Symbol: "A", Start: at.Add(1), End: at}, "A [2020-01-01T00:00:00.000000001Z, 2020-01-01T00:00:00Z)", false},
		"both":        {TickRequest{Symbol: "A", First: 1, Last: 1}, "A [first tick, now) first 1 last 1", false},
		"minus first": {TickRequest{Symbol: "A", First: -1}, "A [first tick, now)", false},
		"minus last":  {TickRequest{Symbol: "A", Last: -1}, "A [first tick, now)", false},
	} {
		err := c.request.Validate()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) || c.request.String() != c.text {
			t.Errorf("%s: %v, %q", name, err, c.request.String())
		}
	}
}
