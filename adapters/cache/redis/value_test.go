package redis

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var valueKey = ports.ChunkKey{
	Store: "s", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}, End: 4096 * 60_000_000,
}

// valueHead is one of the current version.
const valueHead = magic + "\x02" + "ABCDEFGHIJKLMNOP"

// valueGeneration is as long as they are.
const valueGeneration = "0123456789abcdef0123456789abcdef01234567 ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func valueChunk(tb testing.TB, bars int) ports.Chunk {
	tb.Helper()
	b := domain.NewSeriesBuilder(valueKey.Series, bars)
	for i := range bars {
		d := domain.MustDecimal("12345678901234567890.123456789012345678")
		if err := b.Append(domain.Bar{
			OpenTime: timeOf(int64(i) * 60_000_000), Open: d, High: d, Low: d.Neg(), Close: d, Volume: d, Trades: int64(i),
		}); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return ports.Chunk{Bars: s, Validated: true, Claims: [2]uint64{1<<63 + 5, 6}, ClosedBefore: 1, ReadAt: 2, TailValidUntil: 3, ValidUntil: 4}
}

// 120,000 values altered at random: not one is taken for a chunk.
func TestMutations(t *testing.T) {
	t.Parallel()
	sound, err := encode(valueKey, valueGeneration, valueHead, valueChunk(t, 200))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(valueKey, valueGeneration, sound); err != nil {
		t.Fatal(err)
	}

	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 0, len(sound))
	for i := range 120_000 {
		b = append(b[:0], sound...)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if i%4 == 0 {
			b = b[:r.IntN(len(b))]
		}
		if string(b) == string(sound) {
			continue
		}
		if _, err := decode(valueKey, valueGeneration, b); !errors.Is(err, errPoisoned) {
			t.Fatalf("mutation %d: %v", i, err)
		}
	}
}

// The widest chunk fits the bound.
func TestWidestValueFits(t *testing.T) {
	t.Parallel()
	b, err := encode(valueKey, valueGeneration, valueHead, valueChunk(t, 4096))
	if err != nil || len(b) > maxValue {
		t.Errorf("%d bytes of at most %d, %v", len(b), maxValue, err)
	}
	got, err := decode(valueKey, valueGeneration, b)
	if err != nil || !got.Bars.Equal(valueChunk(t, 4096).Bars) {
		t.Errorf("got %v, %v", got.Bars, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, bars := range []int{0, 1, 300} {
		b, err := encode(valueKey, valueGeneration, valueHead, valueChunk(f, bars))
		if err != nil {
			f.Fatal(err)
		}

		f.Add(b)
		b[len(magic)]--
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(valueKey, valueGeneration, b)
		if err != nil {
			if !errors.Is(err, errPoisoned) && !errors.Is(err, errVersion) && !errors.Is(err, errGeneration) {
				t.Fatal(err)
			}
			return
		}
		if c.Bars.Key() != valueKey.Series {
			t.Fatalf("a chunk of %s", c.Bars.Key())
		}
		if _, err := encode(valueKey, valueGeneration, valueHead, c); err != nil {
			t.Fatal(err)
		}
	})
}
