// Package parquet writes and reads bars, trades and quotes as Parquet, the form in which notebooks (pandas, polars, DuckDB) take
// and give tables.
//
// A file holds the bars of one series, a row a bar, ascending by open time:
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)  open time
//	open high low close     DECIMAL(38, 18)
//	volume                  DECIMAL(38, 18)
//	trades                  INT64                               trade count, 0 where unknown
//
// or the trades of one symbol, or its quotes, ascending by time and number:
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)
//	seq                     INT64                               the source's number
//	price size              DECIMAL(38, 18)
//	side                    STRING                              buy, sell or unknown
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)
//	seq                     INT64
//	bid ask                 DECIMAL(38, 18)
//	bid_size ask_size       DECIMAL(38, 18)
//
// No column holds nulls. The series key, or the symbol, is in the file's metadata, under KeyName or SymbolName. A decimal of the
// domain has at most 20 digits before and 18 after the point, so that DECIMAL(38, 18) holds every one exactly, and a stream can
// be written without a look at its last row. The price is that a product of two such columns needs more digits than most engines
// have: cast first, to DOUBLE or to fewer digits.
//
// What may go where is the application's; CSV is the parent package's, as are the names of columns.
package parquet

import (
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// The names in a file's metadata.
const (
	KeyName    = "marketdata.key"    // of the series of a file of bars; its value is what domain.ParseSeriesKey reads
	SymbolName = "marketdata.symbol" // of the symbol of a file of trades or quotes
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
