package fingerprint_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
)

// respelled is the same number with up to so many zeros behind it.
func respelled(t *rapid.T, d domain.Decimal, digits int) domain.Decimal {
	zeros := rapid.IntRange(0, digits).Draw(t, "zeros")
	text := d.String()
	point := false
	for _, c := range text {
		point = point || c == '.'
	}
	if !point {
		text += "."
		zeros++
	}

	for range zeros {
		text += "0"
	}
	again, err := domain.ParseDecimal(text)
	if err != nil { // a spelling of too many digits
		return d
	}

	return again
}

// Equal series have equal fingerprints, whatever the spelling of their numbers and the way they were put together;
// others have not.
func TestFingerprintFollowsEqual(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	texts := rapid.SampledFrom([]string{
		"0", "1", "10", "1.5", "-2.25", "100000", "0.00000001", "12345678901234567890.5", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "0.000000000000000001", "99999999999999999999",
	})
	draw := func(t *rapid.T, n int) []domain.Bar {
		bars := make([]domain.Bar, n)
		for i := range bars {
			number := func(name string) domain.Decimal { return domain.MustDecimal(texts.Draw(t, name)) }
			bars[i] = domain.Bar{
				OpenTime: time.Date(2024, 1, 1, 0, i, 0, 0, time.UTC), Open: number("open"), High: number("high"), Low: number("low"),
				Close: number("close"), Volume: number("volume"), Trades: rapid.Int64Range(0, 2).Draw(t, "trades"),
			}
		}

		return bars
	}
	rapid.Check(t, func(t *rapid.T) {
		bars := draw(t, rapid.IntRange(0, 3).Draw(t, "bars"))
		a, err := domain.NewSeries(key, bars...)
		if err != nil {
			t.Fatal(err)
		}

		for i := range bars {
			b := &bars[i]
			for _, d := range []*domain.Decimal{&b.Open, &b.High, &b.Low, &b.Close, &b.Volume} {
				*d = respelled(t, *d, 3)
			}
		}

		// Before the bars is a wide one of many digits, which leaves its scale and its high words to what is cut off
		// behind it.
		wide := domain.MustDecimal("-12345678901234567890.123456789012345678")
		first := domain.Bar{OpenTime: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), Open: wide, High: wide, Low: wide, Close: wide, Volume: wide}
		b, err := domain.NewSeries(key, append([]domain.Bar{first}, bars...)...)
		if err != nil {
			t.Fatal(err)
		}

		b = b.Slice(1, b.Len())
		if !a.Equal(b) || fingerprint.OfSeries(a) != fingerprint.OfSeries(b) {
			t.Fatalf("%v: %s and %s", bars, fingerprint.OfSeries(a), fingerprint.OfSeries(b))
		}

		other, err := domain.NewSeries(key, draw(t, len(bars))...)
		if err != nil {
			t.Fatal(err)
		}
		if a.Equal(other) != (fingerprint.OfSeries(a) == fingerprint.OfSeries(other)) {
			t.Fatalf("%v and %v: %s and %s", a, other, fingerprint.OfSeries(a), fingerprint.OfSeries(other))
		}
	})
}

// Taken piece by piece, it is that of the whole.
func TestFingerprintOfPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
		n := rapid.IntRange(0, 200).Draw(t, "bars")
		b := domain.NewSeriesBuilder(key, n)
		for i := range n {
			price := domain.MustDecimal(strconv.Itoa(i) + ".25")
			if err := b.Append(domain.Bar{
				OpenTime: time.Date(2024, 1, 1, 0, i, 0, 0, time.UTC), Open: price, High: price, Low: price, Close: price,
			}); err != nil {
				t.Fatal(err)
			}
		}

		whole, err := b.Series()
		if err != nil {
			t.Fatal(err)
		}

		p := fingerprint.NewHasher(key)
		for from := 0; from < n; {
			to := rapid.IntRange(from, n).Draw(t, "to")
			p.Add(whole.Slice(from, to))
			if p.Sum() != fingerprint.OfSeries(whole.Slice(0, to)) {
				t.Fatalf("of the first %d bars: another", to)
			}

			from = to
		}

		r := domain.Range{Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)}
		if p.SumResult(r) != fingerprint.OfResult(domain.Result{Series: whole, Range: r}) {
			t.Fatal("the answer's is another")
		}
	})
}

