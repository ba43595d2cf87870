package codec

import (
	"math/big"
	"reflect"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// referenceColumns decodes an accepted chunk value by value and bit by bit, as the package comment describes it: slow and plain.
func referenceColumns(b []byte) domain.Columns {
	n, unit := int(u16(b, 4)), int64(u64(b, 8))
	section := map[byte][]byte{}
	flags, scales := map[byte]byte{}, map[byte]byte{}
	for i, start := 0, headerSize+columnSize*int(b[6]); i < int(b[6]); i++ {
		line := b[headerSize+columnSize*i:]
		end := int(u32(line, 4))
		section[line[0]], flags[line[0]], scales[line[0]] = b[start:end], line[1], line[2]
		start = end
	}

	const timeID, closeID, openID, highID, lowID, volumeID, tradesID, wide = 1, 2, 3, 4, 5, 6, 7, 128

	// raw is the values of a section, with its anchors, before the transforms.
	raw := func(id byte) (values []uint64, anchors []int64) {
		s, nb := section[id], (n+127)/128
		if s == nil {
			return nil, nil
		}

		if id == timeID || id == closeID {
			for i := range nb {
				anchors = append(anchors, int64(u64(s, 8*i)))
			}
			s = s[8*nb:]
		}

		data := s[2*nb:]
		for block := range nb {
			m := u16(s, 2*block)
			width, high, exceptions := int(m&127), int(m>>7&15), int(m>>11)
			bars := min(n-128*block, 128)
			var w [128]uint64
			for i := range bars {
				for bit := range width {
					at := i*width + bit
					w[i] |= uint64(data[at/8]>>(at%8)&1) << bit
				}
			}

			data = data[(bars+7)/8*width:]
			for range exceptions {
				rest := new(big.Int)
				for i := high; i > 0; i-- {
					rest.Lsh(rest, 8).Or(rest, big.NewInt(int64(data[i])))
				}
				w[data[0]%128] |= rest.Uint64() << width
				data = data[1+high:]
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
		values, _ := raw(id)
		if values == nil {
			return nil
		}

		s := make([]int64, n)
		for i, v := range values {
			s[i] = int64(v)
		}
		return s
	}

	c := domain.Columns{OpenMicros: make([]int64, n), Trades: signed(tradesID), PriceScale: scales[closeID], VolumeScale: scales[volumeID]}
	open, closes := make([]int64, n), make([]int64, n)
	times, timeAnchors := raw(timeID)
	closeValues, closeAnchors := raw(closeID)
	openValues, _ := raw(openID)
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

// unpackLoop is the loop that the kernels are made from.
func unpackLoop(dst *words, src []byte, width, groups int) {
	if width == 0 {
		clear(dst[:groups*groupBars])
		return
	}

	mask := ^uint64(0) >> (64 - width)
	for i := range groups * groupBars {
		dst[i] = int64(u64(src, i*width/8) >> (i * width % 8) & mask)
	}
}

func TestKernelsEqualLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, blockBars/groupBars).Draw(t, "groups")
		seed := words(drawWords(t, "values", blockBars, true))
		for width := range 65 {
			if !validWidth(width) {
				continue
			}

			packed := packBits(nil, seed[:groups*groupBars], width)
			if len(packed) != groups*width {
				t.Fatalf("width %d: %d bytes for %d groups", width, len(packed), groups)
			}

			packed = append(packed, make([]byte, slackSize)...)
			got, want := seed, seed // what is beyond the groups stays
			unpack(&got, packed, width, groups)
			unpackLoop(&want, packed, width, groups)
			if got != want {
				t.Fatalf("width %d: kernel and loop differ", width)
			}

			for i, v := range seed[:groups*groupBars] {
				if width < 64 {
					v &= 1<<width - 1
				}
				if got[i] != v {
					t.Fatalf("width %d: value %d is %x, packed was %x", width, i, got[i], v)
				}
			}
		}
	})
}

// Every block takes no more bytes than at its largest value's width.
func TestExceptionsPay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := words(drawWords(t, "values", blockBars, rapid.Bool().Draw(t, "negative")))
		b, m := packBlock(nil, &w, blockBars/groupBars)
		if !m.valid() || len(b) != m.size(blockBars/groupBars) {
			t.Fatalf("meta %04x for %d bytes", m, len(b))
		}

		var longest uint64
		for _, v := range w {
			longest |= uint64(v)
		}
		width := big.NewInt(0).SetUint64(longest).BitLen()
		for !validWidth(width) {
			width++
		}
		if len(b) > 16*width {
			t.Fatalf("%d bytes, without exceptions %d", len(b), 16*width)
		}
	})
}
