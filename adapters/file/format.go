package file

import "errors"

// Format describes how a file is written.
type Format struct {
	Name     string            // of the file, for errors; defaults to "input"
	Columns  map[string]string // from a Column constant to the header's name, for columns without a common name
	TimeUnit TimeUnit          // of numeric times; defaults to TimeUnitAuto
	TimeZone string            // IANA name, for times without a zone; if empty, such times are rejected

	// Reject is called with every malformed row. Reading continues after the row, or ends with the error that Reject
	// returns. The Range of a batch never extends over a rejected row, because its content is unknown. An
	// AmbiguousError ends the reading nevertheless, because it concerns every row. If Reject is nil, the first
	// malformed row is an error.
	Reject func(RejectedRow) error
}

// RejectedRow is a malformed row.
type RejectedRow struct {
	File   string
	Line   int // counted from 1
	Reason error
	Row    []byte // the text of the line without its end; valid until Reject returns
}

// Validate returns all errors of the Format.
func (f Format) Validate() error {
	var zoneErr error
	if f.TimeZone != "" {
		_, zoneErr = loadZone(f.TimeZone)
	}

	return errors.Join(f.TimeUnit.Validate(), zoneErr)
}
