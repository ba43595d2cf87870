package file_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

var ndjson = file.Format{NDJSON: true}

// encodeLines writes each row as a line of JSON, as marketdata export does.
func encodeLines[R any](t interface{ Fatalf(string, ...any) }, rows iter.Seq2[int, R]) string {
	var text strings.Builder
	lines := json.NewEncoder(&text)
	for _, row := range rows {
		if err := lines.Encode(row); err != nil {
			t.Fatalf("encode: %v", err)
		}
	}

	return text.String()
}

func TestBarsOfNDJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := anySeries(t).Draw(rt, "series")
		text := encodeLines(rt, want.All())
		cfg := file.Config{Key: want.Key(), Format: ndjson, BatchBars: rapid.IntRange(1, 40).Draw(rt, "batch")}
		if got, _, err := readBars(strings.NewReader(text), cfg); err != nil || !got.Equal(want) {
			rt.Fatalf("wrote %v, read %v, %v from\n%s", want, got, err, text)
		}
	})
}

const minuteLine = `{"time":"2018-04-04T00:01:00Z","open":"1","high":"1","low":"1","close":"1","volume":"1","trades":5}`

// Fields may be in any order, strings may have escapes, numbers may be numbers, and an absent count is unknown.
func TestReadNDJSONAccepts(t *testing.T) {
	t.Parallel()
	want := domain.Bar{
		OpenTime: at(1, 2).Start, Open: domain.MustDecimal("1.5"), High: domain.MustDecimal("12345678901234567890.5"),
		Low: domain.MustDecimal("0.000000000000000001"), Close: domain.MustDecimal("100"), Volume: domain.MustDecimal("2"),
	}
	const numbers = `"open":1.50,"high":12345678901234567890.5,"low":"1e-18","close":1e2,"volume":"2"`
	for _, text := range []string{
		`{"time":"2018-04-04T00:01:00Z",` + numbers + `}`,
		"\xef\xbb\xbf" + `{"time":"2018-04-04T00:01:00Z",` + numbers + "}\r\n\n",
		` { "volume" : "2" , "close" : 100.0 , "low" : 0.000000000000000001, "high": "12345678901234567890.5",` +
			`"trades":null, "symbol":"A\"B{,}", "\u006fpen":"\u0031.5","time":1522800060}`,
		`{"time":"2018-04-04T00:01:00Z","symbol":null,"trades":0,` + numbers + `}`,
	} {
		bars, _, err := readBars(strings.NewReader(text), file.Config{Key: coverageKey, Format: ndjson})
		if err != nil || bars.Len() != 1 || !bars.At(0).Equal(want) {
			t.Errorf("%s: %v, %v", text, bars, err)
		}
	}
}

func TestReadNDJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, forged, want string }{
		{`"open"`, `"opne"`, `unknown field "opne"; the fields of bars are time, open, high, low, close, volume, trades, symbol`},
		{`"open":"1",`, ``, `the field "open" is missing or null`},
		{`"open":"1"`, `"open":null`, `the field "open" is missing or null`},
		{`"open":"1"`, `"open":"1","open":"1"`, `the field "open" is there twice`},
		{`"trades":5`, `"trades":null,"trades":5`, `the field "trades" is there twice`},
		{`"open":"1"`, `"open":true`, `open: true is neither a string nor a number`},
		{`"open":"1"`, `"open":{"a":["}",1]}`, `open: {"a":["}",1]} is neither a string nor a number`},
		{`"open":"1"`, `"open":""`, `open: decimal ""`},
		{`"open":"1"`, `"open":"+1"`, `open: decimal "+1"`},
		{`"open":"1"`, `"open":1e400`, `open: decimal "1e400"`},
		{`"trades":5`, `"trades":5.5`, `trades: "5.5" is not a count`},
		{`"trades":5`, `"trades":-1`, `trades: "-1" is not a count`},
		{`"time":"2018-04-04T00:01:00Z"`, `"time":"2018-04-04T00:01:30Z"`, `is not an open time of 1m bars`},
		{`"time":"2018-04-04T00:01:00Z"`, `"time":"2018-04-04T00:01:00"`, `has no time zone`},
		{`}`, ``, `the line is not a JSON object: unexpected end of JSON input`},
		{`}`, `} {}`, `the line is not a JSON object: invalid character '{' after top-level value`},
		{minuteLine, `[1, 2]`, `the line is not a JSON object: [1, 2]`},
		{minuteLine, `null`, `the line is not a JSON object: null`},
		{minuteLine, `{}`, `the field "time" is missing or null`},
		{minuteLine, strings.Repeat(" ", 70_000), `the line is longer than 65536 bytes`},
	} {
		text := strings.Replace(minuteLine, "00:01", "00:00", 1) + "\n\n" + strings.Replace(minuteLine, test.old, test.forged, 1)
		_, _, err := readBars(strings.NewReader(text), file.Config{Key: coverageKey, Format: ndjson})
		var line *file.LineError
		if !errors.As(err, &line) || line.Line != 3 || !strings.Contains(line.Err.Error(), test.want) {
			t.Errorf("%s:\n%v\nwant %s in line 3", test.forged, err, test.want)
		}
	}
}

