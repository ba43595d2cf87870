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

func write(t tester, key domain.SeriesKey, pieces ...domain.Series) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := parquet.NewBarWriter(&file, key)
	if err != nil {
		t.Fatalf("NewBarWriter: %v", err)
	}

	for _, s := range pieces {
		if err := w.Write(s); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	return file.Bytes()
}

func read(file []byte, cfg parquet.Config) iter.Seq2[domain.Series, error] {
	return parquet.ReadBars(bytes.NewReader(file), int64(len(file)), cfg)
}

// collect joins the pieces, of which none is empty.
func collect(key domain.SeriesKey, pieces iter.Seq2[domain.Series, error]) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, 0)
	for s, err := range pieces {
		if err != nil {
			return domain.Series{}, err
		}
		if s.Len() == 0 {
			return domain.Series{}, errors.New("an empty piece")
		}
		if err := b.AppendSeries(s); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := gen.Key().Draw(t, "key")
		want := gen.Bars(key, gen.Range(key.Grid).Draw(t, "range"), 60).Draw(t, "bars")
		cut := rapid.IntRange(0, want.Len()).Draw(t, "cut")
		file := write(t, key, want.Slice(0, cut), want.Slice(cut, want.Len()))
		cfg := parquet.Config{BatchBars: rapid.IntRange(0, 20).Draw(t, "batch")}
		if rapid.Bool().Draw(t, "named") {
			cfg.Key = key
		}
		got, err := collect(key, read(file, cfg))
		if err != nil || !got.Equal(want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

// Row groups end where they are full, whatever the pieces; pieces end where their group does.
func TestLongSeries(t *testing.T) {
	t.Parallel()
	want := gen.Walk("BTC/USD", 67_000)
	file := write(t, want.Key(), want.Slice(0, 3), want.Slice(3, 60_001), want.Slice(60_001, want.Len()))
	got, err := collect(want.Key(), read(file, parquet.Config{}))
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

// Numbers come back as narrow as they went in, so that what follows is as fast as from any store.
func TestColumnsAreNarrow(t *testing.T) {
	t.Parallel()
	want := gen.Walk("BTC/USD", 1000)
	got, err := collect(want.Key(), read(write(t, want.Key(), want), parquet.Config{}))
	if err != nil {
		t.Fatal(err)
	}

	if c := got.Columns(); c.Open.Hi != nil || c.Volume.Hi != nil || c.PriceScale > want.Columns().PriceScale {
		t.Errorf("columns are wide, or of scale %d", c.PriceScale)
	}
}

func TestWriterRefuses(t *testing.T) {
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
		t.Errorf("a bar again: %v, want ErrInvalid", err)
	}
	if err := w.Write(gen.Walk("ETH/USD", 20).Slice(9, 20)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("bars of another key: %v, want ErrInvalid", err)
	}
	if err := w.Write(s.Slice(5, 9)); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if got, err := collect(s.Key(), read(file.Bytes(), parquet.Config{})); err != nil || !got.Equal(s) {
		t.Errorf("got %v, %v; want %v", got, err, s)
	}
	if err := w.Write(s); err == nil {
		t.Error("Write after Close: no error")
	}
}

func TestWriterReportsAFullDisk(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 3000)
	for _, room := range []int{0, 10_000, len(write(t, s.Key(), s)) - 1} {
		w, err := parquet.NewBarWriter(&full{room}, s.Key())
		if err != nil {
			t.Fatal(err)
		}

		if err := errors.Join(w.Write(s), w.Close()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

func TestSingleUse(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 9)
	bars := read(write(t, s.Key(), s), parquet.Config{BatchBars: 2})
	for range bars {
		break
	}
	for _, err := range bars {
		if err == nil {
			t.Error("a second range: no error")
		}
	}
}

// Files of notebooks: their bars are two, a minute apart, of 1.5 and volume 7.
func TestReadsForeignFiles(t *testing.T) {
	t.Parallel()
	minute := int64(time.Minute / time.Microsecond)
	key := gen.MinuteKey("BTC/USD")
	n := int64(1_500_000)
	m := func(v int64) *int64 { return &v }
	type narrow struct { // integers, other scales, another order, no trades
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
			nullable{m(0), m(n), m(n), m(n), m(n), m(7), &zero},
			nullable{m(minute * 1000), m(n), m(n), m(n), m(n), m(7), &zero})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := collect(key, read(test.file, parquet.Config{Key: key}))
			if err != nil || got.Len() != 2 {
				t.Fatalf("got %v, %v", got, err)
			}

			price := domain.MustDecimal("1.5")
			want := domain.Bar{
				OpenTime: time.Unix(60, 0).UTC(), Open: price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("7"),
			}
			if b := got.At(1); !b.Equal(want) {
				t.Errorf("got %v, want %v", b, want)
			}
		})
	}
}

