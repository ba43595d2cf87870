package file_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

const someTrades = `time,id,side,price,size
2019-10-11T00:00:11.620Z,13519807,sell,0.00141342,23
2019-10-11T00:00:11.620Z,13519808,S,0.00141266,54
2019-10-11T00:00:12Z,13519809,,0.00141266,1
`

// collect returns all batches up to the first error.
func collect[T domain.Tick](batches iter.Seq2[file.TickBatch[T], error]) (all []file.TickBatch[T], err error) {
	for b, err := range batches {
		if err != nil {
			return all, err
		}
		all = append(all, b)
	}

	return all, nil
}

func tickConfig() file.TickConfig {
	return file.TickConfig{Symbol: "XRP/ETH", Format: file.Format{Name: "x.csv"}}
}

func TestReadTicksRecognizesColumns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"id", someTrades, "2019-10-11T00:00:11.62Z #13519807 sell 23 @ 0.00141342"},
		{"trade_id_and_amount", "timestamp,trade_id,price,amount\n1570752011620000,7,2,3\n",
			"2019-10-11T00:00:11.62Z #7 unknown 3 @ 2"},
		{"no_number", "time,price,size,side\n2019-10-11T00:00:11Z,2,3,BUY\n", "2019-10-11T00:00:11Z #0 buy 3 @ 2"},
		{"finer_than_microseconds", "time,price,size\n2019-10-11T00:00:11.123456789Z,2,3\n",
			"2019-10-11T00:00:11.123456Z #0 unknown 3 @ 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kind, whole := file.Recognize(strings.NewReader(test.text), file.Format{})
			all, err := collect(file.ReadTrades(whole, tickConfig()))
			if err != nil || kind != file.KindTrades || len(all) != 1 || all[0].Ticks.At(0).String() != test.want {
				t.Errorf("%s: got %v, %v; want %s", kind, all, err, test.want)
			}
		})
	}

	quotes := "\n\nts,bestBid,bestBidQty,bestAsk,bestAskQty\n" +
		"2018-04-04T00:01:00Z,7424.9,1.88483821,7424.91,33.35399601000002\n"
	kind, whole := file.Recognize(strings.NewReader(quotes), file.Format{})
	all, err := collect(file.ReadQuotes(whole, tickConfig()))
	const want = "2018-04-04T00:01:00Z #0 1.88483821 @ 7424.9 / 7424.91 @ 33.35399601000002"
	if err != nil || kind != file.KindQuotes || len(all) != 1 || all[0].Ticks.At(0).String() != want {
		t.Errorf("%s: got %v, %v; want %s", kind, all, err, want)
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text    string
		columns map[string]string
		want    file.Kind
	}{
		{"", nil, file.KindBars},
		{"time,open,high,low,close,volume\n", nil, file.KindBars},
		{"time,price,volume\n", nil, file.KindTrades},
		{"time,last,volume\n", nil, file.KindBars},
		{"time,last,volume\n", map[string]string{"price": "last"}, file.KindTrades},
		{"time,bid,ask", nil, file.KindQuotes},
		{"1522800000000,7424.91,7425\n", nil, file.KindBars},
		{strings.Repeat("\n", 1<<20) + "time,bid,ask\n", nil, file.KindBars}, // beyond the maximum line length
	} {
		kind, whole := file.Recognize(strings.NewReader(test.text), file.Format{Columns: test.columns})
		text, err := io.ReadAll(whole)
		if kind != test.want || err != nil || string(text) != test.text {
			t.Errorf("%.40q: %s, %d bytes, %v; want %s and the whole text", test.text, kind, len(text), err, test.want)
		}
	}
}