// The form is the one documented, byte for byte: a fingerprint that was noted years ago still compares.
func TestFingerprintForm(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	number := domain.MustDecimal
	s, err := domain.NewSeries(key, domain.Bar{
		OpenTime: at, Open: number("1.50"), High: number("2"), Low: number("-1"), Close: number("12345678901234567890"),
		Volume: number("0"), Trades: 7,
	})
	if err != nil {
		t.Fatal(err)
	}

	word := binary.LittleEndian.AppendUint64
	wide := func(b []byte, text string) []byte { // times 10^18
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			t.Fatal(text)
		}

		lo := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))

		return word(word(b, lo.Uint64()), uint64(new(big.Int).Rsh(n, 64).Int64()))
	}
	form := word([]byte("BTC/USD 1m\n"), uint64(at.UnixMicro()))
	form = wide(wide(wide(form, "1500000000000000000"), "2000000000000000000"), "-1000000000000000000")
	form = wide(wide(form, "12345678901234567890000000000000000000"), "0")
	form = word(form, 7)
	bars := fingerprint.OfSeries(s)
	if bars != sha256.Sum256(form) {
		t.Fatalf("bars: %s", bars)
	}

	r := domain.Result{Series: s, Range: domain.Range{Start: at, End: at.Add(time.Hour)}}
	form = word(word(nil, uint64(at.UnixMicro())), uint64(at.Add(time.Hour).UnixMicro()))
	if fingerprint.OfResult(r) != sha256.Sum256(append(form, bars[:]...)) {
		t.Fatalf("result: %s", fingerprint.OfResult(r))
	}
}

func TestFingerprintOfTicks(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	trades := func(price string, side domain.Side) domain.TickResult[domain.Trade] {
		first := domain.Trade{Time: at, Price: domain.MustDecimal("0.001"), Size: domain.MustDecimal("1")}
		second := domain.Trade{Time: at, Seq: 1, Price: domain.MustDecimal(price), Size: domain.MustDecimal("1"), Side: side}
		all, err := domain.NewTicks("BTC/USD", first, second)
		if err != nil {
			t.Fatal(err)
		}

		return domain.TickResult[domain.Trade]{Ticks: all.Slice(1, 2)}
	}
	alone, err := domain.NewTicks("BTC/USD", trades("2.5", domain.SideBuy).Ticks.At(0))
	if err != nil {
		t.Fatal(err)
	}

	want := fingerprint.OfTickResult(domain.TickResult[domain.Trade]{Ticks: alone})
	if got := fingerprint.OfTickResult(trades("2.50", domain.SideBuy)); got != want {
		t.Errorf("equal trades: %s and %s", got, want)
	}
	for name, r := range map[string]domain.TickResult[domain.Trade]{
		"price": trades("2.6", domain.SideBuy), "side": trades("2.5", domain.SideSell), "no ticks": {Ticks: alone.Slice(0, 0)},
		"range": {Ticks: alone, Range: domain.Range{Start: at, End: at.Add(time.Hour)}},
	} {
		if fingerprint.OfTickResult(r) == want {
			t.Errorf("%s: the same fingerprint", name)
		}
	}

	if fingerprint.OfTicks(domain.Quotes{}) == fingerprint.OfTicks(domain.Trades{}) {
		t.Error("no quotes and no trades have one fingerprint")
	}
}

func TestFingerprintText(t *testing.T) {
	t.Parallel()
	want := fingerprint.OfSeries(domain.EmptySeries(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}))
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}

	var got fingerprint.Digest
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Fatalf("%s: %s, %v", b, got, err)
	}

	for _, text := range []string{"", "ab", want.String() + "00", "x" + want.String()[1:]} {
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
