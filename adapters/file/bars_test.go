package file_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

func key(tb testing.TB, text string) domain.SeriesKey {
	tb.Helper()
	k, err := domain.ParseSeriesKey(text)
	if err != nil {
		tb.Fatal(err)
	}

	return k
}

func decimal(n int) domain.Decimal { return domain.MustDecimal(strconv.Itoa(n)) }

// readBars reads a whole file as one Series, and returns its batches too.
func readBars(r io.Reader, cfg file.Config) (domain.Series, []file.Batch, error) {
	all := domain.NewSeriesBuilder(cfg.Key, 0)
	var batches []file.Batch
	for b, err := range file.ReadBars(r, cfg) {
		if err != nil {
			return domain.Series{}, batches, err
		}
		if err := all.AppendSeries(b.Bars); err != nil {
			return domain.Series{}, batches, err
		}

		batches = append(batches, b)
	}

	s, err := all.Series()

	return s, batches, err
}

func TestReadBarsRecognizesColumns(t *testing.T) {
	t.Parallel()
	want := "2018-04-04T00:00:00Z o=7424.91 h=7425 l=7422 c=7422.5 v=7.14319709"
	for _, test := range []struct {
		name, text, trades string
		cfg                file.Config
	}{
		{name: "as_written_by_BarWriter", trades: " n=12",
			text: "time,open,high,low,close,volume,trades\n" +
				"2018-04-04T00:00:00Z,7424.91,7425,7422,7422.5,7.14319709,12\n"},
		{name: "no_trade_count", trades: "",
			text: "time,open,high,low,close,volume\n2018-04-04T00:00:00Z,7424.91,7425,7422,7422.5,7.14319709"},
		{name: "single_letters_milliseconds", trades: " n=3",
			text: "t,o,h,l,c,v,n\n1522800000000,7424.91,7425,7422,7422.5,7.14319709,3\n"},
		{name: "spaces_and_capitals", trades: " n=3",
			text: "Open Time, Open , High, Low, Close, Volume, Number of Trades\n" +
				"1522800000, 7424.91,7425 ,7422,7422.5,7.14319709,3\n"},
		{name: "crlf_and_byte_order_mark", trades: "",
			text: "\xef\xbb\xbfdate;open;high;low;close;volume\r\n" +
				"2018-04-04 00:00:00+00:00;7424.91;7425;7422;7422.5;7.14319709\r\n\r\n"},
		{name: "tabs_and_microseconds", trades: "",
			text: "ts\topen\thigh\tlow\tclose\tvolume\n1522800000000000\t7424.91\t7425\t7422\t7422.5\t7.14319709\n"},
		{name: "nanoseconds", trades: "",
			text: "ts,open,high,low,close,volume\n1522800000000000000,7424.91,7425,7422,7422.5,7.14319709\n"},
		{name: "offset", trades: "",
			text: "timestamp,open,high,low,close,volume\n" +
				"2018-04-04T02:00:00+02:00,7424.91,7425,7422,7422.5,7.14319709\n"},
		{name: "numbers_as_pandas_writes_them", trades: " n=12",
			text: "timestamp,open,high,low,close,volume,count\n" +
				"1522800000.0,7424.91,7425.0,7422.0,7422.5,7.14319709,12.0\n"},
		{name: "quotes", trades: "",
			text: "\"time\",\"open\",\"high\",\"low\",\"close\",\"volume\"\n" +
				"\"2018-04-04T00:00:00Z\",\"7424.91\",7425,7422,7422.5,7.14319709\n"},
		{name: "zone_named", trades: "", cfg: file.Config{Format: file.Format{TimeZone: "America/New_York"}},
			text: "time,open,high,low,close,volume\n2018-04-03 20:00:00,7424.91,7425,7422,7422.5,7.14319709\n"},
		{name: "unit_named", trades: "", cfg: file.Config{Format: file.Format{TimeUnit: file.Seconds}},
			text: "time,open,high,low,close,volume\n1522800000,7424.91,7425,7422,7422.5,7.14319709\n"},
		{name: "columns_named", trades: "",
			cfg: file.Config{Format: file.Format{Columns: map[string]string{"time": "unix", "volume": "Volume (BTC)"}}},
			text: "unix,date,symbol,open,high,low,close,Volume (BTC),Volume USD\n" +
				"1522800000,4/4/2018,BTCUSD,7424.91,7425,7422,7422.5,7.14319709,53000\n"},
		{name: "klines_without_header", trades: " n=12",
			text: "1522800000000,7424.91,7425,7422,7422.5,7.14319709,1522800059999,53018.1,12,3.5,26000.1,0\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := test.cfg
			cfg.Key = key(t, "BTC/USD 1m")
			s, _, err := readBars(strings.NewReader(test.text), cfg)
			if err != nil {
				t.Fatal(err)
			}

			if s.Len() != 1 || s.At(0).String() != want+test.trades {
				t.Errorf("got %v, %v; want one bar %s%s", s, s.At(0), want, test.trades)
			}
		})
	}
}