// A batch must end between two times, rows without a sequence number must be numbered within their time, and the ranges
// of batches must touch.
func TestReadTradesBatches(t *testing.T) {
	t.Parallel()
	const text = `time,price,size
2019-10-11T00:00:01Z,1,1
2019-10-11T00:00:02Z,2,1
2019-10-11T00:00:02Z,2,1
2019-10-11T00:00:02.0000004Z,2,1
2019-10-11T00:00:05Z,3,1
`
	cfg := tickConfig()
	cfg.BatchTicks = 2
	all, err := collect(file.ReadTrades(strings.NewReader(text), cfg))
	if err != nil || len(all) != 2 || all[0].Ticks.Len() != 4 || all[0].Truncated != 1 || all[1].Truncated != 0 {
		t.Fatalf("got %v, %v; want a batch of 4 and one of 1", all, err)
	}

	for i, want := range []int64{0, 0, 1, 2} {
		if got := all[0].Ticks.At(i).Seq; got != want {
			t.Errorf("trade %d has number %d; want %d", i, got, want)
		}
	}

	first, second := all[0].Range, all[1].Range
	if !first.End.Equal(second.Start) || second.End.Sub(second.Start) != 3*time.Second {
		t.Errorf("ranges %s and %s do not touch", first, second)
	}
	last := all[0].Ticks.At(3)
	var line *file.LineError
	err = all[0].Locate(&domain.TickError{Time: last.Time, Seq: last.Seq})
	if !errors.As(err, &line) || line.Line != 5 {
		t.Errorf("located as %v; want line 5", err)
	}
	other := &domain.TickError{Time: last.Time, Seq: last.Seq + 1}
	if err := all[0].Locate(other); !errors.Is(err, error(other)) || errors.As(err, &line) && line.Line != 5 {
		t.Errorf("located as %v; want the error unchanged", err)
	}
}

func TestReadTradesRepeated(t *testing.T) {
	t.Parallel()
	text := "time,id,price,size\n1570752011,7,1,1\n1570752011,7,1.0,1\n"
	all, err := collect(file.ReadTrades(strings.NewReader(text), tickConfig()))
	if err != nil || len(all) != 1 || all[0].Ticks.Len() != 1 || all[0].Repeated != 1 {
		t.Errorf("got %v, %v; want one trade, and one repeated", all, err)
	}
}

func TestReadTradesRejects(t *testing.T) {
	t.Parallel()
	const header = "time,id,side,price,size\n"
	for _, test := range []struct{ name, text, want string }{
		{"empty_file", "", "x.csv:1: the file is empty"},
		{"bars", "time,open,high,low,close,volume\n", "x.csv:1: the columns are those of bars, not of trades"},
		{"quotes", "time,bid,ask,bid_size,ask_size\n", "x.csv:1: the columns are those of quotes, not of trades"},
		{"no_header", "1570752011,7,1,1,1\n",
			"x.csv:1: the file has no header; the first line must name the columns, like time,seq,price,size,side"},
		{"two_sizes", "time,price,size,volume\n", `x.csv:1: "size" and "volume" can both be the size`},
		{"seq_not_a_number", header + "2019-10-11T00:00:11Z,a7,sell,1,1\n", `x.csv:2: seq: "a7" is not a whole number`},
		{"seq_negative", header + "2019-10-11T00:00:11Z,-7,sell,1,1\n", `x.csv:2: seq: "-7" is not a whole number`},
		{"side", header + "2019-10-11T00:00:11Z,7,up,1,1\n", `x.csv:2: side: "up" is neither buy nor sell`},
		{"price", header + "2019-10-11T00:00:11Z,7,sell,NaN,1\n", `x.csv:2: price: decimal "NaN"`},
		{"size_negative", header + "2019-10-11T00:00:11Z,7,sell,1,-1\n",
			"x.csv:2: XRP/ETH at 2019-10-11T00:00:11Z #7: negative size"},
		{"date", header + "2019-10-11,7,sell,1,1\n", `x.csv:2: time "2019-10-11" has no time zone`},
		{"out_of_order", header + "2019-10-11T00:00:11Z,7,sell,1,1\n2019-10-11T00:00:10Z,8,sell,1,1\n",
			"x.csv:3: 2019-10-11T00:00:10Z comes after"},
		{"seq_out_of_order", header + "1570752011,7,sell,1,1\n1570752011,6,sell,1,1\n",
			"x.csv:3: seq 6 comes after 7 of line 2"},
		{"seq_0_out_of_order", header + "1570752011,7,sell,1,1\n1570752011,0,sell,1,1\n",
			"x.csv:3: seq 0 comes after 7 of line 2"},
		{"seq_repeated", header + "1570752011,7,sell,1,1\n1570752011,7,sell,1,2\n", "x.csv:3: a second row of seq 7"},
		{"two_symbols", "symbol,time,price,size\nA,1570752011,1,1\nB,1570752012,1,1\n",
			`x.csv:3: trades of "B" after trades of "A"`},
		{"cell_missing", header + "1570752011,7,sell\n", "x.csv:2: 3 cells, but the first line has 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all, err := collect(file.ReadTrades(strings.NewReader(test.text), tickConfig()))
			var line *file.LineError
			if !errors.As(err, &line) || !errors.Is(err, domain.ErrInvalid) || len(all) > 0 {
				t.Fatalf("got %v and %v; want a LineError", all, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want an error with %q", err, test.want)
			}
		})
	}

	bad := tickConfig()
	bad.Symbol, bad.BatchTicks, bad.Format.TimeZone = "X,Y", -1, "Nowhere"
	err := bad.Validate()
	for _, want := range []string{"symbol", "batch", "time zone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention the %s", err, want)
		}
	}
}

