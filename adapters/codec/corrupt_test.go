package codec

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// refused fails unless Open refuses b by one of its two errors.
func refused(t *testing.T, what string, b []byte) {
	t.Helper()
	if _, err := Open(b); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
		t.Errorf("%s: Open = %v, want a refusal", what, err)
	}
}

// fixSum makes the checksum right again.
func fixSum(b []byte) []byte {
	if body := len(b) - sumSize; body >= 0 {
		binary.LittleEndian.PutUint32(b[body:], checksum(b[:body]))
	}
	return b
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			b := mustPack(t, g.series)
			for bit := range 8 * len(b) {
				b[bit/8] ^= 1 << (bit % 8)
				if _, err := Open(b); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
					t.Fatalf("bit %d of byte %d flipped: Open = %v, want a refusal", bit%8, bit/8, err)
				}

				b[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		b := mustPack(t, g.series)
		for n := range b {
			if _, err := Open(b[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: Open = %v, want ErrCorrupt", g.name, n, len(b), err)
			}
		}

		refused(t, g.name+" and a byte more", append(b, 0))
	}
}

// Structure that no checksum guards against: a damaged chunk that was sealed again.
func TestForgedStructureIsRefused(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	line := func(col column) int { return headerSize + columnSize*int(col) }
	for _, test := range []struct {
		name  string
		forge func(b []byte)
	}{
		{"no bar", func(b []byte) { b[4], b[5] = 0, 0 }},
		{"a group more", func(b []byte) { b[4] += groupBars }},
		{"too many bars", func(b []byte) { binary.LittleEndian.PutUint16(b[4:], MaxBars+1) }},
		{"column missing", func(b []byte) { b[line(tradesColumn)] = 99 }},
		{"column twice", func(b []byte) { b[line(tradesColumn)] = volumeColumn.id() }},
		{"columns out of order", func(b []byte) {
			b[line(highColumn)], b[line(lowColumn)] = lowColumn.id(), highColumn.id()
		}},
		{"unknown flag", func(b []byte) { b[line(volumeColumn)+1] |= 2 }},
		{"zigzag close", func(b []byte) { b[line(closeColumn)+1] |= zigzagFlag }},
		{"scale too large", func(b []byte) { b[line(volumeColumn)+2] = domain.MaxScale + 1 }},
		{"prices of two scales", func(b []byte) { b[line(lowColumn)+2]++ }},
		{"time with a scale", func(b []byte) { b[line(timeColumn)+2] = 1 }},
		{"reserved byte of the header", func(b []byte) { b[7] = 1 }},
		{"reserved byte of a column", func(b []byte) { b[line(openColumn)+3] = 1 }},
		{"unit 0", func(b []byte) { binary.LittleEndian.PutUint64(b[8:], 0) }},
		{"slack", func(b []byte) { b[len(b)-sumSize-1] = 1 }},
		{"section ends early", func(b []byte) { b[line(openColumn)+4]-- }},
		{"section ends outside", func(b []byte) { b[line(tradesColumn)+7] = 1 }},
		{"section ends before it begins", func(b []byte) { binary.LittleEndian.PutUint32(b[line(openColumn)+4:], headerSize) }},
		{"width 59", func(b []byte) {
			at := u32(b, line(volumeColumn)+4) // where trades begin
			binary.LittleEndian.PutUint16(b[at:], uint16(newMeta(59, 0, 0)))
		}},
		{"high part of 9 bytes", func(b []byte) {
			at := u32(b, line(volumeColumn)+4)
			binary.LittleEndian.PutUint16(b[at:], u16(b, int(at))|9<<7)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := mustPack(t, s)
			mustOpen(t, fixSum(b))
			test.forge(b)
			refused(t, test.name, fixSum(b))
		})
	}
}

func TestOpenTellsVersions(t *testing.T) {
	t.Parallel()
	b := mustPack(t, goldenSeries(t, "one bar"))
	b[3] = Version + 1
	if _, err := Open(b); !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) {
		t.Errorf("Open of a later version = %v, want ErrVersion alone", err)
	}
}

