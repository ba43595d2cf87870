package codec

import (
	"encoding/binary"
	"math/bits"
)

// words is one block of one column, decoded or about to be packed.
type words [blockBars]int64

// packBlock appends the first groups*8 words, read as unsigned, and says how it packed them.
func packBlock(dst []byte, w *words, groups int) ([]byte, meta) {
	values := w[:groups*groupBars]
	m := chooseMeta(values)
	width, high := m.width(), m.high()
	dst = packBits(dst, values, width)
	if m.exceptions() == 0 {
		return dst, m
	}

	for i, v := range values {
		if rest := uint64(v) >> width; rest != 0 {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], rest)
			dst = append(dst, byte(i))
			dst = append(dst, b[:high]...)
		}
	}

	return dst, m
}

// chooseMeta finds the width at which the values take the fewest bytes, those that are wider being exceptions.
func chooseMeta(values []int64) meta {
	var lengths [65]int // how many values have that many bits
	longest := 0
	for _, v := range values {
		n := bits.Len64(uint64(v))
		lengths[n]++
		longest = max(longest, n)
	}

	groups := len(values) / groupBars
	width := longest
	for !validWidth(width) {
		width++
	}
	best, least := newMeta(width, 0, 0), groups*width
	exceptions := 0
	for width = longest - 1; width >= 0; width-- {
		if exceptions += lengths[width+1]; exceptions > maxExceptions {
			break
		}
		if !validWidth(width) {
			continue
		}

		// An exception costs time too, about as much as reading two bytes more.
		const toll = 2
		high := (longest - width + 7) / 8
		if cost := groups*width + exceptions*(1+high+toll); cost < least {
			best, least = newMeta(width, high, exceptions), cost
		}
	}

	return best
}

// packBits appends the low width bits of each value, value i at bit i*width. The count of values is a multiple of 8, so that
// the last bit ends a byte.
func packBits(dst []byte, values []int64, width int) []byte {
	if width == 0 {
		return dst
	}

	mask := ^uint64(0) >> (64 - width)
	var pending uint64
	filled := 0
	for _, v := range values {
		low := uint64(v) & mask
		pending |= low << filled
		if filled += width; filled >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, pending)
			filled -= 64
			pending = low >> (width - filled)
		}
	}

	for ; filled > 0; filled -= 8 {
		dst = append(dst, byte(pending))
		pending >>= 8
	}
	return dst
}
