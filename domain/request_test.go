package domain

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestDataRequestValidate(t *testing.T) {
	t.Parallel()
	day, next := utc("2018-01-01T00:00:00Z"), utc("2018-01-02T00:00:00Z")
	for _, c := range []struct {
		name  string
		alter func(*DataRequest)
		ok    bool
	}{
		{"all of a series", func(*DataRequest) {}, true},
		{"from", func(r *DataRequest) { r.Start = day }, true},
		{"to", func(r *DataRequest) { r.End = day }, true},
		{"range", func(r *DataRequest) { r.Start, r.End = day, next }, true},
		{"empty range", func(r *DataRequest) { r.Start, r.End = day, day }, true},
		{"first", func(r *DataRequest) { r.First = 1 }, true},
		{"last", func(r *DataRequest) { r.Last = 1 }, true},
		{"flag", func(r *DataRequest) { r.Quality = QualityFlag }, true},
		{"reversed", func(r *DataRequest) { r.Start, r.End = next, day }, false},
		{"first and last", func(r *DataRequest) { r.First, r.Last = 1, 1 }, false},
		{"negative first", func(r *DataRequest) { r.First = -1 }, false},
		{"negative last", func(r *DataRequest) { r.Last = -1 }, false},
		{"no symbol", func(r *DataRequest) { r.Key.Symbol = "" }, false},
		{"no grid", func(r *DataRequest) { r.Key.Grid = Grid{} }, false},
		{"kind", func(r *DataRequest) { r.Key.PriceType = 99 }, false},
		{"policy", func(r *DataRequest) { r.Quality = 99 }, false},
		{"year 10000", func(r *DataRequest) { r.End = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
	} {
		r := DataRequest{Key: minuteKey()}
		c.alter(&r)
		if err := r.Validate(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok {
			continue
		}

		var back DataRequest
		if err := json.Unmarshal(must(json.Marshal(r)), &back); err != nil || back != r {
			t.Errorf("%s: through JSON %v, %v", c.name, back, err)
		}
	}

	r := DataRequest{Key: minuteKey(), Start: day, Last: 5}
	if want := "BTC/USD 1m [2018-01-01T00:00:00Z, now) last 5"; r.String() != want {
		t.Errorf("%s, want %s", r, want)
	}
}

func TestSymbolMeta(t *testing.T) {
	t.Parallel()
	for symbol, want := range map[Symbol]SymbolMeta{
		"BTC/USD":                      {Base: "BTC", Quote: "USD"},
		"COINBASE:BTC/USD":             {Venue: "COINBASE", Base: "BTC", Quote: "USD"},
		"BTC/USDT:USDT-240628-70000-C": {Base: "BTC", Quote: "USDT"},
		"BINANCE:BTC/USDT:USDT-240628": {Venue: "BINANCE", Base: "BTC", Quote: "USDT"},
		"NYSE:IBM":                     {Venue: "NYSE"},
		"IBM":                          {},
		":IBM":                         {},
		"/":                            {},
		"XNAS:BRK.B":                   {Venue: "XNAS"},
	} {
		want.Symbol = symbol
		if got := NewSymbolMeta(symbol); !got.Equal(want) || got.Validate() != nil {
			t.Errorf("%s: %+v, want %+v", symbol, got, want)
		}
	}

	for name, m := range map[string]SymbolMeta{
		"symbol": {Symbol: "B,C"},
		"tick":   {Symbol: "A", Tick: MustDecimal("-1")},
		"lot":    {Symbol: "A", Lot: MustDecimal("-0.1")},
		"zone":   {Symbol: "A", Zone: "Mars"},
	} {
		if err := m.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if m.Equal(SymbolMeta{Symbol: "A"}) {
			t.Errorf("%s makes no difference", name)
		}
	}

	m := SymbolMeta{Symbol: "A", Tick: MustDecimal("0.010"), Zone: "America/New_York"}
	var back SymbolMeta
	if err := json.Unmarshal(must(json.Marshal(m)), &back); err != nil || !back.Equal(m) || m.Validate() != nil {
		t.Errorf("%+v, %v", back, err)
	}
}
