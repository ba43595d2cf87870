package parquet_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// tickKind describes trades or quotes for tests that are the same for both.
type tickKind[T domain.Tick] struct {
	newWriter func(w io.Writer, symbol domain.Symbol) (*parquet.TickWriter[T], error)
	readFile  func(r io.ReaderAt, size int64, cfg parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error]
	draw      func(at time.Time, seq int64) *rapid.Generator[T]
	tape      func(symbol domain.Symbol, n int) domain.Ticks[T]
}

func trades() tickKind[domain.Trade] {
	return tickKind[domain.Trade]{parquet.NewTradeWriter, parquet.ReadTrades, gen.Trade, gen.TradeTape}
}

func quotes() tickKind[domain.Quote] {
	return tickKind[domain.Quote]{parquet.NewQuoteWriter, parquet.ReadQuotes, gen.Quote, gen.QuoteTape}
}

func (k tickKind[T]) write(t tester, symbol domain.Symbol, parts ...domain.Ticks[T]) []byte {
	t.Helper()
	var content bytes.Buffer
	w, err := k.newWriter(&content, symbol)
	if err != nil {
		t.Fatalf("new writer: %v", err)
	}

	for _, ticks := range parts {
		if err := w.Write(ticks); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	return content.Bytes()
}

func (k tickKind[T]) read(content []byte, cfg parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error] {
	return k.readFile(bytes.NewReader(content), int64(len(content)), cfg)
}

// collect joins the batches. No batch may begin with the last time of the one before, and all but the last must have at
// least the configured size.
func (k tickKind[T]) collect(
	symbol domain.Symbol, content []byte, cfg parquet.TickConfig,
) (ticks domain.Ticks[T], truncated int, err error) {
	b := domain.NewTicksBuilder[T](symbol)
	var end time.Time
	isShort := false
	for batch, err := range k.read(content, cfg) {
		if err != nil {
			return domain.Ticks[T]{}, 0, err
		}

		n := batch.Ticks.Len()
		if n == 0 || isShort || !end.IsZero() && !batch.Ticks.Time(0).After(end) {
			return domain.Ticks[T]{}, 0,
				errors.New("a batch is empty, too short, or begins with the last time of the one before")
		}

		end, isShort = batch.Ticks.Time(n-1), n < cfg.BatchTicks
		truncated += batch.Truncated
		if err := b.AppendTicks(batch.Ticks); err != nil {
			return domain.Ticks[T]{}, 0, err
		}
	}

	ticks, err = b.Ticks()

	return ticks, truncated, err
}

func TestTicksRoundTrip(t *testing.T) {
	t.Parallel()
	t.Run("trades", func(t *testing.T) { t.Parallel(); testTicksRoundTrip(t, trades()) })
	t.Run("quotes", func(t *testing.T) { t.Parallel(); testTicksRoundTrip(t, quotes()) })
}

func testTicksRoundTrip[T domain.Tick](t *testing.T, k tickKind[T]) {
	rapid.Check(t, func(t *rapid.T) {
		symbol := rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol")
		want := gen.Ticks(symbol, gen.TickRange().Draw(t, "range"), 60, k.draw).Draw(t, "ticks")
		cut := rapid.IntRange(0, want.Len()).Draw(t, "cut")
		content := k.write(t, symbol, want.Slice(0, cut), want.Slice(cut, want.Len()))
		cfg := parquet.TickConfig{BatchTicks: rapid.IntRange(0, 20).Draw(t, "batch")}
		if rapid.Bool().Draw(t, "symbol configured") {
			cfg.Symbol = symbol
		}
		got, truncated, err := k.collect(symbol, content, cfg)
		if err != nil || truncated > 0 || !got.Equal(want) {
			t.Fatalf("got %v, %d truncated, %v; want %v", got, truncated, err, want)
		}
	})
}

// Row groups must be full, even if a time continues in the next one. Batches must not end within a time.
func TestLongTicks(t *testing.T) {
	t.Parallel()
	t.Run("trades", func(t *testing.T) { t.Parallel(); testLongTicks(t, trades()) })
	t.Run("quotes", func(t *testing.T) { t.Parallel(); testLongTicks(t, quotes()) })
}

func testLongTicks[T domain.Tick](t *testing.T, k tickKind[T]) {
	want := k.tape("BTC/USD", 67_000)
	content := k.write(t, want.Symbol(), want.Slice(0, 3), want.Slice(3, 60_001), want.Slice(60_001, want.Len()))
	for _, batch := range []int{0, 5000, 100_000} {
		got, _, err := k.collect(want.Symbol(), content, parquet.TickConfig{BatchTicks: batch})
		if err != nil || !got.Equal(want) {
			t.Fatalf("batches of %d: got %v, %v; want %v", batch, got, err, want)
		}
	}
}

// The ticks of one time may be more than a batch and more than a row group.
func TestManyTicksOfOneTime(t *testing.T) {
	t.Parallel()
	one := domain.MustDecimal("1")
	b := domain.NewTicksBuilder[domain.Trade]("BTC/USD")
	for i := range int64(66_000) {
		if err := b.Append(domain.Trade{Time: gen.WalkStart, Seq: i, Price: one, Size: one}); err != nil {
			t.Fatal(err)
		}
	}

	want, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	got, _, err := trades().collect("BTC/USD", trades().write(t, "BTC/USD", want), parquet.TickConfig{BatchTicks: 10})
	if err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestTickWriterRejects(t *testing.T) {
	t.Parallel()
	if _, err := parquet.NewTradeWriter(&bytes.Buffer{}, "B,C"); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("an invalid symbol: %v, want ErrInvalid", err)
	}
	tape := gen.QuoteTape("BTC/USD", 9)
	var content bytes.Buffer
	w, err := parquet.NewQuoteWriter(&content, "BTC/USD")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(tape.Slice(0, 5)); err != nil {
		t.Fatal(err)
	}

	last := tape.At(4)
	last.Seq--
	for name, ticks := range map[string]domain.Quotes{
		"repeated quote": tape.Slice(4, 6), "smaller sequence number": mustTicks(t, last),
		"another symbol": gen.QuoteTape("ETH/USD", 20).Slice(9, 20),
	} {
		if err := w.Write(ticks); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}

	if err := errors.Join(w.Write(tape.Slice(5, 9)), w.Close()); err != nil {
		t.Errorf("Write after rejected writes: %v", err)
	}
	got, _, err := quotes().collect("BTC/USD", content.Bytes(), parquet.TickConfig{})
	if err != nil || !got.Equal(tape) {
		t.Errorf("got %v, %v; want %v", got, err, tape)
	}
	if err := w.Write(tape); err == nil {
		t.Error("Write after Close: no error")
	}
}

func mustTicks[T domain.Tick](t *testing.T, ticks ...T) domain.Ticks[T] {
	t.Helper()
	s, err := domain.NewTicks("BTC/USD", ticks...)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func TestTickWriterReportsFullDisk(t *testing.T) {
	t.Parallel()
	tape := gen.TradeTape("BTC/USD", 3000)
	for _, free := range []int{0, 10_000, len(trades().write(t, "BTC/USD", tape)) - 1} {
		w, err := parquet.NewTradeWriter(&limitedDisk{free}, "BTC/USD")
		if err != nil {
			t.Fatal(err)
		}

		if err := errors.Join(w.Write(tape), w.Close()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%d bytes free: %v", free, err)
		}
	}
}

// Files as notebooks write them must be readable.
func TestReadNotebookTrades(t *testing.T) {
	t.Parallel()
	type minimal struct { // no seq, no sides, integers, and times finer than a microsecond
		Size  int64 `parquet:"size"`
		Price int32 `parquet:"price,decimal(1:9)"`
		Time  int64 `parquet:"time,timestamp(nanosecond)"`
	}
	type nullable struct {
		Time  *int64  `parquet:"time,timestamp(millisecond)"`
		Seq   *int32  `parquet:"seq"`
		Price *int64  `parquet:"price,decimal(2:18)"`
		Size  *int64  `parquet:"size,decimal(0:18)"`
		Side  *string `parquet:"side,dict"`
	}
	ms, price, size, side := int64(-1), int64(150), int64(7), "Sell"
	seqs := []int32{5, 6}
	trade := func(micros, seq int64, side domain.Side) domain.Trade {
		return domain.Trade{
			Time: time.UnixMicro(micros).UTC(), Seq: seq, Side: side,
			Price: domain.MustDecimal("1.5"), Size: domain.MustDecimal("7"),
		}
	}
	for _, test := range []struct {
		name      string
		content   []byte
		want      domain.Trades
		truncated int
	}{
		{
			"minimal", encode(t, minimal{7, 15, -1}, minimal{7, 15, 1000}, minimal{7, 15, 1001}, minimal{7, 15, 1999},
				minimal{7, 15, 2000}),
			mustTicks(t, trade(-1, 0, 0), trade(1, 0, 0), trade(1, 1, 0), trade(1, 2, 0), trade(2, 0, 0)), 3,
		},
		{
			"nullable", encode(t, nullable{&ms, &seqs[0], &price, &size, nil},
				nullable{&ms, &seqs[1], &price, &size, &side}),
			mustTicks(t, trade(-1000, 5, domain.SideUnknown), trade(-1000, 6, domain.SideSell)), 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := parquet.TickConfig{Symbol: "BTC/USD", BatchTicks: 2}
			got, truncated, err := trades().collect("BTC/USD", test.content, cfg)
			if err != nil || truncated != test.truncated || !got.Equal(test.want) {
				t.Errorf("got %v, %d truncated, %v; want %v, %d", got, truncated, err, test.want, test.truncated)
			}
		})
	}
}

// A sequence number may be missing as a column, not in a row.
func TestTickWithoutNumberIsRejected(t *testing.T) {
	t.Parallel()
	type row struct {
		Time  int64  `parquet:"time,timestamp(microsecond)"`
		Seq   *int64 `parquet:"seq"`
		Price int64  `parquet:"price"`
		Size  int64  `parquet:"size"`
	}
	seq := int64(4)
	content := encode(t, row{1, &seq, 5, 1}, row{2, nil, 5, 1})
	var err error
	for _, next := range trades().read(content, parquet.TickConfig{Symbol: "BTC/USD"}) {
		err = next
	}
	if err == nil || !strings.Contains(err.Error(), "row 2: seq is null") {
		t.Errorf("got %v, want that seq is null", err)
	}
}

func TestTickSequenceIsSingleUse(t *testing.T) {
	t.Parallel()
	content := trades().write(t, "BTC/USD", gen.TradeTape("BTC/USD", 9))
	batches := trades().read(content, parquet.TickConfig{BatchTicks: 2})
	for range batches {
		break
	}
	for _, err := range batches {
		if err == nil {
			t.Error("second use: no error")
		}
	}
}

func TestTickConfigValidate(t *testing.T) {
	t.Parallel()
	err := parquet.TickConfig{Symbol: "B,C", BatchTicks: -1}.Validate()
	for _, want := range []string{"symbol", "batch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want    file.Kind
		content []byte
	}{
		{file.KindTrades, trades().write(t, "BTC/USD", gen.TradeTape("BTC/USD", 3))},
		{file.KindQuotes, quotes().write(t, "BTC/USD", gen.QuoteTape("BTC/USD", 3))},
		{file.KindBars, writeBars(t, gen.MinuteKey("BTC/USD"), gen.Walk("BTC/USD", 3))},
		{file.KindBars, encode(t, struct {
			Price int64 `parquet:"price"`
		}{})},
		{file.KindBars, nil},
	} {
		if got := parquet.Recognize(bytes.NewReader(test.content), int64(len(test.content))); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestReadSymbol(t *testing.T) {
	t.Parallel()
	content := trades().write(t, "COINBASE:BTC/USD", gen.TradeTape("COINBASE:BTC/USD", 3))
	got, err := parquet.ReadSymbol(bytes.NewReader(content), int64(len(content)))
	if err != nil || got != "COINBASE:BTC/USD" {
		t.Errorf("got %q, %v", got, err)
	}
	bars := writeBars(t, gen.MinuteKey("BTC/USD"), gen.Walk("BTC/USD", 3))
	if got, err := parquet.ReadSymbol(bytes.NewReader(bars), int64(len(bars))); err == nil {
		t.Errorf("got %q from a file without a symbol", got)
	}
}

func TestTruncatedTicksAreAnError(t *testing.T) {
	t.Parallel()
	content := trades().write(t, "BTC/USD", gen.TradeTape("BTC/USD", 20))
	for i := range content {
		if got, _, err := trades().collect("BTC/USD", content[:i], parquet.TickConfig{}); err == nil {
			t.Fatalf("the first %d of %d bytes: %v, no error", i, len(content), got)
		}
	}
}

func TestGoldenTicks(t *testing.T) {
	t.Parallel()
	t.Run("trades", func(t *testing.T) { t.Parallel(); testGoldenTicks(t, "trades.parquet", trades()) })
	t.Run("quotes", func(t *testing.T) { t.Parallel(); testGoldenTicks(t, "quotes.parquet", quotes()) })
}

func testGoldenTicks[T domain.Tick](t *testing.T, name string, k tickKind[T]) {
	want := k.tape("COINBASE:BTC/USD", 200)
	content := golden(t, name, func() []byte { return k.write(t, want.Symbol(), want) })
	if got, _, err := k.collect(want.Symbol(), content, parquet.TickConfig{}); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// FuzzReadTrades verifies that reading any file yields trades in order or an error, and never panics.
func FuzzReadTrades(f *testing.F) { fuzzTicks(f, trades()) }

// FuzzReadQuotes verifies that reading any file yields quotes in order or an error, and never panics.
func FuzzReadQuotes(f *testing.F) { fuzzTicks(f, quotes()) }

func fuzzTicks[T domain.Tick](f *testing.F, k tickKind[T]) {
	good := k.write(f, "BTC/USD", k.tape("BTC/USD", 40))
	f.Add(good)
	f.Add(k.write(f, "BTC/USD"))
	for i := 0; i < len(good); i += 97 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		f.Add(bad)
	}

	f.Fuzz(func(t *testing.T, content []byte) {
		var end time.Time
		for batch, err := range k.read(content, parquet.TickConfig{Symbol: "BTC/USD", BatchTicks: 16}) {
			if err != nil {
				return
			}

			n := batch.Ticks.Len()
			if n == 0 || !end.IsZero() && !batch.Ticks.Time(0).After(end) {
				t.Fatalf("batch %v after %v", batch.Ticks, end)
			}

			end = batch.Ticks.Time(n - 1)
		}
	})
}

// BenchmarkTicks reports the speed of writing and reading, and the size of a file:
//
//	go test -run xxx -bench Ticks ./adapters/file/parquet
func BenchmarkTicks(b *testing.B) {
	b.Run("trades", func(b *testing.B) { benchTicks(b, trades()) })
	b.Run("quotes", func(b *testing.B) { benchTicks(b, quotes()) })
}

func benchTicks[T domain.Tick](b *testing.B, k tickKind[T]) {
	tape := k.tape("BTC/USD", 200_000)
	content := k.write(b, "BTC/USD", tape)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			k.write(b, "BTC/USD", tape)
		}
		b.ReportMetric(float64(tape.Len())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(len(content))/float64(tape.Len()), "bytes/row")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for _, err := range k.read(content, parquet.TickConfig{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(tape.Len())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}