func TestReadBarsRejects(t *testing.T) {
	t.Parallel()
	const header = "time,open,high,low,close,volume,trades\n"
	const row = "2018-04-04T00:00:00Z,7424.91,7425,7422,7422.5,7.1,12\n"
	for _, test := range []struct {
		name, text, want string // want: the line and a part of the reason
		cfg              file.Config
	}{
		{name: "empty_file", want: "x.csv:1: the file is empty"},
		{name: "trades", text: "time,id,side,price,size\n2019-10-11T00:00:11.620Z,1,sell,0.1,23\n",
			want: "x.csv:1: the columns are those of trades"},
		{name: "quotes", text: "time,bid,ask,bid_size,ask_size\n", want: "x.csv:1: the columns are those of quotes"},
		{name: "no_volume", text: "time,open,high,low,close\n", want: "x.csv:1: no column is known to be volume"},
		{name: "two_times", text: "unix,date,open,high,low,close,volume\n",
			want: `x.csv:1: "unix" and "date" can both be the time`},
		{name: "named_column_absent", text: header, want: `x.csv:1: no column "vol" for volume`,
			cfg: file.Config{Format: file.Format{Columns: map[string]string{"volume": "vol"}}}},
		{name: "named_column_unknown", text: header, want: `x.csv:1: column "size" is not one of`,
			cfg: file.Config{Format: file.Format{Columns: map[string]string{"size": "volume"}}}},
		{name: "no_header", text: row, want: "x.csv:1: the file has no header"},
		{name: "klines_of_another_grid", want: "x.csv:1: the row looks like a Binance kline of 1h0m0s, not of 1m",
			text: "1522800000000,7424.91,7425,7422,7422.5,7.14319709,1522803599999,53018.1,12,3.5,26000.1,0\n"},
		{name: "cell_missing", text: header + row + "2018-04-04T00:01:00Z,7424.91,7425\n",
			want: "x.csv:3: 3 cells, but the first line has 7"},
		{name: "price_missing", text: header + "2018-04-04T00:00:00Z,,7425,7422,7422.5,7.1,12\n",
			want: "x.csv:2: open: decimal \"\""},
		{name: "price_nan", text: header + "2018-04-04T00:00:00Z,NaN,7425,7422,7422.5,7.1,12\n",
			want: "x.csv:2: open: decimal \"NaN\""},
		{name: "decimal_comma", text: "time;open;high;low;close;volume\n2018-04-04T00:00:00Z;1,5;2;1;1;1\n",
			want: "x.csv:2: open: decimal \"1,5\""},
		{name: "too_many_digits", text: header + "2018-04-04T00:00:00Z,1.0000000000000000001,2,1,1,1,1\n",
			want: "x.csv:2: open: decimal"},
		{name: "count_negative", text: header + "2018-04-04T00:00:00Z,1,2,1,1,1,-1\n",
			want: `x.csv:2: trades: "-1" is not a count`},
		{name: "off_grid", text: header + "2018-04-04T00:00:30Z,1,2,1,1,1,1\n",
			want: "x.csv:2: 2018-04-04T00:00:30Z is not an open time of 1m bars"},
		{name: "out_of_order", text: header + row + "2018-04-03T23:59:00Z,1,2,1,1,1,1\n",
			want: "x.csv:3: 2018-04-03T23:59:00Z comes after"},
		{name: "two_bars_of_one_time", text: header + row + "\n" + strings.Replace(row, ",12", ",13", 1),
			want: "x.csv:4: a second bar of 2018-04-04T00:00:00Z, which differs from line 2"},
		{name: "stray_quote", text: header + `2018-04-04T00:00:00Z,"1"2,2,1,1,1,1`, want: "x.csv:2: a quote"},
		{name: "open_quote", text: header + `2018-04-04T00:00:00Z,"1,2,1,1,1,1`, want: "x.csv:2: a quote"},
		{name: "binary_file", text: "\x7fELF\x00\x00\n", want: "x.csv:1: a zero byte in the line"},
		{name: "banner", text: "https://www.example.com\n" + header + row,
			want: `x.csv:1: the line does not name the columns, like time,open,high,low,close,volume,trades; it is "https:`},
		{name: "banner_in_cells", text: "Report,for,ACME\n" + header + row, want: "x.csv:1: the line does not name"},
		{name: "other_names", text: "Zeit,A,B,C,D,E\n", want: "x.csv:1: no column is known to be time, open"},
		{name: "binary_names", text: "\x89PNG\r\n", want: "x.csv:1: the line is not text in UTF-8"},
		{name: "binary_quote", text: header + "\xff\xfe\"x\n", want: "x.csv:2: the line is not text in UTF-8"},
		{name: "gzip", text: "\x1f\x8b\x08\x00\n", want: "x.csv:1: the file is compressed with gzip"},
		{name: "long_line", text: header + strings.Repeat("1", 70_000), want: "x.csv:2: the line is longer"},
		{name: "two_symbols", text: "symbol,t,o,h,l,c,v\nA,1522800000,1,1,1,1,1\nB,1522800060,1,1,1,1,1\n",
			want: `x.csv:3: bars of "B" after bars of "A"`},
		{name: "time_without_zone", text: header + "2018-04-04 00:00:00,1,2,1,1,1,1\n",
			want: `x.csv:2: time "2018-04-04 00:00:00" has no time zone`},
		{name: "date_of_1m_bars", text: header + "2018-04-04,1,2,1,1,1,1\n",
			want: `x.csv:2: time "2018-04-04" has no time zone`},
		{name: "american_date", text: header + "04/05/2018,1,2,1,1,1,1\n",
			want: `x.csv:2: time "04/05/2018" is neither like`},
		{name: "time_of_unclear_unit", text: header + "20180404,1,2,1,1,1,1\n",
			want: `x.csv:2: the unit of time "20180404" is unclear`},
		{name: "time_that_may_be_a_date", text: header + "2033040400,1,2,1,1,1,1\n",
			want: `x.csv:2: the unit of time "2033040400" is unclear`},
		{name: "units_mixed", text: header + "1522800000,1,2,1,1,1,1\n1522800060000,1,2,1,1,1,1\n",
			want: `x.csv:3: time "1522800060000" looks like ms`},
		{name: "local_time_does_not_exist", text: header + "2018-03-11 02:30,1,2,1,1,1,1\n",
			want: "does not exist in America/New_York",
			cfg:  file.Config{Format: file.Format{TimeZone: "America/New_York"}}},
		{name: "local_time_occurs_twice", text: header + "2018-11-04 01:30,1,2,1,1,1,1\n",
			want: "occurs twice in America/New_York",
			cfg:  file.Config{Format: file.Format{TimeZone: "America/New_York"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := test.cfg
			cfg.Key, cfg.Format.Name = key(t, "BTC/USD 1m"), "x.csv"
			s, batches, err := readBars(strings.NewReader(test.text), cfg)
			var line *file.LineError
			if !errors.As(err, &line) || !errors.Is(err, domain.ErrInvalid) {
				t.Fatalf("got %v and %v; want a LineError", s, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want an error with %q", err, test.want)
			}
			if len(batches) > 0 {
				t.Errorf("%d batches before the error; want none", len(batches))
			}
		})
	}
}

func TestDatesAreInZoneOfGrid(t *testing.T) {
	t.Parallel()
	for grid, want := range map[string]string{
		"1d": "2018-11-04T00:00:00Z", "1d@America/New_York": "2018-11-04T04:00:00Z",
		"1d@America/Sao_Paulo": "2018-11-04T03:00:00Z", // a day without a midnight
		"1d@America/Havana":    "2018-11-04T04:00:00Z", // a day with two
	} {
		s, _, err := readBars(strings.NewReader("Date,Open,High,Low,Close,Adj Close,Volume\n2018-11-04,1,2,1,1,1,5\n"),
			file.Config{Key: key(t, "ACME "+grid)})
		if err != nil {
			t.Fatal(err)
		}

		if got := s.OpenTime(0).Format(time.RFC3339); got != want {
			t.Errorf("%s: opens at %s; want %s", grid, got, want)
		}
	}
}

func TestReadBarsBatches(t *testing.T) {
	t.Parallel()
	text := `t,o,h,l,c,v
1522800000,1,1,1,1,1
1522800060,1,1,1,1,1
1522800060,1.0,1,1,1,1

1522800300,1,2,1,1,1
1522800360,1,1,1,1,1
1522800420,1,1,1,1,1
1522800420,1,1,1,1,1
`
	k := key(t, "BTC/USD 1m")
	cfg := file.Config{Format: file.Format{Name: "x.csv"}, Key: k, BatchBars: 2}
	_, batches, err := readBars(strings.NewReader(text), cfg)
	if err != nil {
		t.Fatal(err)
	}

	var got strings.Builder
	for _, b := range batches {
		fmt.Fprintf(&got, "%d %s %d\n", b.Bars.Len(), b.Range, b.Repeated)
	}
	const want = `2 [2018-04-04T00:00:00Z, 2018-04-04T00:02:00Z) 1
2 [2018-04-04T00:02:00Z, 2018-04-04T00:07:00Z) 0
1 [2018-04-04T00:07:00Z, 2018-04-04T00:08:00Z) 1
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	cause := &domain.RuleError{Rule: domain.RuleHighBelowOpenOrClose, Key: k, At: time.Unix(1522800300, 0)}
	if got := batches[1].Locate(fmt.Errorf("ingest: %w", cause)).Error(); !strings.HasPrefix(got, "x.csv:6: ingest: ") {
		t.Errorf("located as %q; want line 6", got)
	}
	if got := batches[0].Locate(cause).Error(); got != cause.Error() {
		t.Errorf("located an error about a bar of another batch: %s", got)
	}
}

func TestReadBarsIsSingleUse(t *testing.T) {
	t.Parallel()
	text := "t,o,h,l,c,v\n1522800000,1,1,1,1,1\n"
	batches := file.ReadBars(strings.NewReader(text), file.Config{Key: key(t, "BTC/USD 1m")})
	for range batches {
		break
	}
	for _, err := range batches {
		if err == nil {
			t.Fatal("the second use yields bars; want an error")
		}
	}
}

// anySeries draws 1m bars, some with numbers of more than 64 bits.
func anySeries(tb testing.TB) *rapid.Generator[domain.Series] {
	k := key(tb, "BTC/USD 1m")
	decimal := rapid.Custom(func(t *rapid.T) domain.Decimal {
		return domain.MustDecimal(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,18})?`).Draw(t, "decimal"))
	})

	return rapid.Custom(func(t *rapid.T) domain.Series {
		b := domain.NewSeriesBuilder(k, 0)
		minute := int64(0)
		for range rapid.IntRange(0, 30).Draw(t, "bars") {
			minute += rapid.Int64Range(1, 100).Draw(t, "step")
			err := b.Append(domain.Bar{
				OpenTime: time.Unix(minute*60, 0),
				Open:     decimal.Draw(t, "open"), High: decimal.Draw(t, "high"),
				Low: decimal.Draw(t, "low"), Close: decimal.Draw(t, "close"),
				Volume: decimal.Draw(t, "volume"), Trades: rapid.Int64Min(0).Draw(t, "trades"),
			})
			if err != nil {
				t.Fatal(err)
			}
		}

		s, err := b.Series()
		if err != nil {
			t.Fatal(err)
		}

		return s
	})
}

func TestBarsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := anySeries(t).Draw(rt, "series")
		cut := rapid.IntRange(0, want.Len()).Draw(rt, "cut")
		var text strings.Builder
		w := file.NewBarWriter(&text)
		for _, part := range []domain.Series{want.Slice(0, cut), want.Slice(cut, want.Len())} {
			if err := w.Write(part); err != nil {
				rt.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			rt.Fatal(err)
		}

		batch := rapid.IntRange(1, 40).Draw(rt, "batch")
		got, batches, err := readBars(strings.NewReader(text.String()), file.Config{Key: want.Key(), BatchBars: batch})
		if err != nil {
			rt.Fatal(err)
		}
		if !got.Equal(want) {
			rt.Fatalf("wrote %v, read %v from\n%s", want, got, text.String())
		}

		for i, b := range batches {
			if i > 0 && !b.Range.Start.Equal(batches[i-1].Range.End) || !b.Range.Covers(b.Bars.Range()) {
				rt.Fatalf("batch %d, %v, has the range %v", i, b.Bars, b.Range)
			}
		}
	})
}

func FuzzReadBars(f *testing.F) {
	for _, seed := range []string{
		"time,open,high,low,close,volume\n2018-04-04T00:00:00Z,7424.91,7424.91,7422,7422,7.14319709\n",
		"t;o;h;l;c;v;n\r\n1522800000000;1;2;1;1;1;12.0\r\n",
		"\xef\xbb\xbf\"Open Time\",open,high,low,close,\"vol\"\n\"2018-04-04 00:00:00\",1,2,\"1\"\"\",1,1",
		"1522800000000,7424.91,7425,7422,7422.5,7.14319709,1522800059999,53018.1,12,3.5,26000.1,0\n",
		"date,open,high,low,close,volume\n2018-11-04 01:30,1,1,1,1,1\n-1.5,1,1,1,1,1\n",
		"time,price,size\n", "time,bid,ask\n", "\"", ",,,\n\n", "",
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "America/New_York")
	}

	k := key(f, "BTC/USD 1m")
	f.Fuzz(func(t *testing.T, text []byte, zone string) {
		cfg := file.Config{Key: k, BatchBars: 3, Format: file.Format{TimeZone: zone}}
		input := string(text)
		rejected := 0
		cfg.Format.Reject = func(r file.RejectedRow) error {
			if rejected++; r.Line < 1 || r.Reason == nil {
				t.Fatalf("rejected %+v", r)
			}
			return nil
		}
		accepted, _, acceptedErr := readBars(strings.NewReader(input), cfg)
		cfg.Format.Reject = nil
		s, _, err := readBars(strings.NewReader(input), cfg)
		if err == nil && rejected == 0 && (acceptedErr != nil || !accepted.Equal(s)) {
			t.Fatalf("read %v with Reject, which no row was passed to, and %v, %v without", s, accepted, acceptedErr)
		}
		if err != nil || s.Len() == 0 {
			return
		}

		var written strings.Builder
		w := file.NewBarWriter(&written)
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}

		reread, _, err := readBars(strings.NewReader(written.String()), file.Config{Key: k})
		if err != nil || !reread.Equal(s) {
			t.Fatalf("read %v, wrote it, read %v, %v", s, reread, err)
		}
	})
}