// The instant of a rejected trade stays uncovered, so that all trades of it are rejected, wherever they stand.
func TestRejectedTradesLeaveTheirInstantUncovered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2019, 10, 11, 0, 0, 0, 0, time.UTC)
		text := "time,price,size\n"
		instant, last := 0, -1
		rejected := map[int]bool{}
		var instants []int // of the rows, in their order
		for range rapid.IntRange(1, 40).Draw(t, "rows") {
			instant = max(0, instant+rapid.SampledFrom([]int{0, 0, 1, 1, 1, 2, -1, -5}).Draw(t, "step"))
			size := rapid.SampledFrom([]string{"1", "2", "3", "4", "x"}).Draw(t, "size")
			text += fmt.Sprintf("%s,5,%s\n", start.Add(time.Duration(instant)*time.Microsecond).Format(time.RFC3339Nano), size)
			instants = append(instants, instant)
			if size == "x" || instant < last {
				rejected[instant] = true
			} else {
				last = instant
			}
		}
		want := len(slices.DeleteFunc(slices.Clone(instants), func(i int) bool { return rejected[i] }))

		rejects := 0
		cfg := file.TickConfig{Symbol: "A/B", BatchTicks: rapid.IntRange(1, 10).Draw(t, "batch")}
		cfg.Format.Reject = func(file.RejectedRow) error { rejects++; return nil }
		trades := 0
		for batch, err := range file.ReadTrades(strings.NewReader(text), cfg) {
			if err != nil {
				t.Fatal(err)
			}

			trades += batch.Ticks.Len()
			for i := range rejected {
				if batch.Range.Contains(start.Add(time.Duration(i) * time.Microsecond)) {
					t.Fatalf("%s contains microsecond %d, of which a row is rejected\n%s", batch.Range, i, text)
				}
			}
		}

		if trades != want || rejects != len(instants)-want {
			t.Fatalf("read %d trades and rejected %d, want %d of %d\n%s", trades, rejects, want, len(instants), text)
		}
	})
}

// A rejected row may stand far behind its place, which is between two batches.
func TestRejectedTradeBetweenBatches(t *testing.T) {
	t.Parallel()
	const text = "time,price,size\n2019-10-11T00:00:00Z,1,1\n2019-10-11T00:00:02Z,1,1\n2019-10-11T00:00:01Z,1,1\n"
	cfg := file.TickConfig{Symbol: "A/B", BatchTicks: 1}
	cfg.Format.Reject = func(file.RejectedRow) error { return nil }
	all, err := collect(file.ReadTrades(strings.NewReader(text), cfg))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if second := all[1]; !second.Range.Equal(second.Ticks.Range()) {
		t.Errorf("the range %s of the second batch is not that of its trade", second.Range)
	}
}

func TestReadTradesIsSingleUse(t *testing.T) {
	t.Parallel()
	batches := file.ReadTrades(strings.NewReader(someTrades), tickConfig())
	if _, err := collect(batches); err != nil {
		t.Fatal(err)
	}

	if _, err := collect(batches); err == nil {
		t.Error("the second use yields no error")
	}
}

// anyTicks draws ticks, several of which have the same time.
func anyTicks[T domain.Tick](draw func(t *rapid.T, at time.Time, seq int64) T) *rapid.Generator[domain.Ticks[T]] {
	return rapid.Custom(func(t *rapid.T) domain.Ticks[T] {
		b := domain.NewTicksBuilder[T]("XRP/ETH")
		at, seq := time.Date(2019, time.October, 11, 0, 0, 0, 0, time.UTC), int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "ticks") {
			if step := rapid.IntRange(0, 2).Draw(t, "step"); step > 0 {
				at, seq = at.Add(time.Duration(step)*time.Microsecond), 0
			}
			seq += rapid.Int64Range(1, 1<<40).Draw(t, "seq")
			if err := b.Append(draw(t, at, seq)); err != nil {
				t.Fatal(err)
			}
		}

		ticks, err := b.Ticks()
		if err != nil {
			t.Fatal(err)
		}

		return ticks
	})
}

