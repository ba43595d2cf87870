package influx

import (
	"bytes"
	"math"
)

// Decode reads a whole answer of n statements, as query does, and returns how many rows it had.
func Decode(body []byte, n int) (rows int, err error) {
	var columns int
	a := answer{
		decoder: newDecoder(bytes.NewReader(body), math.MaxInt64),
		begin: func(t table) error {
			columns = len(t.columns)
			return nil
		},
		row: func(d *decoder) error {
			rows++
			for range columns {
				if _, err := d.value(); err != nil {
					return err
				}
			}

			return nil
		},
	}

	return rows, a.read(n)
}

// DecodeTime reads one time.
func DecodeTime(body []byte) (int64, error) {
	return newDecoder(bytes.NewReader(body), math.MaxInt64).time()
}

// FromFloat and Survives are the two directions of a float field.
var (
	FromFloat = fromFloat
	Survives  = survives
)
