package parquet_test

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// writeBars returns a file of the parts.
func writeBars(t tester, key domain.SeriesKey, parts ...domain.Series) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := parquet.NewBarWriter(&file, key)
	if err != nil {
		t.Fatalf("NewBarWriter: %v", err)
	}

	for _, s := range parts {
		if err := w.Write(s); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	return file.Bytes()
}

func readBars(file []byte, cfg parquet.Config) iter.Seq2[domain.Series, error] {
	batches := parquet.ReadBars(bytes.NewReader(file), int64(len(file)), cfg)
	return func(yield func(domain.Series, error) bool) {
		for b, err := range batches {
			if !yield(b.Bars, err) {
				return
			}
		}
	}
}

// collect joins the batches, none of which may be empty.
func collect(key domain.SeriesKey, batches iter.Seq2[domain.Series, error]) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, 0)
	for s, err := range batches {
		if err != nil {
			return domain.Series{}, err
		}
		if s.Len() == 0 {
			return domain.Series{}, errors.New("an empty batch")
		}
		if err := b.AppendSeries(s); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

func TestBarsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := gen.Key().Draw(t, "key")
		want := gen.Bars(key, gen.Range(key.Grid).Draw(t, "range"), 60).Draw(t, "bars")
		cut := rapid.IntRange(0, want.Len()).Draw(t, "cut")
		file := writeBars(t, key, want.Slice(0, cut), want.Slice(cut, want.Len()))
		cfg := parquet.Config{BatchBars: rapid.IntRange(0, 20).Draw(t, "batch")}
		if rapid.Bool().Draw(t, "key configured") {
			cfg.Key = key
		}
		got, err := collect(key, readBars(file, cfg))
		if err != nil || !got.Equal(want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

// Row groups must be full whatever the sizes of the writes, and batches must end with their group.
func TestLongSeries(t *testing.T) {
	t.Parallel()
	want := gen.Walk("BTC/USD", 67_000)
	file := writeBars(t, want.Key(), want.Slice(0, 3), want.Slice(3, 60_001), want.Slice(60_001, want.Len()))
	got, err := collect(want.Key(), readBars(file, parquet.Config{}))
	if err != nil || !got.Equal(want) {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}

	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}

	if n := len(f.RowGroups()); n != 2 {
		t.Errorf("%d row groups, want 2", n)
	}
}

// Columns must be read without high words and at the smallest scale, so that further processing is as fast as from a
// store.
func TestReadColumnsAreNarrow(t *testing.T) {
	t.Parallel()
	want := gen.Walk("BTC/USD", 1000)
	got, err := collect(want.Key(), readBars(writeBars(t, want.Key(), want), parquet.Config{}))
	if err != nil {
		t.Fatal(err)
	}

	if c := got.Columns(); c.Open.Hi != nil || c.Volume.Hi != nil || c.PriceScale > want.Columns().PriceScale {
		t.Errorf("columns are wide, or of scale %d", c.PriceScale)
	}
}

func TestWriterRejects(t *testing.T) {
	t.Parallel()
	if _, err := parquet.NewBarWriter(&bytes.Buffer{}, domain.SeriesKey{}); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no key: %v, want ErrInvalid", err)
	}
	s := gen.Walk("BTC/USD", 9)
	var file bytes.Buffer
	w, err := parquet.NewBarWriter(&file, s.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(s.Slice(0, 5)); err != nil {
		t.Fatal(err)
	}

	if err := w.Write(s.Slice(4, 6)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("a repeated bar: %v, want ErrInvalid", err)
	}
	if err := w.Write(gen.Walk("ETH/USD", 20).Slice(9, 20)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("bars of another key: %v, want ErrInvalid", err)
	}
	if err := w.Write(s.Slice(5, 9)); err != nil {
		t.Errorf("Write after rejected writes: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if got, err := collect(s.Key(), readBars(file.Bytes(), parquet.Config{})); err != nil || !got.Equal(s) {
		t.Errorf("got %v, %v; want %v", got, err, s)
	}
	if err := w.Write(s); err == nil {
		t.Error("Write after Close: no error")
	}
}

func TestWriterReportsFullDisk(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 3000)
	for _, free := range []int{0, 10_000, len(writeBars(t, s.Key(), s)) - 1} {
		w, err := parquet.NewBarWriter(&limitedDisk{free}, s.Key())
		if err != nil {
			t.Fatal(err)
		}

		if err := errors.Join(w.Write(s), w.Close()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%d bytes free: %v", free, err)
		}
	}
}

func TestSequenceIsSingleUse(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 9)
	bars := readBars(writeBars(t, s.Key(), s), parquet.Config{BatchBars: 2})
	for range bars {
		break
	}
	for _, err := range bars {
		if err == nil {
			t.Error("second use: no error")
		}
	}
}