// Rows that are malformed, out of order or a second bar of their time must be passed to Reject one by one, and the other
// rows must be read. No batch covers the time of a rejected row, unless another row has the bar of that time.
func TestRejectedRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
		text, bad := "time,open,high,low,close,volume\n", ""
		var want []domain.Bar
		minute, last := 0, -1
		stored, rejected := map[int]bool{}, map[int]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "rows") {
			minute = max(0, minute+rapid.SampledFrom([]int{1, 1, 1, 1, 1, 2, 3, 0, -1, -5}).Draw(t, "step"))
			openTime := start.Add(time.Duration(minute) * time.Minute)
			high := rapid.IntRange(2, 4).Draw(t, "high")
			kind := rapid.IntRange(0, 12).Draw(t, "kind")
			row := fmt.Sprintf("%s,%d,%d,1,2,3\n", openTime.Format(time.RFC3339), high, high)
			if kind < 3 {
				row = fmt.Sprintf([]string{"%s,1,1,1,x,1\n", "%s,1,0.5,1,1,1\n", "%s,\"1\",1\n"}[kind], openTime.Format(time.RFC3339))
			}

			text += row
			bar := domain.Bar{
				OpenTime: openTime, Open: decimal(high), High: decimal(high), Low: decimal(1), Close: decimal(2), Volume: decimal(3),
			}
			switch {
			case kind >= 3 && minute == last && bar.Equal(want[len(want)-1]): // repeated
			case kind >= 3 && minute > last:
				want, last, stored[minute] = append(want, bar), minute, true
			default:
				bad, rejected[minute] = bad+row, true
			}
		}

		cfg := file.Config{
			Key: domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}, BatchBars: rapid.IntRange(1, 10).Draw(t, "batch"),
		}
		passed := ""
		cfg.Format.Reject = func(r file.RejectedRow) error {
			if r.Line < 2 || r.Reason == nil || r.Range.End.Sub(r.Range.Start) != time.Minute {
				t.Fatalf("rejected %+v", r)
			}

			passed += string(r.Row) + "\n"

			return nil
		}
		var got []domain.Bar
		var covered []domain.Range
		for batch, err := range file.ReadBars(strings.NewReader(text), cfg) {
			if err != nil {
				t.Fatal(err)
			}

			for _, b := range batch.Bars.All() {
				got = append(got, b)
			}
			covered = append(covered, batch.Range)
		}

		if !slices.EqualFunc(got, want, domain.Bar.Equal) || passed != bad {
			t.Fatalf("read %v, rejected %q; want %v, %q", got, passed, want, bad)
		}

		covers := func(minute int) bool {
			at := start.Add(time.Duration(minute) * time.Minute)
			return slices.ContainsFunc(covered, func(r domain.Range) bool { return r.Contains(at) })
		}
		for minute := range last + 1 {
			if covers(minute) && rejected[minute] && !stored[minute] || stored[minute] && !covers(minute) {
				t.Fatalf("minute %d: covered %t, rejected %t, stored %t; ranges %v",
					minute, covers(minute), rejected[minute], stored[minute], covered)
			}
		}
		if len(rejected) == 0 && len(want) > 0 && len(domain.MergeRanges(covered)) != 1 {
			t.Fatalf("no row was rejected, but the ranges %v do not touch", covered)
		}
	})
}

