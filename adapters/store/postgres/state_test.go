package postgres

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/domain"
)

// FuzzDecodeState proves that no bytes of the arrays of a state panic, and that none is misread.
func FuzzDecodeState(f *testing.F) {
	array := func(dimensions uint32, numbers ...int64) []byte {
		b := binary.BigEndian.AppendUint32(nil, dimensions)
		b = append(b, make([]byte, 8+8*dimensions)...)
		for _, n := range numbers {
			b = appendInt64(b, n)
		}

		return b
	}
	f.Add(array(0), array(0), array(0))
	f.Add(array(2, 1, 2, 3, 4), array(2, 1, 2, 3, 4), array(1, -1))
	f.Add(array(2, 1, 2, 3), array(2, 1, 2, 3), array(1)[:7])
	f.Add(array(1<<31, 1), array(1)[:12], []byte{})
	number := make([]byte, 8)
	f.Fuzz(func(t *testing.T, ranges, blocks, tail []byte) {
		var state domain.SeriesState
		err := decodeState([][]byte{number, number, ranges, blocks, tail}, &state)
		if err != nil {
			if !errors.Is(err, errArray) {
				t.Error(err)
			}
			return
		}

		if len(ranges) < 24*len(state.Coverage) || len(blocks) < 48*len(state.Blocks) || len(tail) < 12*len(state.Tail) {
			t.Errorf("got %+v of %d, %d and %d bytes", state, len(ranges), len(blocks), len(tail))
		}
	})
}