// Rows have sequence numbers, or none has: else numbers from positions would mix with those of the source.
func TestSequenceNumbersOfNDJSON(t *testing.T) {
	t.Parallel()
	const without = `{"time":"2018-04-04T00:01:00Z","price":1,"size":1,"side":null}` + "\n"
	with := strings.Replace(without, `"price"`, `"seq":7,"price"`, 1)
	cfg := tickConfig()
	cfg.Format.NDJSON = true
	for _, text := range []string{without + with, with + without} {
		_, err := collect(file.ReadTrades(strings.NewReader(text), cfg))
		if err == nil || !strings.Contains(err.Error(), ":2: seq: some rows have it and some do not") {
			t.Errorf("%s: %v", text, err)
		}
	}

	all, err := collect(file.ReadTrades(strings.NewReader(without+without), cfg))
	if err != nil || len(all) != 1 || all[0].Ticks.Len() != 2 || !all[0].Positional {
		t.Fatalf("%v, %v", all, err)
	}
	if seq := all[0].Ticks.At(1).Seq; seq != 1 {
		t.Errorf("the second trade has the number %d", seq)
	}
}

// A rejected row leaves its time uncovered, where the time is readable, and the neighbours apart where it is not.
func TestRejectedRowsOfNDJSON(t *testing.T) {
	t.Parallel()
	var text string
	for minute, broken := range []string{"", `"hihg"`, "", "{", "", ""} {
		line := strings.Replace(minuteLine, "00:01", at(minute, minute+1).Start.Format("15:04"), 1)
		text += strings.Replace(line, `"high"`, max(broken, `"high"`), 1) + "\n"
	}
	var rejected []file.RejectedRow
	format := ndjson
	format.Reject = func(r file.RejectedRow) error {
		r.Row = bytes.Clone(r.Row)
		rejected = append(rejected, r)
		return nil
	}
	var covered []domain.Range
	bars, batches, err := readBars(strings.NewReader(text), file.Config{Key: coverageKey, Format: format})
	for _, b := range batches {
		covered = append(covered, b.Range)
	}
	if err != nil || bars.Len() != 4 || !slices.EqualFunc(covered, []domain.Range{at(0, 1), at(2, 3), at(4, 6)}, domain.Range.Equal) {
		t.Fatalf("%v covering %v, %v", bars, covered, err)
	}

	if len(rejected) != 2 || rejected[0].Line != 2 || !rejected[0].Range.Equal(at(1, 2)) ||
		rejected[1].Line != 4 || !rejected[1].Range.Empty() || !strings.Contains(text, string(rejected[1].Row)) {
		t.Errorf("rejected %+v", rejected)
	}
}

func TestRecognizeNDJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text    string
		columns map[string]string
		want    file.Kind
	}{
		{minuteLine, nil, file.KindBars},
		{"\n\xef\xbb\xbf" + minuteLine, nil, file.KindBars},
		{`{"time":1,"price":1,"size":1}`, nil, file.KindTrades},
		{`{"time":1,"last":1,"size":1}`, map[string]string{"price": "last"}, file.KindTrades},
		{"\xef\xbb\xbf" + `{"bid":1,"ask":1}` + "\n{", nil, file.KindQuotes},
		{"", nil, file.KindBars}, {"{", nil, file.KindBars}, {"[]", nil, file.KindBars},
	} {
		kind, whole := file.Recognize(strings.NewReader(test.text), file.Format{NDJSON: true, Columns: test.columns})
		text, err := io.ReadAll(whole)
		if kind != test.want || err != nil || string(text) != test.text {
			t.Errorf("%q: %s, %q, %v; want %s and the whole text", test.text, kind, text, err, test.want)
		}
	}
}

// Columns name the fields of others; a name for no column is an error.
func TestColumnsOfNDJSON(t *testing.T) {
	t.Parallel()
	format := ndjson
	format.Columns = map[string]string{file.ColumnOpen: "o"}
	text := strings.Replace(minuteLine, "open", "o", 1)
	if bars, _, err := readBars(strings.NewReader(text), file.Config{Key: coverageKey, Format: format}); err != nil || bars.Len() != 1 {
		t.Errorf("%v, %v", bars, err)
	}

	format.Columns = map[string]string{file.ColumnPrice: "o"}
	_, _, err := readBars(strings.NewReader(text), file.Config{Key: coverageKey, Format: format})
	if err == nil || !strings.Contains(err.Error(), `column "price" is not one of time, open`) {
		t.Error(err)
	}
}

func TestJSONIsNotCSV(t *testing.T) {
	t.Parallel()
	_, _, err := readBars(strings.NewReader(" "+minuteLine), file.Config{Key: coverageKey})
	var ambiguous *file.AmbiguousError
	if !errors.As(err, &ambiguous) || ambiguous.Setting != file.SettingNDJSON {
		t.Error(err)
	}
}

// FuzzReadNDJSON verifies that reading any text yields rows that survive a round trip, or an error of a line.
func FuzzReadNDJSON(f *testing.F) {
	for _, seed := range []string{
		minuteLine, minuteLine + "\n" + minuteLine, strings.ReplaceAll(minuteLine, `"1"`, `1.0`),
		`{"time":1522800060,"price":1,"size":1,"side":null,"symbol":"A"}`, `{"\u0074ime":"","bid":[{}],"ask":"\""}`,
		`{"time":"2018-04-04T00:01:00Z","seq":1,"bid":1,"ask":1e2,"bid_size":1,"ask_size":1}`,
		"\xef\xbb\xbf{ }\n", "{", "[1]\n", "null", "\"\n\"", "",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		kind, whole := file.Recognize(strings.NewReader(text), ndjson)
		cfg := tickConfig()
		cfg.Format.NDJSON = true
		switch kind {
		case file.KindTrades:
			assertRereadable(t, file.ReadTrades(whole, cfg), file.NewTradeWriter, file.ReadTrades)
		case file.KindQuotes:
			assertRereadable(t, file.ReadQuotes(whole, cfg), file.NewQuoteWriter, file.ReadQuotes)
		case file.KindBars:
			bars, _, err := readBars(whole, file.Config{Key: coverageKey, Format: ndjson, BatchBars: 3})
			if line := (*file.LineError)(nil); err != nil && (!errors.As(err, &line) || line.Line < 1) {
				t.Fatal(err)
			}

			again := encodeLines(t, bars.All())
			got, _, err := readBars(strings.NewReader(again), file.Config{Key: coverageKey, Format: ndjson})
			if bars.Len() > 0 && (err != nil || !got.Equal(bars)) {
				t.Fatalf("read %v, wrote it, read %v, %v", bars, got, err)
			}
		}
	})
}