// Files as notebooks write them must be readable. Each contains two 1m bars of price 1.5 and volume 7.
func TestReadNotebookFiles(t *testing.T) {
	t.Parallel()
	minute := int64(time.Minute / time.Microsecond)
	key := gen.MinuteKey("BTC/USD")
	n := int64(1_500_000)
	p := func(v int64) *int64 { return &v }
	type narrow struct { // integers, other scales and order, no trades
		Volume int64   `parquet:"volume"`
		Close  int32   `parquet:"close,decimal(1:9)"`
		Low    [3]byte `parquet:"low,decimal(3:6)"`
		High   int64   `parquet:"high,decimal(18:18)"`
		Open   int64   `parquet:"open,decimal(6:18)"`
		Time   int64   `parquet:"time,timestamp(millisecond)"`
	}
	type nullable struct {
		Time   *int64 `parquet:"time,timestamp(nanosecond)"`
		Open   *int64 `parquet:"open,decimal(6:18)"`
		High   *int64 `parquet:"high,decimal(6:18)"`
		Low    *int64 `parquet:"low,decimal(6:18)"`
		Close  *int64 `parquet:"close,decimal(6:18)"`
		Volume *int64 `parquet:"volume,decimal(0:18)"`
		Trades *int32 `parquet:"trades"`
	}
	zero := int32(0)
	low := [3]byte{0, 5, 220}
	for _, test := range []struct {
		name string
		file []byte
	}{
		{"narrow", encode(t,
			narrow{7, 15, low, 1_500_000_000_000_000_000, n, 0},
			narrow{7, 15, low, 1_500_000_000_000_000_000, n, minute / 1000})},
		{"nullable", encode(t,
			nullable{p(0), p(n), p(n), p(n), p(n), p(7), &zero},
			nullable{p(minute * 1000), p(n), p(n), p(n), p(n), p(7), nil})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := collect(key, readBars(test.file, parquet.Config{Key: key}))
			if err != nil || got.Len() != 2 {
				t.Fatalf("got %v, %v", got, err)
			}

			price := domain.MustDecimal("1.5")
			want := domain.Bar{
				OpenTime: time.Unix(60, 0).UTC(), Open: price, High: price, Low: price, Close: price,
				Volume: domain.MustDecimal("7"),
			}
			if b := got.At(1); !b.Equal(want) {
				t.Errorf("got %v, want %v", b, want)
			}
		})
	}
}

// simpleBar is a row of a file of bars that a test can damage.
type simpleBar struct {
	Time   *int64 `parquet:"time,timestamp(microsecond)"`
	Open   *int64 `parquet:"open,decimal(2:18)"`
	High   int64  `parquet:"high,decimal(2:18)"`
	Low    int64  `parquet:"low,decimal(2:18)"`
	Close  int64  `parquet:"close,decimal(2:18)"`
	Volume int64  `parquet:"volume,decimal(2:18)"`
	Trades *int64 `parquet:"trades"`
}

