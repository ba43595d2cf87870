package parquet

import (
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/domain"
)

// The names in the metadata of a file.
const (
	KeyName    = "marketdata.key"    // of the series key of bars, which domain.ParseSeriesKey parses
	SymbolName = "marketdata.symbol" // of the symbol of trades or quotes
)

// ReadKey returns the series key in the metadata of the Parquet file in r, of size bytes. A file without a key is an
// error.
func ReadKey(r io.ReaderAt, size int64) (key domain.SeriesKey, err error) {
	err = recoverPanic(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			key, err = fileKey(opened, domain.SeriesKey{})
		}

		return err
	})

	return key, err
}

// fileKey returns the key in the metadata of the file, or else the configured one. They must agree if both are present.
func fileKey(opened *pq.File, configured domain.SeriesKey) (domain.SeriesKey, error) {
	text, found := opened.Lookup(KeyName)
	if !found {
		if configured == (domain.SeriesKey{}) {
			return configured, fmt.Errorf("the file does not name its series (no %s in its metadata); "+
				"give symbol and frequency", KeyName)
		}

		return configured, nil
	}

	key, err := domain.ParseSeriesKey(text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", KeyName, err)
	}
	if configured != (domain.SeriesKey{}) && configured != key {
		return key, fmt.Errorf("the file contains %s, not %s", key, configured)
	}

	return key, nil
}

// ReadSymbol returns the symbol in the metadata of the Parquet file in r, of size bytes. A file without a symbol is an
// error.
func ReadSymbol(r io.ReaderAt, size int64) (symbol domain.Symbol, err error) {
	err = recoverPanic(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			symbol, err = fileSymbol(opened, "")
		}

		return err
	})

	return symbol, err
}

// fileSymbol returns the symbol in the metadata of the file, or else the configured one. They must agree if both are
// present.
func fileSymbol(opened *pq.File, configured domain.Symbol) (domain.Symbol, error) {
	text, found := opened.Lookup(SymbolName)
	if !found {
		if configured == "" {
			return "", fmt.Errorf("the file does not name its symbol (no %s in its metadata); give the symbol",
				SymbolName)
		}

		return configured, nil
	}

	symbol, err := domain.ParseSymbol(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", SymbolName, err)
	}
	if configured != "" && configured != symbol {
		return "", fmt.Errorf("the file contains %s, not %s", symbol, configured)
	}

	return symbol, nil
}
