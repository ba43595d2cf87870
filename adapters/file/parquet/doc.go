// Package parquet writes and reads bars, trades and quotes as Parquet, the format in which notebooks (pandas, polars,
// DuckDB) exchange tables.
//
// A file contains the bars of one series, one row per bar, ascending by open time:
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)  open time
//	open high low close     DECIMAL(38, 18)
//	volume                  DECIMAL(38, 18)
//	trades                  INT64                               trade count, null if unknown
//
// or the trades of one symbol, or its quotes, ascending by time and sequence number:
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)
//	seq                     INT64                               the source's sequence number
//	price size              DECIMAL(38, 18)
//	side                    STRING                              buy, sell or unknown
//
//	time                    TIMESTAMP(MICROS, adjusted to UTC)
//	seq                     INT64
//	bid ask                 DECIMAL(38, 18)
//	bid_size ask_size       DECIMAL(38, 18)
//
// No other column contains nulls. The series key, or the symbol, is in the metadata of the file, under KeyName or
// SymbolName.
//
// A domain.Decimal has at most 20 digits before and 18 after the decimal point. DECIMAL(38, 18) therefore represents
// each one exactly, and a writer can begin before it knows the last row. The disadvantage is that a product of two such
// columns needs more digits than most engines have: cast the columns first, to DOUBLE or to fewer digits.
//
// A file may say which ranges of the series it covers, under CoverageName, as file.EncodeRanges encodes them: there, a
// missing row means that nothing traded. A file without them covers everything from its first row to the end of its
// last.
//
// The package contains the format of the files. It must not decide whether data is acceptable to a store, because that
// is the task of app. CSV and the column names are in the parent package.
package parquet