// A column that a later program adds does not keep this one from reading the rest.
func TestUnknownColumnIsSkipped(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	b := mustPack(t, s)
	columns := int(b[6])
	lines := headerSize + columnSize*columns
	end := len(b) - sumSize - slackSize

	later := append([]byte(nil), b[:lines]...)
	later[6]++
	later = append(later, 42, 0xff, 77, 1)
	later = binary.LittleEndian.AppendUint32(later, uint32(end+columnSize+5))
	for i := range columns {
		at := headerSize + columnSize*i + 4
		binary.LittleEndian.PutUint32(later[at:], u32(b, at)+columnSize)
	}

	later = append(later, b[lines:end]...)
	later = append(later, "other"...)
	later = append(later, make([]byte, slackSize+sumSize)...)
	got, err := mustOpen(t, fixSum(later)).Series(s.Key())
	if err != nil || !got.Equal(s) {
		t.Errorf("Series = %v, %v; want %v", got, err, s)
	}
}

// A chunk is not a Series of just any key.
func TestSeriesChecksTheKey(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	hourly := s.Key()
	hourly.Grid = domain.Hour1.UTC()
	var rule *domain.RuleError
	if _, err := mustOpen(t, mustPack(t, s)).Series(hourly); !errors.As(err, &rule) || rule.Rule != domain.RuleOffGrid {
		t.Errorf("Series of another grid: %v, want a breach of %s", err, domain.RuleOffGrid)
	}
}

// decodesOrRefuses fails unless Open refuses b, or all that can be asked of the chunk is what the reference decoder makes of it.
func decodesOrRefuses(t interface{ Fatalf(string, ...any) }, b []byte, from, to uint16) {
	c, err := Open(b)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatalf("Open: %v", err)
		}
		return
	}

	whole := c.Columns(domain.Columns{})
	if !reflect.DeepEqual(whole, referenceColumns(b)) {
		t.Fatalf("columns differ from those of the reference decoder")
	}

	x, y := int(from)%(c.Len()+1), int(to)%(c.Len()+1)
	lo, hi := min(x, y), max(x, y)
	part := c.Slice(lo, hi)
	columns := part.Columns(domain.Columns{})
	if !slices.Equal(columns.OpenMicros, whole.OpenMicros[lo:hi]) || !slices.Equal(columns.OpenMicros, part.Times(nil)) ||
		!slices.Equal(columns.Trades, whole.Trades[lo:hi]) || !slices.Equal(columns.Trades, part.Trades(nil)) {
		t.Fatalf("times or trades of a part differ")
	}

	for field := domain.FieldOpen; field <= domain.FieldVolume; field++ {
		want, _ := columns.Field(field)
		if got, _ := part.Field(field, domain.Column{}); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s alone differs", field)
		}
	}

	first, last := c.Bounds()
	if first != whole.OpenMicros[0] || last != whole.OpenMicros[c.Len()-1] {
		t.Fatalf("Bounds = %d, %d", first, last)
	}

	c.Clip(domain.Range{Start: timeOf(first), End: timeOf(last)})
	if s, err := c.Series(second()); err == nil {
		if got, err := mustOpen(t, mustPack(t, s)).Series(second()); err != nil || !got.Equal(s) {
			t.Fatalf("a Series that was accepted does not survive: %v", err)
		}
	}
}

// Content that no checksum guards against decodes to nonsense, but never panics, and is the same nonsense by whichever way.
func TestForgedContent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := mustPack(t, rapid.SampledFrom(goldens()).Draw(t, "golden").series)
		body := headerSize + columnSize*int(b[6])
		for range rapid.IntRange(1, 8).Draw(t, "bytes") {
			b[rapid.IntRange(body, len(b)-sumSize-slackSize-1).Draw(t, "at")] ^= rapid.Byte().Draw(t, "flips")
		}
		decodesOrRefuses(t, fixSum(b), rapid.Uint16().Draw(t, "from"), rapid.Uint16().Draw(t, "to"))
	})
}

func FuzzOpen(f *testing.F) {
	for _, g := range goldens() {
		b := mustPack(f, g.series)
		f.Add(b, true, uint16(1), uint16(g.series.Len()))
		f.Add(b[:len(b)/2], false, uint16(0), uint16(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, seal bool, from, to uint16) {
		if seal {
			b = fixSum(slices.Clone(b))
		}
		decodesOrRefuses(t, b, from, to)
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		s := drawSeries(t)
		got, err := mustOpen(t, mustPack(t, s)).Series(s.Key())
		if err != nil {
			t.Fatalf("Series: %v", err)
		}

		sameBars(t, "whole", got, s)
	}))
}