func TestReaderRejects(t *testing.T) {
	t.Parallel()
	key := gen.MinuteKey("BTC/USD")
	rows := func(damage func(rows []simpleBar)) []byte {
		var rows []simpleBar
		for i := range int64(5) {
			openTime, open, trades := i*60_000_000, int64(100), int64(1)
			rows = append(rows, simpleBar{&openTime, &open, 1, 1, 1, 1, &trades})
		}

		damage(rows)

		return encode(t, rows...)
	}
	type prices struct {
		Open   int64 `parquet:"open"`
		High   int64 `parquet:"high"`
		Low    int64 `parquet:"low"`
		Close  int64 `parquet:"close"`
		Volume int64 `parquet:"volume"`
	}
	type local struct {
		Time int64 `parquet:"time,timestamp(microsecond:local)"`
		prices
	}
	type number struct {
		Time int64 `parquet:"time"`
		prices
	}
	type nanos struct {
		Time int64 `parquet:"time,timestamp(nanosecond)"`
		prices
	}
	type millis struct {
		Time int64 `parquet:"time,timestamp(millisecond)"`
		prices
	}
	type foreign struct {
		Time  int64  `parquet:"time,timestamp(microsecond)"`
		Index string `parquet:"__index_level_0__"`
		prices
	}
	type listVolume struct {
		Time   int64   `parquet:"time,timestamp(microsecond)"`
		Open   float64 `parquet:"open"`
		High   int64   `parquet:"high"`
		Low    int64   `parquet:"low"`
		Volume []int64 `parquet:"volume"`
	}
	type wrongTypes struct {
		Time   int64    `parquet:"time,timestamp(microsecond)"`
		Open   float64  `parquet:"open"`
		High   string   `parquet:"high"`
		Low    [16]byte `parquet:"low,decimal(20:38)"`
		Close  uint64   `parquet:"close"`
		Volume [17]byte `parquet:"volume,decimal(2:40)"`
		Trades uint32   `parquet:"trades"`
	}
	type wide struct {
		Time   int64    `parquet:"time,timestamp(microsecond)"`
		Open   [16]byte `parquet:"open,decimal(0:38)"`
		High   int64    `parquet:"high"`
		Low    int64    `parquet:"low"`
		Close  int64    `parquet:"close"`
		Volume int64    `parquet:"volume"`
	}
	good := writeBars(t, key, gen.Walk("BTC/USD", 3))
	p := func(v int64) *int64 { return &v }
	for _, test := range []struct {
		name string
		file []byte
		cfg  parquet.Config
		want []string
	}{
		{name: "empty", want: []string{"too short"}},
		{name: "text", file: []byte("time,open,high,low,close,volume\n"), want: []string{"not a Parquet file"}},
		{name: "truncated", file: good[:len(good)-9], want: []string{"x.parquet: ", "truncated"}},
		{name: "footer_too_long", file: append(bytes.Clone(good[:len(good)-5]), "\xffPAR1"...), want: []string{
			"damaged: a footer of",
		}},
		{name: "no_key", file: rows(func([]simpleBar) {}), want: []string{"does not name its series"}},
		{name: "another_key", file: good, cfg: parquet.Config{Key: gen.MinuteKey("ETH/USD")}, want: []string{
			"contains BTC/USD 1m, not ETH/USD 1m",
		}},
		{name: "config", file: good, cfg: parquet.Config{Key: domain.SeriesKey{Symbol: "A,B"}, BatchBars: -1},
			want: []string{
				"batch", "symbol",
			}},
		{name: "no_zone", file: encode(t, local{}), want: []string{`column "time" is`, "without a time zone"}},
		{name: "time_is_a_number", file: encode(t, number{}), want: []string{`column "time" is`, "want TIMESTAMP"}},
		{name: "column_unknown", file: encode(t, foreign{}), want: []string{
			`column "__index_level_0__" is not one of`,
		}},
		{name: "column_missing", file: encode(t, struct{ prices }{}), want: []string{`no column "time"`}},
		{name: "list", file: encode(t, listVolume{}), want: []string{`column "volume" has more than one value`}},
		{name: "types", file: encode(t, wrongTypes{}), want: []string{
			`column "open" is`, "a float is not exact", `column "high" is`, `column "low" is`, `column "close" is`,
			`column "volume" is`, `column "trades" is`,
		}},
		{name: "time_null", file: rows(func(r []simpleBar) { r[3].Time = nil }), want: []string{
			"x.parquet: row 4: time is null",
		}},
		{name: "open_null", file: rows(func(r []simpleBar) { r[4].Open = nil }), want: []string{
			"x.parquet: row 5: open is null",
		}},
		{name: "trades_negative", file: rows(func(r []simpleBar) { r[2].Trades = p(-1) }), want: []string{
			"row 3: trades: -1 is negative",
		}},
		{name: "time_repeated", file: rows(func(r []simpleBar) { r[3].Time = r[2].Time }), want: []string{
			"row 4: the bar of 1970-01-01T00:02:00Z comes after that of 1970-01-01T00:02:00Z",
		}},
		{name: "off_grid", file: rows(func(r []simpleBar) { r[3].Time = p(180_000_001) }), want: []string{
			"row 4: ", "grid",
		}},
		{name: "nanosecond", file: encode(t, nanos{Time: 1}), want: []string{
			"row 1: time: 1 ns is finer than a microsecond",
		}},
		{name: "far_future", file: encode(t, millis{Time: math.MaxInt64}), want: []string{
			"row 1: time: ", "out of the range of microseconds",
		}},
		{name: "too_many_digits", file: encode(t, wide{}, wide{Time: 60_000_000, Open: [16]byte{0x80}}), want: []string{
			"row 2: open: more than 20 digits before the point",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := test.cfg
			cfg.Name = "x.parquet"
			if cfg.Key == (domain.SeriesKey{}) && test.name != "no_key" {
				cfg.Key = key
			}
			if cfg.BatchBars == 0 {
				cfg.BatchBars = 2
			}
			_, err := collect(key, readBars(test.file, cfg))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}

			if err != nil && strings.Count(err.Error(), "x.parquet") != 1 {
				t.Errorf("want the file name once: %v", err)
			}
			if errors.As(err, new(*parquet.RowError)) != strings.Contains(strings.Join(test.want, ""), "row ") {
				t.Errorf("want a RowError if and only if the error is about a row: %v", err)
			}
		})
	}
}

