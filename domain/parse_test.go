package domain

import (
	"encoding"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// textual is a word of the domain with a text form.
type textual interface {
	comparable
	encoding.TextMarshaler
	String() string
	Validate() error
}

// holdsText proves of one input of a parser: it is refused as invalid, or accepted as a valid value whose text is read
// back as that value, as text and in JSON.
func holdsText[T textual, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, s string, parse func(string) (T, error)) {
	t.Helper()
	v, err := parse(s)
	var unmarshalled T
	if uerr := P(&unmarshalled).UnmarshalText([]byte(s)); (uerr == nil) != (err == nil) || err == nil && unmarshalled != v {
		t.Fatalf("%q parses as %v, %v, and unmarshals as %v, %v", s, v, err, unmarshalled, uerr)
	}
	if err != nil {
		if !errors.Is(err, ErrInvalid) {
			t.Fatalf("%q: %v does not wrap ErrInvalid", s, err)
		}
		return
	}
	if err := v.Validate(); err != nil {
		t.Fatalf("%q is accepted and not valid: %v", s, err)
	}

	again, err := parse(v.String())
	if err != nil || again != v {
		t.Fatalf("%q is %v, which reads back as %v, %v", s, v, again, err)
	}

	b, err := json.Marshal(struct{ V T }{v})
	if err != nil {
		t.Fatal(err)
	}

	var back struct{ V T }
	if err := json.Unmarshal(b, &back); err != nil || back.V != v {
		t.Fatalf("%s is %v, %v; want %v", b, back.V, err, v)
	}
}

func FuzzParseFrequency(f *testing.F) {
	for _, s := range []string{"1m", "60m", "24h", "86400s", "7d", "12M", "1200M", "1201M", "100000s", "0m", "01m", "-1m", "m", "", "1", "1x", "1_0m", "99999999999m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsText(t, s, ParseFrequency) })
}

func FuzzParseGrid(f *testing.F) {
	for _, s := range []string{"1m", "1d", "1d@America/New_York", "1M@UTC", "1h@Europe/London", "1d@", "1d@Local", "1d@../x", "1d@a@b", "@", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsText(t, s, ParseGrid) })
}

func FuzzParsePriceType(f *testing.F) {
	for _, s := range append([]string{"", "Trade", "trades"}, priceTypes[:]...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsText(t, s, ParsePriceType) })
}

func FuzzParseSide(f *testing.F) {
	for _, s := range append([]string{"", "Buy"}, sides[:]...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsText(t, s, ParseSide) })
}

func FuzzQualityPolicyText(f *testing.F) {
	for _, s := range append([]string{"", "Fail"}, qualityPolicies[:]...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		holdsText(t, s, func(s string) (p QualityPolicy, err error) {
			err = p.UnmarshalText([]byte(s))
			return p, err
		})
	})
}

func FuzzParseSymbol(f *testing.F) {
	for _, s := range []string{"BTC/USD", "COINBASE:BTC/USD", "BTC/USDT:USDT-240628-70000-C", "^GSPC", "ES=F", "kPEPE", "BTC,USD", "", " ", "A;DROP", "É", ":", "A\x00",
		strings.Repeat("A", MaxSymbolLength), strings.Repeat("A", MaxSymbolLength+1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		symbol, err := ParseSymbol(s)
		wellFormed := len(s) >= 1 && len(s) <= MaxSymbolLength && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-^=$+&#@!") == ""
		if wellFormed != (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("%q: %v", s, err)
		}
		if string(symbol) != s {
			t.Fatalf("%q was altered to %q", s, symbol)
		}
		if err != nil {
			return
		}

		whole := symbol.Instrument()
		if v := symbol.Venue(); v != "" {
			whole = v + ":" + whole
		}
		if whole != s || strings.ContainsAny(symbol.Venue(), "/:") {
			t.Fatalf("%q is venue %q and instrument %q", s, symbol.Venue(), symbol.Instrument())
		}
	})
}