// plain is a row whose every part a test can spoil.
type plain struct {
	Time   *int64 `parquet:"time,timestamp(microsecond)"`
	Open   *int64 `parquet:"open,decimal(2:18)"`
	High   int64  `parquet:"high,decimal(2:18)"`
	Low    int64  `parquet:"low,decimal(2:18)"`
	Close  int64  `parquet:"close,decimal(2:18)"`
	Volume int64  `parquet:"volume,decimal(2:18)"`
	Trades *int64 `parquet:"trades"`
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	key := gen.MinuteKey("BTC/USD")
	rows := func(spoil func(rows []plain)) []byte {
		var rows []plain
		for i := range int64(5) {
			at, open, trades := i*60_000_000, int64(100), int64(1)
			rows = append(rows, plain{&at, &open, 1, 1, 1, 1, &trades})
		}

		spoil(rows)
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
	type float struct {
		Time   int64   `parquet:"time,timestamp(microsecond)"`
		Open   float64 `parquet:"open"`
		High   int64   `parquet:"high"`
		Low    int64   `parquet:"low"`
		Volume []int64 `parquet:"volume"`
	}
	type floatOnly struct {
		Time   int64    `parquet:"time,timestamp(microsecond)"`
		Open   float64  `parquet:"open"`
		High   string   `parquet:"high"`
		Low    [16]byte `parquet:"low,decimal(20:38)"`
		Close  uint64   `parquet:"close"`
		Volume [17]byte `parquet:"volume,decimal(2:40)"`
		Trades uint32   `parquet:"trades"`
	}
	type whole struct {
		Time   int64    `parquet:"time,timestamp(microsecond)"`
		Open   [16]byte `parquet:"open,decimal(0:38)"`
		High   int64    `parquet:"high"`
		Low    int64    `parquet:"low"`
		Close  int64    `parquet:"close"`
		Volume int64    `parquet:"volume"`
	}
	good := write(t, key, gen.Walk("BTC/USD", 3))
	p := func(v int64) *int64 { return &v }
	for _, test := range []struct {
		name string
		file []byte
		cfg  parquet.Config
		want []string
	}{
		{name: "empty", want: []string{"too short"}},
		{name: "text", file: []byte("time,open,high,low,close,volume\n"), want: []string{"not a Parquet file"}},
		{name: "cut", file: good[:len(good)-9], want: []string{"x.parquet: ", "cut"}},
		{name: "footer_too_long", file: append(bytes.Clone(good[:len(good)-5]), "\xffPAR1"...), want: []string{"damaged: a footer of"}},
		{name: "no_key", file: rows(func([]plain) {}), want: []string{"does not name its series"}},
		{name: "another_key", file: good, cfg: parquet.Config{Key: gen.MinuteKey("ETH/USD")}, want: []string{
			"holds BTC/USD 1m, not ETH/USD 1m",
		}},
		{name: "config", file: good, cfg: parquet.Config{Key: domain.SeriesKey{Symbol: "a"}, BatchBars: -1}, want: []string{
			"batch", "symbol",
		}},
		{name: "no_zone", file: encode(t, local{}), want: []string{`column "time" is`, "without a time zone"}},
		{name: "time_is_a_number", file: encode(t, number{}), want: []string{`column "time" is`, "want TIMESTAMP"}},
		{name: "column_unknown", file: encode(t, foreign{}), want: []string{`column "__index_level_0__" is not one of`}},
		{name: "column_missing", file: encode(t, struct{ prices }{}), want: []string{`no column "time"`}},
		{name: "list", file: encode(t, float{}), want: []string{`column "volume" holds more than one value`}},
		{name: "types", file: encode(t, floatOnly{}), want: []string{
			`column "open" is`, "a float is not exact", `column "high" is`, `column "low" is`, `column "close" is`, `column "volume" is`,
			`column "trades" is`,
		}},
		{name: "time_null", file: rows(func(r []plain) { r[3].Time = nil }), want: []string{"x.parquet: row 4: time is null"}},
		{name: "open_null", file: rows(func(r []plain) { r[4].Open = nil }), want: []string{"x.parquet: row 5: open is null"}},
		{name: "trades_null", file: rows(func(r []plain) { r[0].Trades = nil }), want: []string{"row 1: trades is null"}},
		{name: "trades_negative", file: rows(func(r []plain) { r[2].Trades = p(-1) }), want: []string{"row 3: trades: -1 is negative"}},
		{name: "time_again", file: rows(func(r []plain) { r[3].Time = r[2].Time }), want: []string{
			"row 4: the bar of 1970-01-01T00:02:00Z comes after that of 1970-01-01T00:02:00Z",
		}},
		{name: "off_grid", file: rows(func(r []plain) { r[3].Time = p(180_000_001) }), want: []string{"row 4: ", "grid"}},
		{name: "nanosecond", file: encode(t, nanos{Time: 1}), want: []string{"row 1: time: 1 ns is finer than a microsecond"}},
		{name: "far_future", file: encode(t, millis{Time: math.MaxInt64}), want: []string{"row 1: time: ", "beyond"}},
		{name: "too_many_digits", file: encode(t, whole{}, whole{Time: 60_000_000, Open: [16]byte{0x80}}), want: []string{
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
			_, err := collect(key, read(test.file, cfg))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}

			if err != nil && strings.Count(err.Error(), "x.parquet") != 1 {
				t.Errorf("the file is not named once: %v", err)
			}
			if errors.As(err, new(*parquet.RowError)) != strings.Contains(strings.Join(test.want, ""), "row ") {
				t.Errorf("row or no row: %v", err)
			}
		})
	}
}

