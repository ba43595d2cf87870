package domain

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hashVectors are bars with their fields as docs/formats.md lists them.
var hashVectors = [][7]string{
	{"1970-01-01T00:00:00Z", "0", "0", "0", "0", "0", "0"},
	{"2018-04-04T00:00:00Z", "7424.91", "7424.91", "7422", "7422", "7.14319709", "12"},
	{"1969-12-31T23:59:59.999999Z", "-1.5", "99999999999999999999.999999999999999999", "-99999999999999999999", "0.000000000000000001", "1.50", "9223372036854775807"},
}

func vectorBar(t *testing.T, v [7]string) Bar {
	t.Helper()
	var trades int64
	if _, err := fmt.Sscan(v[6], &trades); err != nil {
		t.Fatal(err)
	}

	return Bar{
		OpenTime: utc(v[0]), Open: MustDecimal(v[1]), High: MustDecimal(v[2]), Low: MustDecimal(v[3]),
		Close: MustDecimal(v[4]), Volume: MustDecimal(v[5]), Trades: trades,
	}
}

// TestHashVectors checks that docs/formats.md has the hash of each vector.
func TestHashVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}

	for _, v := range hashVectors {
		row := fmt.Sprintf("| %s | `%016x` |", strings.Join(v[:], " | "), HashBar(vectorBar(t, v)))
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/formats.md has no row %s", row)
		}
	}
}

// TestHashOfEqualBars checks that bars have equal hashes if and only if they are equal.
func TestHashOfEqualBars(t *testing.T) {
	check(t, func(t *rapid.T) {
		bars := anyBars(minuteKey(), anyDecimal(), 2).Draw(t, "bars")
		if len(bars) == 0 {
			return
		}

		a, other := bars[0], bars[len(bars)-1]
		fields := []func(b *Bar){
			func(b *Bar) { b.OpenTime = other.OpenTime },
			func(b *Bar) { b.Open = other.Open },
			func(b *Bar) { b.High = other.High },
			func(b *Bar) { b.Low = other.Low },
			func(b *Bar) { b.Close = other.Close },
			func(b *Bar) { b.Volume = other.Volume },
			func(b *Bar) { b.Trades = other.Trades },
			func(b *Bar) { b.Open, b.Close = b.Close, b.Open },
			func(b *Bar) {
				b.Close = Decimal{hi: b.Close.withScale(MaxScale).hi, lo: b.Close.withScale(MaxScale).lo, scale: MaxScale}
			},
		}
		for i, change := range fields {
			b := a
			change(&b)
			if a.Equal(b) != (HashBar(a) == HashBar(b)) {
				t.Fatalf("change %d: %v and %v have the hashes %x and %x", i, a, b, HashBar(a), HashBar(b))
			}
		}
	})
}

// TestHashIsAdditive checks that the hash of a series is the sum of the hashes of its parts.
func TestHashIsAdditive(t *testing.T) {
	check(t, func(t *rapid.T) {
		bars := anyBars(minuteKey(), anyDecimal(), 20).Draw(t, "bars")
		s := must(NewSeries(minuteKey(), bars...))
		cut := rapid.IntRange(0, s.Len()).Draw(t, "cut")
		if whole, parts := HashBars(s), HashBars(s.Slice(cut, s.Len()))+HashBars(s.Slice(0, cut)); whole != parts {
			t.Fatalf("the whole has the hash %x, its parts %x", whole, parts)
		}

		var sum uint64
		for _, bar := range rapid.Permutation(bars).Draw(t, "order") {
			sum += HashBar(bar)
		}
		if sum != HashBars(s) {
			t.Fatalf("the bars have the sum %x, the series has the hash %x", sum, HashBars(s))
		}
	})
}

func TestHashAllocatesNothing(t *testing.T) {
	bars, err := NewSeries(minuteKey(), cleanBars(10)...)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = HashBars(bars) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
