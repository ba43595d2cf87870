package redis

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

var (
	valueKey = blockcache.Key{Store: "s", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}, Index: 3}

	values = valueCodec{prefix: "marketdata:", macKey: []byte("0123456789abcdef")}
)

// valueBlock returns a block of the widest numbers.
func valueBlock(tb testing.TB, bars int) blockcache.Block {
	tb.Helper()
	start, _ := domain.BarBlocks(valueKey.Series.Grid).Bounds(valueKey.Index)
	b := domain.NewSeriesBuilder(valueKey.Series, bars)
	for i := range bars {
		d := domain.MustDecimal("12345678901234567890.123456789012345678")
		if err := b.Append(domain.Bar{
			OpenTime: (start + domain.Micros(i)*60_000_000).Time(), Open: d, High: d, Low: d.Neg(), Close: d, Volume: d,
			Trades: int64(i),
		}); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return blockcache.Block{Version: domain.Version{Revision: math.MaxInt64, Nonce: math.MaxUint64}, Bars: s, Validated: true}
}

func encoded(tb testing.TB, b blockcache.Block) []byte {
	tb.Helper()
	value, err := values.encode(valueKey, b)
	if err != nil {
		tb.Fatal(err)
	}

	return value
}

// authentic returns b with its authentication code.
func authentic(b []byte) []byte { return slices.Concat(b, values.mac(valueKey, b)) }

func sameBlock(a, b blockcache.Block) bool {
	return a.Version == b.Version && a.Validated == b.Validated && a.Bars.Equal(b.Bars)
}

// TestMutations alters values at random; none is taken for a block.
func TestMutations(t *testing.T) {
	t.Parallel()
	value := encoded(t, valueBlock(t, 200))
	if _, err := values.decode(valueKey, value); err != nil {
		t.Fatal(err)
	}

	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 0, len(value))
	for i := range 20_000 {
		b = append(b[:0], value...)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if i%4 == 0 {
			b = b[:r.IntN(len(b))]
		}
		if string(b) == string(value) {
			continue
		}
		if _, err := values.decode(valueKey, b); !errors.Is(err, errRejected) {
			t.Fatalf("mutation %d: %v", i, err)
		}
	}
}

// TestAuthenticValuesAreChecked decodes values that a program with the key wrote, but not this one.
func TestAuthenticValuesAreChecked(t *testing.T) {
	t.Parallel()
	value := encoded(t, valueBlock(t, 5))
	body := value[:len(value)-macSize]
	changed := func(change func(b []byte)) []byte {
		b := slices.Clone(body)
		change(b)

		return b
	}
	later := valueKey
	later.Index++
	other, err := codec.Append(slices.Clone(body[:barsAt]), valueBlock(t, 5).Bars)
	if err != nil {
		t.Fatal(err)
	}

	for label, b := range map[string][]byte{
		"another magic":          changed(func(b []byte) { b[0]++ }),
		"a later format version": changed(func(b []byte) { b[flagsAt-1]++ }),
		"an unknown flag":        changed(func(b []byte) { b[flagsAt] |= 2 }),
		"no bars":                body[:barsAt],
		"no header":              body[:flagsAt],
		"bytes after the bars":   append(slices.Clone(body), 0),
		"damaged bars":           changed(func(b []byte) { b[len(b)-9] ^= 1 }),
	} {
		if _, err := values.decode(valueKey, authentic(b)); !errors.Is(err, errRejected) {
			t.Errorf("%s: got %v", label, err)
		}
	}

	if _, err := values.decode(later, slices.Concat(other, values.mac(later, other))); !errors.Is(err, errRejected) {
		t.Errorf("bars of another block: got %v", err)
	}
	if _, err := values.decode(valueKey, authentic(other)); err != nil {
		t.Errorf("an authentic value: %v", err)
	}
}

// TestWidestValueFits encodes the widest block; its value is within the limit.
func TestWidestValueFits(t *testing.T) {
	t.Parallel()
	want := valueBlock(t, domain.MaxBlockBars)
	b := encoded(t, want)
	if len(b) > maxValue {
		t.Errorf("%d bytes of at most %d", len(b), maxValue)
	}
	if got, err := values.decode(valueKey, b); err != nil || !sameBlock(got, want) {
		t.Errorf("got %v, %v", got.Bars, err)
	}
}

// FuzzDecode decodes any bytes, as they are and with their authentication code.
func FuzzDecode(f *testing.F) {
	for _, bars := range []int{1, 300} {
		b := encoded(f, valueBlock(f, bars))
		f.Add(b)
		f.Add(b[:len(b)-macSize])
		b[flagsAt-1]--
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, value := range [][]byte{b, authentic(b)} {
			got, err := values.decode(valueKey, value)
			if err != nil {
				if !errors.Is(err, errRejected) {
					t.Fatal(err)
				}
				continue
			}
			if got.Bars.Key() != valueKey.Series || got.Bars.Len() == 0 {
				t.Fatalf("a block of %s", got.Bars)
			}

			again, err := values.decode(valueKey, encoded(t, got))
			if err != nil || !sameBlock(again, got) {
				t.Fatalf("encoded and decoded: %v, %v", again.Bars, err)
			}
		}
	})
}

func BenchmarkValue(b *testing.B) {
	block := valueBlock(b, domain.MaxBlockBars)
	value := encoded(b, block)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encoded(b, block)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := values.decode(valueKey, value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