// anySize draws a decimal that is not negative.
func anySize(t *rapid.T, name string) domain.Decimal {
	d, err := domain.NewDecimal(rapid.Int64Min(0).Draw(t, name), rapid.Uint8Range(0, 18).Draw(t, name+" scale"))
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func TestTicksRoundTrip(t *testing.T) {
	t.Parallel()
	t.Run("trades", func(t *testing.T) {
		t.Parallel()
		anyTrades := anyTicks(func(t *rapid.T, at time.Time, seq int64) domain.Trade {
			return domain.Trade{Time: at, Seq: seq, Price: anySize(t, "price"), Size: anySize(t, "size"),
				Side: domain.Side(rapid.Uint8Range(0, 2).Draw(t, "side"))}
		})
		rapid.Check(t, func(t *rapid.T) {
			assertRoundTrip(t, anyTrades.Draw(t, "trades"), file.NewTradeWriter, file.ReadTrades)
		})
	})
	t.Run("quotes", func(t *testing.T) {
		t.Parallel()
		anyQuotes := anyTicks(func(t *rapid.T, at time.Time, seq int64) domain.Quote {
			return domain.Quote{Time: at, Seq: seq, Bid: anySize(t, "bid"), Ask: anySize(t, "ask"),
				BidSize: anySize(t, "bid size"), AskSize: anySize(t, "ask size")}
		})
		rapid.Check(t, func(t *rapid.T) {
			assertRoundTrip(t, anyQuotes.Draw(t, "quotes"), file.NewQuoteWriter, file.ReadQuotes)
		})
	})
}

type newTickWriter[T domain.Tick] = func(io.Writer) *file.TickWriter[T]

type readTicks[T domain.Tick] = func(io.Reader, file.TickConfig) iter.Seq2[file.TickBatch[T], error]

// assertRoundTrip fails the test unless ticks that are written, as CSV and as NDJSON, and read with batches of several
// sizes are equal.
func assertRoundTrip[T domain.Tick](
	t interface{ Fatalf(string, ...any) }, want domain.Ticks[T], newWriter newTickWriter[T], read readTicks[T],
) {
	var text strings.Builder
	w := newWriter(&text)
	if err := errors.Join(w.Write(want), w.Flush()); err != nil {
		t.Fatalf("write: %v", err)
	}

	for format, text := range map[bool]string{false: text.String(), true: encodeLines(t, want.All())} {
		for _, batch := range []int{1, 3, 0} {
			cfg := tickConfig()
			cfg.BatchTicks, cfg.Format.NDJSON = batch, format
			all, err := collect(read(strings.NewReader(text), cfg))
			builder := domain.NewTicksBuilder[T]("XRP/ETH")
			for _, b := range all {
				for _, tick := range b.Ticks.All() {
					err = errors.Join(err, builder.Append(tick))
				}
				if b.Positional {
					t.Fatalf("positional: %v", b.Ticks)
				}
			}

			got, buildErr := builder.Ticks()
			if err != nil || buildErr != nil || !got.Equal(want) {
				t.Fatalf("wrote %v, read %v, %v\n%s", want, got, err, text)
			}
		}
	}
}

func FuzzReadTicks(f *testing.F) {
	for _, seed := range []string{
		someTrades, "time,price,size\n,,\n", "\n\n",
		"time,bid,ask,bid_size,ask_size\n2018-04-04T00:01:00Z,7424.9,7424.91,1.88483821,33.35399601000002\n",
		"t;id;p;s\n1570752011620;9223372036854775807;1;0\n",
		"time,price,size\n2019-10-11T00:00:11.0000001Z,1,1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kind, whole := file.Recognize(strings.NewReader(string(text)), file.Format{})
		switch kind {
		case file.KindTrades:
			assertRereadable(t, file.ReadTrades(whole, tickConfig()), file.NewTradeWriter, file.ReadTrades)
		case file.KindQuotes:
			assertRereadable(t, file.ReadQuotes(whole, tickConfig()), file.NewQuoteWriter, file.ReadQuotes)
		case file.KindBars:
		}
	})
}

// assertRereadable fails the test unless all batches up to the first error survive a round trip.
func assertRereadable[T domain.Tick](
	t *testing.T, batches iter.Seq2[file.TickBatch[T], error], newWriter newTickWriter[T], read readTicks[T],
) {
	all, _ := collect(batches) // invalid input may end in an error
	for _, b := range all {
		assertRoundTrip(t, b.Ticks, newWriter, read)
	}
}