// Where a valid row is stored, another one of its time that is rejected takes nothing from the coverage.
func TestRejectedSecondRowOfABar(t *testing.T) {
	t.Parallel()
	const text = "time,open,high,low,close,volume\n2018-04-04T00:01:00Z,1,1,1,1,1\n2018-04-04T00:03:00Z,1,1,1,1,1\n" +
		"2018-04-04T00:04:00Z,1,1,1,1,1\n2018-04-04T00:01:00Z,1,1,1,1,2\n"
	for batch := 1; batch <= 4; batch++ {
		cfg := file.Config{Key: coverageKey, BatchBars: batch}
		cfg.Format.Reject = func(file.RejectedRow) error { return nil }
		bars, batches, err := readBars(strings.NewReader(text), cfg)
		var covered []domain.Range
		for _, b := range batches {
			covered = append(covered, b.Range)
		}
		if covered = domain.MergeRanges(covered); err != nil || bars.Len() != 3 || len(covered) != 1 || !covered[0].Equal(at(1, 5)) {
			t.Errorf("batches of %d: %v covering %v, %v", batch, bars, covered, err)
		}
	}
}

// The unit of times is that of valid rows.
func TestRejectedRowDoesNotDetermineTheUnit(t *testing.T) {
	t.Parallel()
	const text = "time,open,high,low,close,volume\n1522800000,1\n1522800060000,1,1,1,1,1\n"
	cfg := file.Config{Key: coverageKey}
	cfg.Format.Reject = func(file.RejectedRow) error { return nil }
	if bars, _, err := readBars(strings.NewReader(text), cfg); err != nil || bars.Len() != 1 {
		t.Errorf("%v, %v", bars, err)
	}
}