func TestTruncatedBarsAreAnError(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 20)
	file := writeBars(t, s.Key(), s)
	for i := range file {
		got, err := collect(s.Key(), readBars(file[:i], parquet.Config{}))
		if err == nil {
			t.Fatalf("the first %d of %d bytes: %v, no error", i, len(file), got)
		}
	}
}

func TestGoldenBars(t *testing.T) {
	t.Parallel()
	want := gen.Walk("COINBASE:BTC/USD", 200)
	file := golden(t, "bars.parquet", func() []byte { return writeBars(t, want.Key(), want) })
	if got, err := collect(want.Key(), readBars(file, parquet.Config{})); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// FuzzReadBars verifies that reading any file yields bars in order or an error, and never panics.
func FuzzReadBars(f *testing.F) {
	s := gen.Walk("BTC/USD", 40)
	good := writeBars(f, s.Key(), s)
	f.Add(good)
	f.Add(writeBars(f, s.Key()))
	f.Add(writeCovered(f, s, s.Range()))
	for i := 0; i < len(good); i += 97 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		f.Add(bad)
	}

	f.Fuzz(func(t *testing.T, file []byte) {
		var end time.Time
		for batch, err := range readBars(file, parquet.Config{BatchBars: 16}) {
			if err != nil {
				return
			}
			if batch.Len() == 0 {
				continue // nothing traded in a covered range
			}
			if batch.Len() > 16 || batch.OpenTime(0).Before(end) {
				t.Fatalf("batch %v after %v", batch, end)
			}

			end = batch.Range().End
		}
	})
}

// BenchmarkBars reports the speed of writing and reading, and the size of a file:
//
//	go test -run xxx -bench Bars ./adapters/file/parquet
func BenchmarkBars(b *testing.B) {
	s := gen.Walk("BTC/USD", 200_000)
	file := writeBars(b, s.Key(), s)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			writeBars(b, s.Key(), s)
		}
		b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds(), "bars/s")
		b.ReportMetric(float64(len(file))/float64(s.Len()), "bytes/bar")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for _, err := range readBars(file, parquet.Config{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds(), "bars/s")
	})
}
