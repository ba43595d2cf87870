package codec

import (
	"math/big"
	"reflect"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// referenceColumns decodes a chunk that Open accepts, value by value and bit by bit, exactly as the package comment
// describes the format.
func referenceColumns(b []byte) domain.Columns {
	n, unit := int(u16(b, 4)), int64(u64(b, 8))
	section := map[byte][]byte{}
	flags, scales := map[byte]byte{}, map[byte]byte{}
	for i, start := 0, headerSize+directorySize*int(b[6]); i < int(b[6]); i++ {
		entry := b[headerSize+directorySize*i:]
		end := int(u32(entry, 4))
		section[entry[0]], flags[entry[0]], scales[entry[0]] = b[start:end], entry[1], entry[2]
		start = end
	}

	const timeID, closeID, openID, highID, lowID, volumeID, tradesID, wide = 1, 2, 3, 4, 5, 6, 7, 128

	// unpackSection returns the values of a section, still reduced, and its anchors.
	unpackSection := func(id byte) (values []uint64, anchors []int64) {
		s, groups := section[id], (n+127)/128
		if s == nil {
			return nil, nil
		}

		if id == timeID || id == closeID {
			for i := range groups {
				anchors = append(anchors, int64(u64(s, 8*i)))
			}
			s = s[8*groups:]
		}

		data := s[2*groups:]
		for group := range groups {
			m := u16(s, 2*group)
			width, highBytes, exceptions := int(m&127), int(m>>7&15), int(m>>11)
			bars := min(n-128*group, 128)
			var w [128]uint64
			for i := range bars {
				for bit := range width {
					offset := i*width + bit
					w[i] |= uint64(data[offset/8]>>(offset%8)&1) << bit
				}
			}

			data = data[(bars+7)/8*width:]
			for range exceptions {
				high := new(big.Int)
				for i := highBytes; i > 0; i-- {
					high.Lsh(high, 8).Or(high, big.NewInt(int64(data[i])))
				}
				w[data[0]%128] |= high.Uint64() << width
				data = data[1+highBytes:]
			}

			for _, v := range w[:bars] {
				if flags[id]&1 != 0 {
					v = v>>1 ^ -(v & 1)
				}
				values = append(values, v)
			}
		}

		return values, anchors
	}
	signed := func(id byte) []int64 {
		values, _ := unpackSection(id)
		if values == nil {
			return nil
		}

		s := make([]int64, n)
		for i, v := range values {
			s[i] = int64(v)
		}

		return s
	}

	c := domain.Columns{
		OpenMicros: make([]int64, n), Trades: signed(tradesID),
		PriceScale: scales[closeID], VolumeScale: scales[volumeID],
	}
	open, closes := make([]int64, n), make([]int64, n)
	times, timeAnchors := unpackSection(timeID)
	closeValues, closeAnchors := unpackSection(closeID)
	openValues, _ := unpackSection(openID)
	highs, lows := signed(highID), signed(lowID)
	for i := range n {
		if i%128 == 0 {
			c.OpenMicros[i], closes[i] = timeAnchors[i/128], closeAnchors[i/128]
			open[i] = closes[i] + unzigzag(openValues[i])
		} else {
			c.OpenMicros[i] = c.OpenMicros[i-1] + (int64(times[i])+1)*unit
			closes[i] = closes[i-1] + unzigzag(closeValues[i])
			open[i] = closes[i-1] + unzigzag(openValues[i])
		}

		highs[i] += max(open[i], closes[i])
		lows[i] = min(open[i], closes[i]) - lows[i]
	}

	c.Open = domain.Column{Lo: open, Hi: signed(openID | wide)}
	c.High = domain.Column{Lo: highs, Hi: signed(highID | wide)}
	c.Low = domain.Column{Lo: lows, Hi: signed(lowID | wide)}
	c.Close = domain.Column{Lo: closes, Hi: signed(closeID | wide)}
	c.Volume = domain.Column{Lo: signed(volumeID), Hi: signed(volumeID | wide)}

	return c
}

func TestColumnsEqualReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := mustPack(t, drawSeries(t))
		if got, want := mustOpen(t, b).Columns(domain.Columns{}), referenceColumns(b); !reflect.DeepEqual(got, want) {
			t.Fatalf("columns differ from those of the reference decoder")
		}
	})
}

// unpackLoop is the loop that the kernels are generated from.
func unpackLoop(dst *words, src []byte, width, octets int) {
	if width == 0 {
		clear(dst[:octets*octetValues])
		return
	}

	mask := ^uint64(0) >> (64 - width)
	for i := range octets * octetValues {
		dst[i] = int64(u64(src, i*width/8) >> (i * width % 8) & mask)
	}
}

func TestKernelsEqualLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		octets := rapid.IntRange(1, groupBars/octetValues).Draw(t, "octets")
		seed := words(drawWords(t, "values", groupBars, true))
		for width := range 65 {
			if !isValidWidth(width) {
				continue
			}

			packed := packBits(nil, seed[:octets*octetValues], width)
			if len(packed) != octets*width {
				t.Fatalf("width %d: %d bytes for %d octets", width, len(packed), octets)
			}

			packed = append(packed, make([]byte, paddingSize)...)
			got, want := seed, seed // the words beyond the octets must not change
			unpack(&got, packed, width, octets)
			unpackLoop(&want, packed, width, octets)
			if got != want {
				t.Fatalf("width %d: kernel and loop differ", width)
			}

			for i, v := range seed[:octets*octetValues] {
				if width < 64 {
					v &= 1<<width - 1
				}
				if got[i] != v {
					t.Fatalf("width %d: value %d is %x, want %x", width, i, got[i], v)
				}
			}
		}
	})
}

// A group never takes more bytes than it takes at the width of its largest value.
func TestExceptionsNeverCostBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := words(drawWords(t, "values", groupBars, rapid.Bool().Draw(t, "negative")))
		b, m := packGroup(nil, &w, groupBars/octetValues)
		if !m.isValid() || len(b) != m.size(groupBars/octetValues) {
			t.Fatalf("meta %04x for %d bytes", m, len(b))
		}

		var longest uint64
		for _, v := range w {
			longest |= uint64(v)
		}
		width := big.NewInt(0).SetUint64(longest).BitLen()
		for !isValidWidth(width) {
			width++
		}
		if len(b) > 16*width {
			t.Fatalf("%d bytes, want at most %d, the size without exceptions", len(b), 16*width)
		}
	})
}
