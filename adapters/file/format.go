package file

import (
	"errors"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Format describes how a file is written.
type Format struct {
	Name     string            // of the file, for errors; defaults to "input"
	NDJSON   bool              // a row is a line with a JSON object; if false, a line of CSV
	Columns  map[string]string // from a Column constant to its name in the file, for columns without a common name
	TimeUnit TimeUnit          // of numeric times; defaults to TimeUnitAuto
	TimeZone string            // IANA name, for times without a zone; if empty, such times are rejected

	// Now is the latest time of a row; a row with a later one is malformed. Zero sets no limit.
	Now time.Time

	// OnColumns is called with the columns of CSV with a header before the first row, in each reading. Nil calls nothing.
	OnColumns func(Columns)

	// Coverage is the ranges that the file covers, ascending and disjoint, as Coverage.Ranges of its coverage file. The
	// batches then declare these ranges instead of one from the first row to the last: the Range of a batch lies in one of
	// them, and a batch without rows has a Range in which nothing traded. A row outside of them is an error before the
	// first batch, for which the file is read twice: its reader must be an io.Seeker.
	Coverage []domain.Range

	// Reject is called with every malformed row, and with the other trades or quotes of its time. Reading continues
	// after the row, or ends with the error that Reject returns. An AmbiguousError ends the reading nevertheless, because
	// it concerns every row. If Reject is nil, the first malformed row is an error.
	//
	// The Range of a batch extends neither over a rejected row nor over its time, because its content is unknown. A row
	// that is out of order may belong to a batch long before it, so that the file is read twice: its reader must be an
	// io.Seeker.
	Reject func(RejectedRow) error
}

// name returns the name of the file, for errors.
func (f Format) name() string {
	if f.Name == "" {
		return "input"
	}
	return f.Name
}

// Columns says which cells of a file are read, by their names in the header.
type Columns struct {
	Taken   map[string]string // from a Column constant to the name
	Ignored []string          // the others, in their order
}

// RejectedRow is a malformed row.
type RejectedRow struct {
	File   string
	Line   int // counted from 1
	Reason error
	Range  domain.Range // of the bar or instant that the row has; empty if its time is unreadable
	Row    []byte       // the text of the line without its end; valid until Reject returns

	// Of CSV: the text of the line that names the columns, empty if the file has none, and what separates its cells.
	Header    []byte
	Separator byte
}

// Validate returns all errors of the Format.
func (f Format) Validate() error {
	var zoneErr error
	if f.TimeZone != "" {
		_, zoneErr = loadZone(f.TimeZone)
	}

	var coverageErr error
	if f.Coverage != nil {
		coverageErr = validateRanges(slices.Clone(f.Coverage))
	}

	return errors.Join(f.TimeUnit.Validate(), zoneErr, coverageErr)
}
