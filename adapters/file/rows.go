package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxLine is the maximum length of a line in bytes. It limits the memory that a file other than CSV can take.
const maxLine = 64 << 10

var byteOrderMark = []byte("\xef\xbb\xbf")

// rows reads the rows of a CSV file. A row is a line, because a quoted cell must not contain a line break. It reads
// those of NDJSON instead if objects is not nil.
type rows struct {
	file      string
	scanner   *bufio.Scanner
	objects   *objects
	line      int // counted from 1
	separator byte
	cells     [][]byte // of the current row, overwritten by next
	keepText  bool
	text      []byte // of the current row if keepText is true, overwritten by next; nil if no row was read
}

func newRows(file string, r io.Reader) *rows {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	return &rows{file: file, scanner: s}
}

// next reads the next line that is not blank and returns false at the end of the file. The first line determines the
// separator.
func (r *rows) next() (bool, error) {
	for r.scanner.Scan() {
		r.line++
		text := r.scanner.Bytes()
		if r.line == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			return r.splitLine(text)
		}
	}

	r.text = nil
	switch err := r.scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		r.line++
		return false, r.lineError(fmt.Errorf("the line is longer than %d bytes; is this a text file?", maxLine))
	case err != nil:
		return false, fmt.Errorf("read %s after line %d: %w", r.file, r.line, err)
	}

	return false, nil
}

// splitLine sets the cells of the current row; after an error, those that are known.
func (r *rows) splitLine(text []byte) (bool, error) {
	r.cells = r.cells[:0]
	if r.keepText {
		r.text = append(r.text[:0], text...) // a copy, because splitCells modifies the line
	}
	if bytes.HasPrefix(text, []byte("\x1f\x8b")) {
		return false, r.lineError(errGzip)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return false, r.lineError(errZeroByte)
	}

	isText := bytes.IndexByte(text, '"') < 0 || utf8.Valid(text) // known before the split, which modifies the line
	var err error
	if r.objects != nil {
		r.cells, err = r.objects.split(text, r.cells)
	} else {
		r.cells, err = r.splitCSV(text)
	}
	if errors.Is(err, errQuote) && !isText {
		err = errNotText
	}
	if err != nil {
		return false, r.lineError(err)
	}

	return true, nil
}

// splitCSV returns the cells of a line of CSV.
func (r *rows) splitCSV(text []byte) ([][]byte, error) {
	if r.separator == 0 {
		if trimBlanks(text)[0] == '{' {
			return nil, &AmbiguousError{Setting: SettingNDJSON, Reason: "the first line is a JSON object, not CSV"}
		}

		r.separator = detectSeparator(text)
	}

	return splitCells(text, r.separator, r.cells)
}

// lineError adds file and line to err.
func (r *rows) lineError(err error) error { return &LineError{File: r.file, Line: r.line, Err: err} }

// detectSeparator returns the most frequent of comma, semicolon and tab in the line.
func detectSeparator(line []byte) byte {
	best, bestCount := byte(','), 0
	for _, c := range [...]byte{',', ';', '\t'} {
		if n := bytes.Count(line, []byte{c}); n > bestCount {
			best, bestCount = c, n
		}
	}

	return best
}

// splitCells appends the cells of the line without surrounding blanks. A cell may be quoted, and two quotes within it
// are one. The cells share the memory of the line, which splitCells may modify.
func splitCells(line []byte, separator byte, cells [][]byte) ([][]byte, error) {
	for {
		line = bytes.TrimLeft(line, " ")
		if len(line) > 0 && line[0] == '"' {
			cell, rest, err := cutQuoted(line[1:])
			if err != nil {
				return nil, err
			}

			cells = append(cells, cell)
			if len(rest) == 0 {
				return cells, nil
			}
			if rest[0] != separator {
				return nil, errQuote
			}

			line = rest[1:]

			continue
		}

		end := bytes.IndexByte(line, separator)
		cell := line
		if end >= 0 {
			cell = line[:end]
		}
		if bytes.IndexByte(cell, '"') >= 0 {
			return nil, errQuote
		}

		cells = append(cells, bytes.TrimRight(cell, " "))
		if end < 0 {
			return cells, nil
		}

		line = line[end+1:]
	}
}

// cutQuoted returns the cell up to its closing quote, and the text after the quote without leading blanks.
func cutQuoted(text []byte) (cell, rest []byte, err error) {
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			if i+1 == len(text) || text[i+1] != '"' {
				return text[:n], bytes.TrimLeft(text[i+1:], " "), nil
			}
			i++
		}

		text[n] = text[i]
		n++
	}

	return nil, nil, errQuote
}
