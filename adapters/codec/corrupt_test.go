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

// isRejection reports whether err is an error of Open.
func isRejection(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) }

// assertRejected fails the test unless Open rejects b.
func assertRejected(t *testing.T, label string, b []byte) {
	t.Helper()
	if _, err := Open(b); !isRejection(err) {
		t.Errorf("%s: Open = %v, want ErrCorrupt or ErrVersion", label, err)
	}
}

// fixChecksum sets the checksum of a damaged chunk to that of its bytes.
func fixChecksum(b []byte) []byte {
	if body := len(b) - checksumSize; body >= 0 {
		binary.LittleEndian.PutUint32(b[body:], checksum(b[:body]))
	}
	return b
}

func TestFlippedBitsAreRejected(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			b := mustPack(t, g.series)
			for bit := range 8 * len(b) {
				b[bit/8] ^= 1 << (bit % 8)
				if _, err := Open(b); !isRejection(err) {
					t.Fatalf("bit %d of byte %d flipped: Open = %v, want ErrCorrupt or ErrVersion", bit%8, bit/8, err)
				}

				b[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func TestTruncationsAreRejected(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		b := mustPack(t, g.series)
		for n := range b {
			if _, err := Open(b[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: Open = %v, want ErrCorrupt", g.name, n, len(b), err)
			}
		}

		assertRejected(t, g.name+" and one more byte", append(b, 0))
	}
}

// Open must reject a malformed structure even if the checksum is correct.
func TestForgedStructureIsRejected(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	entry := func(col column) int { return headerSize + directorySize*int(col) }
	for _, test := range []struct {
		name  string
		forge func(b []byte)
	}{
		{"no bars", func(b []byte) { b[4], b[5] = 0, 0 }},
		{"one octet too many", func(b []byte) { b[4] += octetValues }},
		{"too many bars", func(b []byte) { binary.LittleEndian.PutUint16(b[4:], MaxBars+1) }},
		{"column missing", func(b []byte) { b[entry(tradesColumn)] = 99 }},
		{"repeated column", func(b []byte) { b[entry(tradesColumn)] = volumeColumn.id() }},
		{"columns out of order", func(b []byte) {
			b[entry(highColumn)], b[entry(lowColumn)] = lowColumn.id(), highColumn.id()
		}},
		{"unknown flag", func(b []byte) { b[entry(volumeColumn)+1] |= 2 }},
		{"zigzag flag of close", func(b []byte) { b[entry(closeColumn)+1] |= zigzagFlag }},
		{"scale too large", func(b []byte) { b[entry(volumeColumn)+2] = domain.MaxScale + 1 }},
		{"prices with two scales", func(b []byte) { b[entry(lowColumn)+2]++ }},
		{"time with a scale", func(b []byte) { b[entry(timeColumn)+2] = 1 }},
		{"reserved byte of the header", func(b []byte) { b[7] = 1 }},
		{"reserved byte of a column", func(b []byte) { b[entry(openColumn)+3] = 1 }},
		{"unit 0", func(b []byte) { binary.LittleEndian.PutUint64(b[8:], 0) }},
		{"padding", func(b []byte) { b[len(b)-checksumSize-1] = 1 }},
		{"section ends early", func(b []byte) { b[entry(openColumn)+4]-- }},
		{"section ends outside", func(b []byte) { b[entry(tradesColumn)+7] = 1 }},
		{"section ends before it begins", func(b []byte) {
			binary.LittleEndian.PutUint32(b[entry(openColumn)+4:], headerSize)
		}},
		{"width 59", func(b []byte) {
			trades := u32(b, entry(volumeColumn)+4) // volume ends where trades begin
			binary.LittleEndian.PutUint16(b[trades:], uint16(newMeta(59, 0, 0)))
		}},
		{"high part of 9 bytes", func(b []byte) {
			trades := u32(b, entry(volumeColumn)+4)
			binary.LittleEndian.PutUint16(b[trades:], u16(b, int(trades))|9<<7)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := mustPack(t, s)
			mustOpen(t, fixChecksum(b))
			test.forge(b)
			assertRejected(t, test.name, fixChecksum(b))
		})
	}
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	b := mustPack(t, goldenSeries(t, "one bar"))
	b[3] = Version + 1
	if _, err := Open(b); !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) {
		t.Errorf("Open of a later version = %v, want ErrVersion and not ErrCorrupt", err)
	}
}

// A column that a later program adds must not prevent reading the others.
func TestUnknownColumnIsSkipped(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	b := mustPack(t, s)
	columns := int(b[6])
	directoryEnd := headerSize + directorySize*columns
	end := len(b) - checksumSize - paddingSize

	later := append([]byte(nil), b[:directoryEnd]...)
	later[6]++
	later = append(later, 42, 0xff, 77, 1)
	later = binary.LittleEndian.AppendUint32(later, uint32(end+directorySize+5))
	for i := range columns {
		offset := headerSize + directorySize*i + 4
		binary.LittleEndian.PutUint32(later[offset:], u32(b, offset)+directorySize)
	}

	later = append(later, b[directoryEnd:end]...)
	later = append(later, "other"...)
	later = append(later, make([]byte, paddingSize+checksumSize)...)
	got, err := mustOpen(t, fixChecksum(later)).Series(s.Key())
	if err != nil || !got.Equal(s) {
		t.Errorf("Series = %v, %v; want %v", got, err, s)
	}
}

// Chunk.Series must reject bars that are not on the grid of the key.
func TestSeriesOfWrongKey(t *testing.T) {
	t.Parallel()
	s := goldenSeries(t, "gaps")
	hourly := s.Key()
	hourly.Grid = domain.Hour1.UTC()
	var rule *domain.RuleError
	if _, err := mustOpen(t, mustPack(t, s)).Series(hourly); !errors.As(err, &rule) || rule.Rule != domain.RuleOffGrid {
		t.Errorf("Series of another grid: %v, want a violation of %s", err, domain.RuleOffGrid)
	}
}

// assertDecodesOrRejects fails the test unless Open rejects b or every method of the chunk agrees with the reference
// decoder.
func assertDecodesOrRejects(t interface{ Fatalf(string, ...any) }, b []byte, from, to uint16) {
	c, err := Open(b)
	if err != nil {
		if !isRejection(err) {
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
	times, trades := whole.OpenMicros[lo:hi], whole.Trades[lo:hi]
	if !slices.Equal(columns.OpenMicros, times) || !slices.Equal(part.Times(nil), times) ||
		!slices.Equal(columns.Trades, trades) || !slices.Equal(part.Trades(nil), trades) {
		t.Fatalf("times or trades of [%d:%d] differ", lo, hi)
	}

	for field := domain.FieldOpen; field <= domain.FieldVolume; field++ {
		want, _ := columns.Field(field)
		if got, _ := part.Field(field, domain.Column{}); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s decoded alone differs", field)
		}
	}

	first, last := c.Bounds()
	if int64(first) != whole.OpenMicros[0] || int64(last) != whole.OpenMicros[c.Len()-1] {
		t.Fatalf("Bounds = %d, %d", first, last)
	}

	c.Clip(domain.Range{Start: first.Time(), End: last.Time()})
	s, err := c.Series(secondKey())
	if err != nil {
		return
	}
	if got, err := mustOpen(t, mustPack(t, s)).Series(secondKey()); err != nil || !got.Equal(s) {
		t.Fatalf("a decoded Series does not survive a round trip: %v", err)
	}
}

// Forged content with a correct checksum must not panic, and all methods must decode it to the same numbers.
func TestForgedContent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := mustPack(t, rapid.SampledFrom(goldens()).Draw(t, "golden").series)
		body := headerSize + directorySize*int(b[6])
		for range rapid.IntRange(1, 8).Draw(t, "bytes") {
			offset := rapid.IntRange(body, len(b)-checksumSize-paddingSize-1).Draw(t, "offset")
			b[offset] ^= rapid.Byte().Draw(t, "flipped bits")
		}
		assertDecodesOrRejects(t, fixChecksum(b), rapid.Uint16().Draw(t, "from"), rapid.Uint16().Draw(t, "to"))
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
			b = fixChecksum(slices.Clone(b))
		}
		assertDecodesOrRejects(t, b, from, to)
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		s := drawSeries(t)
		got, err := mustOpen(t, mustPack(t, s)).Series(s.Key())
		if err != nil {
			t.Fatalf("Series: %v", err)
		}

		assertSameBars(t, "whole", got, s)
	}))
}