func FuzzParseSeriesKey(f *testing.F) {
	for _, s := range []string{"BTC/USD 1m", "BTC/USD 1d@America/New_York bid", "BTC/USD 1m trade", "BTC/USD", "BTC/USD  1m", " 1m", "a 1m", "A 1m x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseSeriesKey(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: %v does not wrap ErrInvalid", s, err)
			}
			return
		}

		again, err := ParseSeriesKey(key.String())
		if err != nil || again != key || key.Validate() != nil {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, key, again, err)
		}

		var back SeriesKey
		if err := json.Unmarshal(must(json.Marshal(key)), &back); err != nil || back != key {
			t.Fatalf("%q through JSON is %v, %v", s, back, err)
		}
	})
}

func FuzzSeriesJSON(f *testing.F) {
	f.Add([]byte(`{"symbol":"A","frequency":"1m","price_type":"bid","bars":[{"time":"2018-01-01T00:00:00Z","open":"1","high":2,"low":"0.5","close":"1","volume":"0","trades":0}]}`))
	f.Add([]byte(`{"symbol":"A","frequency":"1m","price_type":"trade","bars":[{"time":"2018-01-01T00:00:01Z","open":"1","high":"2","low":"1","close":"1","volume":"0","trades":0}]}`))
	f.Add([]byte(`{"symbol":"A","frequency":"1m","price_type":"trade","bars":[{"time":"2018-01-01T00:00:00Z","open":null,"high":"2"}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, back Series
		if json.Unmarshal(b, &s) != nil {
			return
		}

		again, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%s was read and is not written: %v", b, err)
		}
		if err := json.Unmarshal(again, &back); err != nil || !back.Equal(s) {
			t.Fatalf("%s came back as %s, %v", s, back, err)
		}
	})
}

func TestParsersSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		parse func() error
		want  string
	}{
		{"symbol with a blank", func() error { _, err := ParseSymbol("BTC USD"); return err }, `symbol "BTC USD": only letters, digits and ._:/-^=$+&#@! are allowed`},
		{"empty symbol", func() error { _, err := ParseSymbol(""); return err }, `symbol "": empty; name one like BTC/USD`},
		{"long symbol", func() error { _, err := ParseSymbol(strings.Repeat("A", 100)); return err },
			`symbol "` + strings.Repeat("A", maxValueBytes) + `...": 100 bytes; at most 64`},
		{"frequency", func() error { _, err := ParseFrequency("1x"); return err },
			`frequency "1x": not a frequency like 1s 5m 1h 1d 1w 1M (m is minute, M is month)`},
		{"zone below a day", func() error { _, err := ParseGrid("1h@Europe/London"); return err },
			`frequency "1h@Europe/London": a time zone needs a frequency of a day or longer`},
		{"unknown zone", func() error { _, err := ParseGrid("1d@Mars"); return err },
			`frequency "1d@Mars": unknown time zone; give an IANA name like America/New_York`},
		{"machine's zone", func() error { _, err := ParseGrid("1d@Local"); return err },
			`frequency "1d@Local": unknown time zone; give an IANA name like America/New_York`},
		{"price type", func() error { _, err := ParsePriceType("last"); return err }, `price type "last": one of trade, bid, ask, mid, mark, index`},
		{"series key", func() error { _, err := ParseSeriesKey("BTC/USD"); return err },
			`series key "BTC/USD": write a symbol, a frequency and optionally a price type, like "BTC/USD 1m bid"`},
		{"decimal", func() error { _, err := ParseDecimal("1,5"); return err }, `decimal "1,5": not a decimal number like 123.45`},
	} {
		if err := c.parse(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestValuesMadeByConversionAreRefused(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]interface {
		Validate() error
		String() string
	}{
		"price type":          PriceType(99),
		"side":                Side(99),
		"policy":              QualityPolicy(99),
		"no frequency":        Frequency(0),
		"unknown unit":        Frequency(1),
		"count of none":       Frequency(uint32(UnitMinute) << countBits),
		"not canonical":       Frequency(uint32(UnitMinute)<<countBits | 60),
		"no grid":             Grid{},
		"no key":              SeriesKey{},
		"key without a grid":  SeriesKey{Symbol: "A"},
		"key of unknown kind": SeriesKey{Symbol: "A", Grid: Minute1.UTC(), PriceType: 99},
	} {
		if err := v.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if m, ok := v.(encoding.TextMarshaler); ok {
			if b, err := m.MarshalText(); err == nil {
				t.Errorf("%s: marshals as %s", name, b)
			}
		}

		if v.String() == "" {
			t.Errorf("%s prints as nothing", name)
		}
	}
}
