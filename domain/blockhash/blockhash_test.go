package blockhash

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// must is for values that a test knows to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}

	return v
}

func utc(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }

// anySeries draws minutes with any numbers, at most most.
func anySeries(most int) *rapid.Generator[domain.Series] {
	key := gen.MinuteKey("BTC/USD")
	return rapid.Custom(func(t *rapid.T) domain.Series {
		return gen.Bars(key, gen.Range(key.Grid).Draw(t, "range"), most).Draw(t, "series")
	})
}

func barsOf(s domain.Series) (bars []domain.Bar) {
	for _, b := range s.All() {
		bars = append(bars, b)
	}

	return bars
}

// hashVectors are bars with their fields as docs/formats.md lists them.
var hashVectors = [][7]string{
	{"1970-01-01T00:00:00Z", "0", "0", "0", "0", "0", "0"},
	{"2018-04-04T00:00:00Z", "7424.91", "7424.91", "7422", "7422", "7.14319709", "12"},
	{"1969-12-31T23:59:59.999999Z", "-1.5", "99999999999999999999.999999999999999999", "-99999999999999999999", "0.000000000000000001", "1.50", "9223372036854775807"},
}

func vectorBar(t *testing.T, v [7]string) domain.Bar {
	t.Helper()
	var trades int64
	if _, err := fmt.Sscan(v[6], &trades); err != nil {
		t.Fatal(err)
	}

	return domain.Bar{
		OpenTime: utc(v[0]), Open: domain.MustDecimal(v[1]), High: domain.MustDecimal(v[2]), Low: domain.MustDecimal(v[3]),
		Close: domain.MustDecimal(v[4]), Volume: domain.MustDecimal(v[5]), Trades: trades,
	}
}

// TestHashVectors checks that docs/formats.md has the hash of each vector.
func TestHashVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}

	for _, v := range hashVectors {
		row := fmt.Sprintf("| %s | `%016x` |", strings.Join(v[:], " | "), OfBar(vectorBar(t, v)))
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/formats.md has no row %s", row)
		}
	}
}

// TestHashOfEqualBars checks that bars have equal hashes if and only if they are equal.
func TestHashOfEqualBars(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bars := barsOf(anySeries(2).Draw(t, "bars"))
		if len(bars) == 0 {
			return
		}

		a, other := bars[0], bars[len(bars)-1]
		fields := []func(b *domain.Bar){
			func(b *domain.Bar) { b.OpenTime = other.OpenTime },
			func(b *domain.Bar) { b.Open = other.Open },
			func(b *domain.Bar) { b.High = other.High },
			func(b *domain.Bar) { b.Low = other.Low },
			func(b *domain.Bar) { b.Close = other.Close },
			func(b *domain.Bar) { b.Volume = other.Volume },
			func(b *domain.Bar) { b.Trades = other.Trades },
			func(b *domain.Bar) { b.Open, b.Close = b.Close, b.Open },
			func(b *domain.Bar) {
				hi, lo, _ := b.Close.Coefficient(domain.MaxScale)
				b.Close = must(domain.DecimalFromCoefficient(hi, lo, domain.MaxScale))
			},
		}
		for i, change := range fields {
			b := a
			change(&b)
			if a.Equal(b) != (OfBar(a) == OfBar(b)) {
				t.Fatalf("change %d: %v and %v have the hashes %x and %x", i, a, b, OfBar(a), OfBar(b))
			}
		}
	})
}

// TestHashIsAdditive checks that the hash of a series is the sum of the hashes of its parts.
func TestHashIsAdditive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySeries(20).Draw(t, "bars")
		bars := barsOf(s)
		cut := rapid.IntRange(0, s.Len()).Draw(t, "cut")
		if whole, parts := OfBars(s), OfBars(s.Slice(cut, s.Len()))+OfBars(s.Slice(0, cut)); whole != parts {
			t.Fatalf("the whole has the hash %x, its parts %x", whole, parts)
		}

		var sum uint64
		for _, bar := range rapid.Permutation(bars).Draw(t, "order") {
			sum += OfBar(bar)
		}
		if sum != OfBars(s) {
			t.Fatalf("the bars have the sum %x, the series has the hash %x", sum, OfBars(s))
		}
	})
}

func TestHashAllocatesNothing(t *testing.T) {
	bars := gen.Walk("BTC/USD", 10)
	if n := testing.AllocsPerRun(100, func() { _ = OfBars(bars) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestHashOfTicks says that the hash of ticks depends on every field, on each tick, and not on the scale of the numbers.
func TestHashOfTicks(t *testing.T) {
	t.Parallel()
	base := domain.Quote{
		Time: utc("2018-04-04T00:00:00Z"), Seq: 1,
		Bid: domain.MustDecimal("1"), Ask: domain.MustDecimal("2"), BidSize: domain.MustDecimal("3"), AskSize: domain.MustDecimal("4"),
	}
	hashOf := func(ticks ...domain.Quote) uint64 { return OfTicks(must(domain.NewTicks("BTC/USD", ticks...))) }
	want := hashOf(base)
	for name, alter := range map[string]func(*domain.Quote){
		"time":     func(q *domain.Quote) { q.Time = q.Time.Add(time.Microsecond) },
		"sequence": func(q *domain.Quote) { q.Seq++ },
		"bid":      func(q *domain.Quote) { q.Bid = domain.MustDecimal("1.1") },
		"ask":      func(q *domain.Quote) { q.Ask = domain.MustDecimal("1") },
		"bid size": func(q *domain.Quote) { q.BidSize = domain.MustDecimal("4") },
		"ask size": func(q *domain.Quote) { q.AskSize = domain.MustDecimal("3") },
	} {
		altered := base
		alter(&altered)
		if hashOf(altered) == want {
			t.Errorf("%s: the hash is the same", name)
		}
	}

	trade := domain.Trade{Time: base.Time, Price: base.Bid, Size: base.Ask, Side: domain.SideBuy}
	sold := trade
	sold.Side = domain.SideSell
	if OfTicks(must(domain.NewTicks("BTC/USD", trade))) == OfTicks(must(domain.NewTicks("BTC/USD", sold))) {
		t.Error("side: the hash is the same")
	}

	later := base
	later.Seq, later.Bid = 2, domain.MustDecimal("1.25")
	if got := hashOf(base, later); got != want+hashOf(later) {
		t.Errorf("the hash of two is %x, want the sum of %x and %x", got, want, hashOf(later))
	}
}

func BenchmarkOfBars(b *testing.B) {
	s := gen.Walk("BTC/USD", 100_000)
	b.ReportAllocs()
	var sum uint64
	for b.Loop() {
		sum += OfBars(s)
	}
	if sum == 1 {
		b.Fatal("the hashes were not used")
	}

	b.ReportMetric(float64(b.N)*float64(s.Len())/b.Elapsed().Seconds()/1e6, "Mbars/s")
}
