package influx

import (
	"encoding/binary"
	"hash/crc64"
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// checksum returns the value of the checksum field for a row with these values. Rows that differ in one number, or in
// the trade count, have different checksums, because a CRC-64 detects every burst of at most 64 bits.
func checksum(numbers [len(numberFields)]float64, trades int64, exact []byte) int64 {
	var b [8 * (len(numberFields) + 1)]byte
	for i, f := range numbers {
		binary.BigEndian.PutUint64(b[8*i:], math.Float64bits(f))
	}
	binary.BigEndian.PutUint64(b[8*len(numberFields):], uint64(trades))
	table := crc64.MakeTable(crc64.ECMA)

	return int64(crc64.Update(crc64.Checksum(b[:], table), table, exact))
}

// barChecksum returns the checksum of the row that appendLine writes for the bar.
func barChecksum(bar domain.Bar) int64 {
	values := barNumbers(bar)
	var floats [len(numberFields)]float64
	for i, v := range values {
		floats[i] = nearestFloat(v)
	}

	return checksum(floats, bar.Trades, appendExact(nil, values))
}

// rowChecksum returns the checksum of a row that was read.
func rowChecksum(numbers [len(numberFields)]number, trades int64, exact []byte) int64 {
	var floats [len(numberFields)]float64
	for i, n := range numbers {
		floats[i] = n.float
		if n.kind == numberInt {
			floats[i] = float64(n.int)
		}
	}

	return checksum(floats, trades, exact)
}

// incompleteRowError reports a row that is no bar now and may become one, because InfluxDB makes a write visible field
// by field. A reader must read the row again; a row that stays incomplete is corrupt.
type incompleteRowError struct {
	at  int64 // the time of the row, in nanoseconds since 1970
	err error // the error to report if the row stays incomplete
}

// Error returns the text of the error to report if the row stays incomplete.
func (e *incompleteRowError) Error() string { return e.err.Error() }

// Unwrap returns the error to report if the row stays incomplete.
func (e *incompleteRowError) Unwrap() error { return e.err }