// A reader that can be read only once cannot reject rows, because a row out of order would leave its time covered.
func TestRejectNeedsSeeker(t *testing.T) {
	t.Parallel()
	cfg := file.Config{
		Key:    domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()},
		Format: file.Format{Reject: func(file.RejectedRow) error { return nil }},
	}
	_, _, err := readBars(io.MultiReader(strings.NewReader("time,open,high,low,close,volume\n")), cfg)
	if err == nil || !strings.Contains(err.Error(), "io.Seeker") {
		t.Errorf("got %v, want an error that asks for an io.Seeker", err)
	}
}

// The first reading, which finds the rejected rows, begins where the reader stands.
func TestRejectBeginsWhereTheReaderStands(t *testing.T) {
	t.Parallel()
	in := strings.NewReader("# preamble\ntime,open,high,low,close,volume\n2018-04-04T00:00:00Z,1,1,1,1,1\n")
	if _, err := in.Seek(int64(len("# preamble\n")), io.SeekStart); err != nil {
		t.Fatal(err)
	}

	cfg := file.Config{
		Key:    domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()},
		Format: file.Format{Reject: func(file.RejectedRow) error { return nil }},
	}
	if s, _, err := readBars(in, cfg); err != nil || s.Len() != 1 {
		t.Errorf("read %v, %v; want the bar", s, err)
	}
}

