package influx

import (
	"encoding/binary"
	"hash/crc64"
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// checksum is of all that a bar's row says: what the field whole holds. It tells any one field of another version for sure.
func checksum(numbers [len(numberFields)]float64, trades int64, exact []byte) int64 {
	var b [8 * (len(numberFields) + 1)]byte
	for i, f := range numbers {
		binary.BigEndian.PutUint64(b[8*i:], math.Float64bits(f))
	}
	binary.BigEndian.PutUint64(b[8*len(numberFields):], uint64(trades))
	table := crc64.MakeTable(crc64.ECMA)

	return int64(crc64.Update(crc64.Checksum(b[:], table), table, exact))
}

// checksumOf is the checksum of the row that a bar is written as.
func checksumOf(bar domain.Bar) int64 {
	values := numbersOf(bar)
	var floats [len(numberFields)]float64
	for i, v := range values {
		floats[i] = nearestFloat(v)
	}

	return checksum(floats, bar.Trades, appendExact(nil, values))
}

// checksumRead is the checksum of a row as it was read.
func checksumRead(numbers [len(numberFields)]number, trades int64, exact []byte) int64 {
	var floats [len(numberFields)]float64
	for i, n := range numbers {
		floats[i] = n.float
		if n.kind == numberInt {
			floats[i] = float64(n.int)
		}
	}

	return checksum(floats, trades, exact)
}

// unsettledError is a row that is no bar, and may be one in a moment: some of its fields are those of a write that is under way.
// InfluxDB shows a write field by field.
type unsettledError struct {
	at  int64 // the row's time, in nanoseconds
	err error // what it is if it stays so
}

func (e *unsettledError) Error() string { return e.err.Error() }
func (e *unsettledError) Unwrap() error { return e.err }
