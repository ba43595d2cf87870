package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

const (
	// CoverageSuffix is what the name of a coverage file has behind the name of the file that it describes.
	CoverageSuffix = ".coverage.json"

	// MaxCoverageRanges is the maximum number of separate ranges that a file can cover.
	MaxCoverageRanges = 1 << 18
)

const (
	coverageVersion  = 1
	maxCoverageBytes = 32 << 20
)

// Coverage is the content of a coverage file: which ranges the rows of the file beside it cover. In a covered range, a
// missing row means that nothing traded; a file of CSV or of JSON lines cannot say so itself. Size and SHA256 tie it to
// one content of that file.
type Coverage struct {
	Kind   Kind
	Series string         // the series key of bars, or the symbol of trades or quotes
	Ranges []domain.Range // ascending, disjoint, and not empty
	Size   int64          // of the file, in bytes
	SHA256 string         // of the file, in hexadecimal
}

// NewCoverage returns the coverage of a file with the content, which it reads to the end. The ranges may overlap and be
// in any order. It returns an error that wraps domain.ErrInvalid for no ranges, for more than MaxCoverageRanges, and
// for bounds that are not whole microseconds of the years 1 to 9999.
func NewCoverage(content io.Reader, kind Kind, series string, ranges []domain.Range) (Coverage, error) {
	c := Coverage{Kind: kind, Series: series, Ranges: domain.MergeRanges(ranges)}
	if err := validateRanges(c.Ranges); err != nil {
		return Coverage{}, err
	}

	var err error
	c.Size, c.SHA256, err = sum(content)

	return c, err
}

// sum returns the number and the hash of the bytes of the content.
func sum(content io.Reader) (size int64, hash string, err error) {
	h := sha256.New()
	size, err = io.Copy(h, content)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// coverageDocument is the JSON of a coverage file, or, with the number of rows instead of all but the ranges, of the
// metadata of another format.
type coverageDocument struct {
	Version int            `json:"version"`
	Kind    Kind           `json:"kind,omitempty"`
	Series  string         `json:"series,omitempty"`
	Size    int64          `json:"size,omitempty"`
	SHA256  string         `json:"sha256,omitempty"`
	Rows    int64          `json:"rows,omitempty"`
	Ranges  []domain.Range `json:"ranges"`
}

// Write writes the coverage file to w.
func (c Coverage) Write(w io.Writer) error {
	return json.NewEncoder(w).Encode(coverageDocument{
		Version: coverageVersion, Kind: c.Kind, Series: c.Series, Size: c.Size, SHA256: c.SHA256, Ranges: c.Ranges,
	})
}

// ReadCoverage reads a coverage file and validates it, but not against the file that it describes: see Verify. An error
// wraps domain.ErrInvalid, unless r fails.
func ReadCoverage(r io.Reader) (Coverage, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxCoverageBytes+1))
	if err != nil {
		return Coverage{}, err
	}

	d, err := parseCoverage(text)
	if err != nil {
		return Coverage{}, err
	}
	if d.Kind != KindBars && d.Kind != KindTrades && d.Kind != KindQuotes {
		return Coverage{}, invalidCoverage("kind %.40q is none of %s, %s and %s", d.Kind, KindBars, KindTrades, KindQuotes)
	}

	return Coverage{Kind: d.Kind, Series: d.Series, Ranges: d.Ranges, Size: d.Size, SHA256: d.SHA256}, nil
}

// Verify reads the content to the end, and returns an error that wraps domain.ErrInvalid if it is not the content that
// the coverage is of.
func (c Coverage) Verify(content io.Reader) error {
	size, hash, err := sum(content)
	switch {
	case err != nil:
		return err
	case size != c.Size:
		return invalidCoverage("it is of a file of %d bytes, and the file has %d", c.Size, size)
	case hash != c.SHA256:
		return invalidCoverage("it is of a file with the SHA-256 %.64q, and the file has %s", c.SHA256, hash)
	}

	return nil
}

// EncodeRanges returns the ranges that so many rows cover as text, for the metadata of another format. Errors are those
// of NewCoverage.
func EncodeRanges(ranges []domain.Range, rows int64) (string, error) {
	merged := domain.MergeRanges(ranges)
	if err := validateRanges(merged); err != nil {
		return "", err
	}

	text, err := json.Marshal(coverageDocument{Version: coverageVersion, Rows: rows, Ranges: merged})

	return string(text), err
}

// DecodeRanges returns the ranges of a text that EncodeRanges returned for so many rows: ascending, disjoint, and at
// least one. An error wraps domain.ErrInvalid.
func DecodeRanges(text string, rows int64) ([]domain.Range, error) {
	d, err := parseCoverage([]byte(text))
	if err == nil && d.Rows != rows {
		err = invalidCoverage("it is of %d rows, and the file has %d; export the file again, or remove the coverage",
			d.Rows, rows)
	}

	return d.Ranges, err
}

func parseCoverage(text []byte) (coverageDocument, error) {
	var d coverageDocument
	if len(text) > maxCoverageBytes {
		return d, invalidCoverage("it is longer than %d bytes", maxCoverageBytes)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, invalidCoverage("%w", err)
	}
	if d.Version != coverageVersion {
		return d, invalidCoverage("version %d is not supported; this program reads version %d", d.Version, coverageVersion)
	}

	return d, validateRanges(d.Ranges)
}

// validateRanges returns an error unless the ranges are valid, ascending and disjoint. It converts them to UTC.
func validateRanges(ranges []domain.Range) error {
	if len(ranges) == 0 {
		return invalidCoverage("it has no ranges")
	}
	if len(ranges) > MaxCoverageRanges {
		return invalidCoverage("%d separate ranges, at most %d are allowed; take a shorter part of the series",
			len(ranges), MaxCoverageRanges)
	}

	var last time.Time
	for i, r := range ranges {
		exact, err := domain.NewRange(r.Start, r.End)
		switch {
		case err != nil:
			return invalidCoverage("%w", err)
		case !exact.Equal(r):
			return invalidCoverage("%s is finer than a microsecond", r)
		case exact.Empty():
			return invalidCoverage("%s is empty", r)
		case i > 0 && exact.Start.Before(last):
			return invalidCoverage("%s begins before the end of the range before it", r)
		}

		ranges[i], last = exact, exact.End
	}

	return nil
}

// invalidCoverage returns an error that wraps domain.ErrInvalid.
func invalidCoverage(format string, args ...any) error {
	return &coverageError{fmt.Errorf(format, args...)}
}

// coverageError is an error of coverage, not of a row.
type coverageError struct{ err error }

// Error returns the cause.
func (e *coverageError) Error() string { return "coverage: " + e.err.Error() }

// Unwrap returns domain.ErrInvalid and the cause.
func (e *coverageError) Unwrap() []error { return []error{domain.ErrInvalid, e.err} }
