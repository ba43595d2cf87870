package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
)

// standardInput is the name of standard input among the files.
const standardInput = "-"

// input is an open file.
type input struct {
	io.Closer

	name  string
	size  int64 // in bytes; -1 for standard input
	kind  file.Kind
	rows  io.Reader // the whole file; nil for Parquet
	table *os.File  // nil for CSV

	coverage *file.Coverage // of the coverage file; nil without one
}

// openInput opens a file, or standard input for -, and recognizes the kind of its rows.
func (c *command) openInput(name string, o importOptions) (*input, error) {
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}

		return newInput(name, f, f, o)
	}

	if o.rejects == "" {
		in := &input{Closer: io.NopCloser(c.in), name: name, size: -1}
		in.kind, in.rows = file.Recognize(c.in, o.columns)
		return in, nil
	}

	f, err := copyToTemporary(c.in)
	if err != nil {
		return nil, err
	}

	return newInput(name, f.File, f, o)
}

// newInput returns the input of an open file, which it closes with closer if that fails.
func newInput(name string, f *os.File, closer io.Closer, o importOptions) (*input, error) {
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name the files in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}

	in := &input{Closer: closer, name: name, size: info.Size()}
	if isParquet(name) {
		in.kind, in.table = parquet.Recognize(f, in.size), f
		return in, nil
	}

	in.kind, in.rows = file.Recognize(f, o.columns)
	if in.coverage, err = readCoverage(name, f); err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	if !in.isReadTwice(o) {
		return in, nil
	}

	in.rows = f // which is an io.Seeker
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, closer.Close())
	}

	return in, nil
}

// isReadTwice reports whether the rows of CSV are read twice, see file.Format.
func (in *input) isReadTwice(o importOptions) bool { return o.rejects != "" || in.coverage != nil }

// bytesToRead returns how many bytes a reading of the rows reads; -1 if that is unknown.
func (in *input) bytesToRead(o importOptions) int64 {
	if in.table == nil && in.size > 0 && in.isReadTwice(o) {
		return 2 * in.size
	}

	return in.size
}

// readCoverage returns the coverage in the coverage file of the file f, or nil if there is no coverage file. It leaves
// the position in f as it is.
func readCoverage(name string, f *os.File) (*file.Coverage, error) {
	path := name + file.CoverageSuffix
	if name == standardInput {
		return nil, nil //nolint:nilnil // documented
	}

	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}

	defer in.Close()
	position, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}

	coverage, err := file.ReadCoverage(in)
	if err == nil {
		if _, err = f.Seek(0, io.SeekStart); err == nil {
			err = coverage.Verify(f)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\nexport %s again, or delete %s: then its first to its last row are declared covered",
			path, err, name, path)
	}

	_, err = f.Seek(position, io.SeekStart)

	return &coverage, err
}

// ranges returns the coverage of the coverage file, or nil without one.
func (in *input) ranges() []domain.Range {
	if in.coverage == nil {
		return nil
	}

	return in.coverage.Ranges
}

// checkSeries returns an error if the coverage file is of other rows than those of the target.
func (in *input) checkSeries(to target) error {
	if in.coverage == nil || in.coverage.Kind == to.kind && in.coverage.Series == to.series {
		return nil
	}

	return userErrorf("%s%s is of %s of %s, not of %s of %s", in.name, file.CoverageSuffix,
		in.coverage.Kind, in.coverage.Series, to.kind, to.series)
}

// temporaryFile is a file that is removed when it is closed.
type temporaryFile struct{ *os.File }

// copyToTemporary copies the whole input to a temporary file, and returns it at its start.
func copyToTemporary(in io.Reader) (temporaryFile, error) {
	file, err := os.CreateTemp("", "marketdata-*.csv")
	if err != nil {
		return temporaryFile{}, err
	}

	f := temporaryFile{file}
	_, err = io.Copy(f, in)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return temporaryFile{}, errors.Join(fmt.Errorf("copy standard input: %w", err), f.Close())
	}

	return f, nil
}

// Close closes and removes the file.
func (f temporaryFile) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

// countedRows returns the rows of a CSV file, which count sees as they are read.
func (in *input) countedRows(count io.Writer) io.Reader {
	rows := io.TeeReader(in.rows, count)
	if seeker, ok := in.rows.(io.Seeker); ok {
		return struct {
			io.Reader
			io.Seeker
		}{rows, seeker}
	}

	return rows
}
