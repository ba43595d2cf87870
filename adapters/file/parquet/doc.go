// Package parquet writes and reads bars as Parquet, the form in which notebooks (pandas, polars, DuckDB) take and give tables.
//
// A file holds the bars of one series, a row a bar, ascending by open time:
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)  open time
//	open high low close     DECIMAL(38, 18)
//	volume                  DECIMAL(38, 18)
//	trades                  INT64                               trade count, 0 where unknown
//
// No column holds nulls. The series key is in the file's metadata, under KeyName. A decimal of the domain has at most 20 digits
// before and 18 after the point, so that DECIMAL(38, 18) holds every one exactly, and a stream can be written without a look at
// its last bar. The price is that a product of two such columns needs more digits than most engines have: cast first, to DOUBLE
// or to fewer digits.
//
// What may go where is the application's; CSV is the parent package's.
package parquet

import (
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// KeyName is the name of the series key in a file's metadata; its value is what domain.ParseSeriesKey reads.
const KeyName = "marketdata.key"

// The columns of a file.
const (
	columnTime   = "time"
	columnTrades = "trades"
)

// RowError is what is wrong with one row of a file. It unwraps to domain.ErrInvalid and to the cause.
type RowError struct {
	File string // may be empty
	Row  int64  // from 1
	Err  error
}

func (e *RowError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("row %d: %v", e.Row, e.Err)
	}
	return fmt.Sprintf("%s: row %d: %v", e.File, e.Row, e.Err)
}

// Unwrap yields domain.ErrInvalid and the cause.
func (e *RowError) Unwrap() []error { return []error{domain.ErrInvalid, e.Err} }

// fields are the decimal columns of a file, in its order.
var fields = [...]domain.Field{
	domain.FieldOpen, domain.FieldHigh, domain.FieldLow, domain.FieldClose, domain.FieldVolume,
}