func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	s := gen.Walk("BTC/USD", 20)
	file := write(t, s.Key(), s)
	for i := range file {
		got, err := collect(s.Key(), read(file[:i], parquet.Config{}))
		if err == nil {
			t.Fatalf("the first %d of %d bytes: %v, no error", i, len(file), got)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	want := gen.Walk("COINBASE:BTC/USD", 200)
	file := golden(t, "bars.parquet", func() []byte { return write(t, want.Key(), want) })
	if got, err := collect(want.Key(), read(file, parquet.Config{})); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// A file may be anything: it is bars in order or an error, and never a panic.
func FuzzReadBars(f *testing.F) {
	s := gen.Walk("BTC/USD", 40)
	good := write(f, s.Key(), s)
	f.Add(good)
	f.Add(write(f, s.Key()))
	for i := 0; i < len(good); i += 97 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		f.Add(bad)
	}

	f.Fuzz(func(t *testing.T, file []byte) {
		var end time.Time
		for piece, err := range read(file, parquet.Config{BatchBars: 16}) {
			if err != nil {
				return
			}
			if piece.Len() == 0 || piece.Len() > 16 || piece.OpenTime(0).Before(end) {
				t.Fatalf("piece %v after %v", piece, end)
			}

			end = piece.Range().End
		}
	})
}

// BenchmarkBars reports bars a second both ways and the size of a file: go test -run xxx -bench Bars ./adapters/file/parquet
func BenchmarkBars(b *testing.B) {
	s := gen.Walk("BTC/USD", 200_000)
	file := write(b, s.Key(), s)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			write(b, s.Key(), s)
		}
		b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds(), "bars/s")
		b.ReportMetric(float64(len(file))/float64(s.Len()), "bytes/bar")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for _, err := range read(file, parquet.Config{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds(), "bars/s")
	})
}
