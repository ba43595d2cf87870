package codec

import (
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// Parts of a Series, each packed at its own smallest scale, must join to the Series.
func TestJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		var chunks []Chunk
		for from := 0; from < s.Len(); {
			to := rapid.IntRange(from+1, s.Len()).Draw(t, "to")
			chunks = append(chunks, mustOpen(t, mustPack(t, s.Slice(from, to))))
			from = to
		}

		first := rapid.IntRange(0, chunks[0].Len()).Draw(t, "first") // a read may begin within a chunk
		chunks[0] = chunks[0].Slice(first, chunks[0].Len())
		got, err := Join(s.Key(), chunks...)
		if err != nil {
			t.Fatalf("Join: %v", err)
		}

		assertSameBars(t, "joined", got, s.Slice(first, s.Len()))
	})
}

func TestJoinWithoutBars(t *testing.T) {
	t.Parallel()
	chunk := mustOpen(t, mustPack(t, goldenSeries(t, "gaps")))
	for _, chunks := range [][]Chunk{nil, {chunk.Slice(3, 3)}} {
		if s, err := Join(minuteKey(), chunks...); err != nil || s.Len() != 0 || s.Key() != minuteKey() {
			t.Errorf("Join of %d chunks = %v, %v; want no bars of %v", len(chunks), s, err, minuteKey())
		}
	}
}

func TestJoinRejectsDisorder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gaps", "wide"} { // one for each path of Join
		s := goldenSeries(t, name)
		a := mustOpen(t, mustPack(t, s.Slice(0, 1)))
		b := mustOpen(t, mustPack(t, s.Slice(1, s.Len())))
		var rule *domain.RuleError
		if _, err := Join(s.Key(), b, a); !errors.As(err, &rule) || rule.Rule != domain.RuleOutOfOrder {
			t.Errorf("%s out of order: %v, want a violation of %s", name, err, domain.RuleOutOfOrder)
		}
		if _, err := Join(s.Key(), a, a); !errors.As(err, &rule) || rule.Rule != domain.RuleDuplicate {
			t.Errorf("%s repeated: %v, want a violation of %s", name, err, domain.RuleDuplicate)
		}
	}
}

// Join must convert a chunk of a smaller scale, as a short last chunk often is, to the scale of the others.
func TestJoinConvertsScales(t *testing.T) {
	t.Parallel()
	const maxInt64 = "9223372036854775807"
	for _, test := range []struct {
		name   string
		prices []string // one chunk each
		scale  uint8
		wide   bool
	}{
		{"rising", []string{"1", "-2.5", "3.25"}, 2, false},
		{"falling", []string{"3.25", "2.5", "-1"}, 2, false},
		{"too large for 64 bits", []string{"0.1", maxInt64}, 1, true},
		{"too small for 64 bits", []string{"0.1", "-" + maxInt64}, 1, true},
		{"wide chunk", []string{"0.1", maxInt64 + "0", "5"}, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var bars []domain.Bar
			var chunks []Chunk
			for i, price := range test.prices {
				p := domain.MustDecimal(price)
				openTime := timeOf(int64(i) * 60_000_000)
				bar := domain.Bar{OpenTime: openTime, Open: p, High: p, Low: p, Close: p, Volume: p}
				bars = append(bars, bar)
				s, err := domain.NewSeries(minuteKey(), bar)
				if err != nil {
					t.Fatal(err)
				}

				chunks = append(chunks, mustOpen(t, mustPack(t, s)))
			}

			want, err := domain.NewSeries(minuteKey(), bars...)
			if err != nil {
				t.Fatal(err)
			}

			got, err := Join(minuteKey(), chunks...)
			if err != nil || !got.Equal(want) {
				t.Fatalf("Join = %v, %v; want %v", got, err, want)
			}

			if c := got.Columns(); c.PriceScale != test.scale || (c.Volume.Hi != nil) != test.wide {
				t.Errorf("scale %d, wide %v; want %d, %v", c.PriceScale, c.Volume.Hi != nil, test.scale, test.wide)
			}
		})
	}
}
