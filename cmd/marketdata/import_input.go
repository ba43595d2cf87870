package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
)

// standardInput is the name of standard input among the files.
const standardInput = "-"

// input is an open file.
type input struct {
	io.Closer

	name   string
	size   int64 // in bytes; -1 for standard input
	format string
	kind   file.Kind
	rows   io.Reader     // the whole file; nil for Parquet and bar files
	table  *os.File      // nil for CSV and NDJSON
	bars   *barfile.File // nil for all but bar files

	coverage *file.Coverage // of the coverage file; nil without one
}

// formatOf returns the format of a file: that of the flag, or that of the file's extension, or CSV.
func (o importOptions) formatOf(name string) string {
	if o.format != "" {
		return o.format
	}
	if extension := strings.TrimPrefix(filepath.Ext(name), "."); isImportFormat(extension) {
		return extension
	}

	return formatCSV
}

func isImportFormat(name string) bool { return slices.Contains(fileFormats, name) }

// isText reports whether the rows of the format are lines of text.
func isText(format string) bool { return format == formatCSV || format == formatNDJSON }

// openInput opens a file, or standard input for -, and recognizes the kind of its rows.
func (c *command) openInput(name string, o importOptions) (*input, error) {
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}

		return newInput(name, f, f, o)
	}

	if format := o.formatOf(name); isText(format) && o.rejects == "" {
		in := &input{Closer: io.NopCloser(c.in), name: name, size: -1, format: format}
		in.kind, in.rows = file.Recognize(c.in, o.recognizedFormat(format))
		return in, nil
	}

	f, err := copyToTemporary(c.in)
	if err != nil {
		return nil, err
	}

	return newInput(name, f.File, f, o)
}

// recognizedFormat returns the part of the format that recognizing the kind of the rows needs.
func (o importOptions) recognizedFormat(format string) file.Format {
	return file.Format{NDJSON: format == formatNDJSON, Columns: o.columns}
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

	in := &input{Closer: closer, name: name, size: info.Size(), format: o.formatOf(name)}
	switch in.format {
	case formatParquet:
		in.kind, in.table = parquet.Recognize(f, in.size), f
	case formatBars:
		in.kind, in.table = file.KindBars, f
		in.bars, err = barfile.NewFile(name, f, in.size)
	default:
		err = in.openText(f, o)
	}
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}

	return in, nil
}

// openText takes the rows of CSV or NDJSON from f, and their coverage from the coverage file.
func (in *input) openText(f *os.File, o importOptions) (err error) {
	in.kind, in.rows = file.Recognize(f, o.recognizedFormat(in.format))
	if in.coverage, err = readCoverage(in.name, f); err != nil {
		return err
	}
	if in.coverage != nil && in.size == 0 {
		in.kind = in.coverage.Kind // a file without rows does not tell
	}
	if !in.isReadTwice(o) {
		return nil
	}

	in.rows = f // which is an io.Seeker
	_, err = f.Seek(0, io.SeekStart)

	return err
}

// isReadTwice reports whether the rows of text are read twice, see file.Format.
func (in *input) isReadTwice(o importOptions) bool { return o.rejects != "" || in.coverage != nil }

// bytesToRead returns how many bytes a reading of the rows reads; -1 if that is unknown.
func (in *input) bytesToRead(o importOptions) int64 {
	switch {
	case in.bars != nil:
		return -1 // because the flags may select series
	case in.table == nil && in.size > 0 && in.isReadTwice(o):
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

// describe returns the format of text with the name, the coverage and the columns of the file.
func (in *input) describe(format file.Format, j *importJob) file.Format {
	format.Name, format.NDJSON, format.Coverage = in.name, in.format == formatNDJSON, nil
	format.OnColumns = func(c file.Columns) { j.noteColumns(in.name, c) }
	if in.coverage != nil {
		format.Coverage = in.coverage.Ranges
	}

	return format
}

// check returns an error if the rows are not of the targets, which are those of the files before.
func (in *input) check(targets []target, o importOptions) error {
	series := make([]string, len(targets))
	for i, to := range targets {
		series[i] = to.series
	}
	if kind := targets[0].kind; in.kind != kind {
		return userErrorf("%s has %s, and the file before it has %s; import them separately", in.name, in.kind, kind)
	}
	if in.bars == nil && len(targets) > 1 {
		return userErrorf("%s has one series, and the file before it has %s; import them separately",
			in.name, strings.Join(series, ", "))
	}
	if in.coverage != nil && (in.coverage.Kind != in.kind || in.coverage.Series != series[0]) {
		return userErrorf("%s%s is of %s of %s, not of %s of %s", in.name, file.CoverageSuffix,
			in.coverage.Kind, in.coverage.Series, in.kind, series[0])
	}
	if in.bars == nil {
		return nil
	}

	keys, err := o.selectKeys(in)
	if err != nil {
		return err
	}

	selected := seriesNames(keys)
	if !slices.Equal(slices.Sorted(slices.Values(selected)), slices.Sorted(slices.Values(series))) {
		return userErrorf("%s has %s, and the file before it has %s; import them separately",
			in.name, strings.Join(selected, ", "), strings.Join(series, ", "))
	}

	return nil
}

// temporaryFile is a file that is removed when it is closed.
type temporaryFile struct{ *os.File }

// copyToTemporary copies the whole input to a temporary file, and returns it at its start.
func copyToTemporary(in io.Reader) (temporaryFile, error) {
	file, err := os.CreateTemp("", "marketdata-*")
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

// countedRows returns the rows of text, which count sees as they are read.
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
