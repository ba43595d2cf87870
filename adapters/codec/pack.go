package codec

import (
	"encoding/binary"
	"math/bits"
)

// words is one group of one column, decoded or ready to be packed.
type words [groupBars]int64

// packGroup appends the words of the first octets, as unsigned values, and returns the meta to unpack them with.
func packGroup(dst []byte, w *words, octets int) ([]byte, meta) {
	values := w[:octets*octetValues]
	m := chooseMeta(values)
	width, highBytes := m.width(), m.highBytes()
	dst = packBits(dst, values, width)
	if m.exceptions() == 0 {
		return dst, m
	}

	for i, v := range values {
		if high := uint64(v) >> width; high != 0 {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], high)
			dst = append(dst, byte(i))
			dst = append(dst, b[:highBytes]...)
		}
	}

	return dst, m
}

// chooseMeta returns the cheapest width for the values. Wider values become exceptions.
func chooseMeta(values []int64) meta {
	var lengths [65]int // number of values by length in bits
	longest := 0
	for _, v := range values {
		n := bits.Len64(uint64(v))
		lengths[n]++
		longest = max(longest, n)
	}

	octets := len(values) / octetValues
	width := longest
	for !isValidWidth(width) {
		width++
	}
	best, bestCost := newMeta(width, 0, 0), octets*width
	exceptions := 0
	for width = longest - 1; width >= 0; width-- {
		if exceptions += lengths[width+1]; exceptions > maxExceptions {
			break
		}
		if !isValidWidth(width) {
			continue
		}

		// Decoding an exception takes as long as reading about two more bytes.
		const exceptionCost = 2
		highBytes := (longest - width + 7) / 8
		if cost := octets*width + exceptions*(1+highBytes+exceptionCost); cost < bestCost {
			best, bestCost = newMeta(width, highBytes, exceptions), cost
		}
	}

	return best
}

// packBits appends the low width bits of each value, value i at bit i*width. The number of values must be a multiple of
// 8, so that the last bit ends a byte.
func packBits(dst []byte, values []int64, width int) []byte {
	if width == 0 {
		return dst
	}

	mask := ^uint64(0) >> (64 - width)
	var pending uint64
	pendingBits := 0
	for _, v := range values {
		low := uint64(v) & mask
		pending |= low << pendingBits
		if pendingBits += width; pendingBits >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, pending)
			pendingBits -= 64
			pending = low >> (width - pendingBits)
		}
	}

	for ; pendingBits > 0; pendingBits -= 8 {
		dst = append(dst, byte(pending))
		pending >>= 8
	}

	return dst
}
