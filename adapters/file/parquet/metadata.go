package parquet

import (
	"errors"
	"fmt"
	"io"
	"sort"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

// The names in the metadata of a file.
const (
	KeyName      = "marketdata.key"      // of the series key of bars, which domain.ParseSeriesKey parses
	SymbolName   = "marketdata.symbol"   // of the symbol of trades or quotes
	CoverageName = "marketdata.coverage" // of the covered ranges, which file.DecodeRanges decodes; optional
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

// fileCoverage returns the covered ranges in the metadata of the file, or nil if there are none. Every row must be in
// one of them, and both ends must be edges of the grid, which is zero for trades and quotes.
func fileCoverage(opened *pq.File, l layout, g domain.Grid) ([]domain.Range, error) {
	text, found := opened.Lookup(CoverageName)
	if !found {
		return nil, nil
	}

	ranges, err := file.DecodeRanges(text, opened.NumRows())
	if err == nil && g != (domain.Grid{}) {
		err = covered.Validate(ranges, g)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", CoverageName, err)
	}

	times := table{groups: opened.RowGroups(), layout: layout{time: l.time, unit: l.unit}}

	return ranges, errors.Join(times.checkCovered(ranges), times.close())
}

// checkCovered reads all times and returns an error for one that is in none of the ranges. It ignores errors of rows,
// which a reader of all columns finds.
func (t *table) checkCovered(ranges []domain.Range) error {
	var last domain.Range
	for {
		n, err := t.nextRows(readRows)
		if err != nil || n == 0 {
			return err
		}

		times, err := t.readTimes(n, func(int) {})
		for _, micros := range times {
			at := domain.Micros(micros).Time()
			if last.Contains(at) {
				continue
			}
			i := sort.Search(len(ranges), func(i int) bool { return ranges[i].End.After(at) })
			if i == len(ranges) || !ranges[i].Contains(at) {
				return &covered.OutsideError{Time: at}
			}
			last = ranges[i]
		}
		if err != nil {
			return nil //nolint:nilerr // a reader of all columns finds it, at its row
		}

		t.advance(n)
	}
}