// A row of a later time than Format.Now is malformed: its error names the line, and it can be rejected.
func TestRowsOfTheFuture(t *testing.T) {
	t.Parallel()
	const text = "time,open,high,low,close,volume\n2018-04-04T00:00:00Z,1,1,1,1,1\n2018-04-04T05:01:00Z,1,1,1,1,1\n"
	cfg := file.Config{
		Key:    domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()},
		Format: file.Format{Name: "live.csv", Now: time.Date(2018, 4, 4, 0, 1, 30, 0, time.UTC)},
	}
	_, _, err := readBars(strings.NewReader(text), cfg)
	const want = `live.csv:3: time "2018-04-04T05:01:00Z" is in the future, because it is 2018-04-04T00:01:30Z now; ` +
		"check its time zone and unit"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	rejected := 0
	cfg.Format.Reject = func(file.RejectedRow) error { rejected++; return nil }
	if s, _, err := readBars(strings.NewReader(text), cfg); err != nil || s.Len() != 1 || rejected != 1 {
		t.Errorf("read %v, %v and rejected %d; want one bar and one row", s, err, rejected)
	}
}

func TestErrorOfRejectEndsReading(t *testing.T) {
	t.Parallel()
	errFull := errors.New("disk full")
	cfg := file.TickConfig{Symbol: "A/B", Format: file.Format{Reject: func(file.RejectedRow) error { return errFull }}}
	text := "time,price,size\n2018-04-04T00:00:00Z,1,1\n2018-04-04T00:00:01Z,x,1\n2018-04-04T00:00:02Z,1,1\n"
	var last error
	for _, err := range file.ReadTrades(strings.NewReader(text), cfg) {
		last = err
	}
	if !errors.Is(last, errFull) {
		t.Errorf("got %v, want the error that Reject returned", last)
	}
}
