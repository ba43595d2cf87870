package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/gal-friday/marketdata/domain"
)

// maxLine bounds what is read in search of a line's end, so that a file that is no CSV costs little memory.
const maxLine = 64 << 10

// LineError is what is wrong with a file, at which line. It unwraps to domain.ErrInvalid and to the cause.
type LineError struct {
	File string
	Line int // counted from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap yields domain.ErrInvalid and the cause.
func (e *LineError) Unwrap() []error { return []error{domain.ErrInvalid, e.Err} }

// Setting names the field of Config that settles what is unclear in a file.
type Setting uint8

// The settings.
const (
	SettingColumns Setting = iota + 1
	SettingTimeUnit
	SettingTimeZone
)

// UnclearError is what can be read in two ways, or not at all, until a setting says how.
type UnclearError struct {
	Setting Setting
	Column  string // for SettingColumns, the column in question
	Reason  string
}

func (e *UnclearError) Error() string { return e.Reason }

// rows reads the rows of a CSV file one by one. A row is a line: a cell in quotes holds no line break.
type rows struct {
	file      string
	scanner   *bufio.Scanner
	line      int
	separator byte
	cells     [][]byte // of the current row; the next call of next overwrites them
	keep      bool     // keep the text too
	text      []byte   // of the current row as it stands in the file, nil where no row was read; overwritten likewise
}

func newRows(file string, r io.Reader) *rows {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	return &rows{file: file, scanner: s}
}

// next goes on to the next line that is not blank; false is the end of the file. The first line decides what separates cells.
func (r *rows) next() (bool, error) {
	for r.scanner.Scan() {
		r.line++
		text := r.scanner.Bytes()
		if r.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // the mark that some programs put before UTF-8
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}

		if r.keep {
			r.text = append(r.text[:0], text...) // splitting changes the line
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return false, r.wrong(errors.New("a zero byte in the line; is this a CSV file, in UTF-8?"))
		}

		if r.separator == 0 {
			r.separator = separatorOf(text)
		}
		var err error
		if r.cells, err = split(text, r.separator, r.cells[:0]); err != nil {
			return false, r.wrong(err)
		}

		return true, nil
	}

	r.text = nil
	switch err := r.scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		r.line++
		return false, r.wrong(fmt.Errorf("the line is longer than %d bytes; is this a CSV file?", maxLine))
	case err != nil:
		return false, fmt.Errorf("read %s after line %d: %w", r.file, r.line, err)
	}

	return false, nil
}

// wrong is err at the current line.
func (r *rows) wrong(err error) error { return &LineError{File: r.file, Line: r.line, Err: err} }

// separatorOf is the one of comma, semicolon and tab that a line holds most of.
func separatorOf(line []byte) byte {
	best, most := byte(','), 0
	for _, c := range [...]byte{',', ';', '\t'} {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = c, n
		}
	}

	return best
}

var errQuote = errors.New(`a quote that is not around a whole cell; write "like this", and a quote inside as ""`)

// split appends the line's cells, blanks around them cut off. A cell may stand in quotes, inside which two quotes are one. The
// cells share the line's memory, and the line may be changed.
func split(line []byte, separator byte, cells [][]byte) ([][]byte, error) {
	for {
		line = bytes.TrimLeft(line, " ")
		if len(line) > 0 && line[0] == '"' {
			cell, rest, err := quoted(line[1:])
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

// quoted is the cell up to its closing quote, and what follows it, blanks cut off.
func quoted(text []byte) (cell, rest []byte, err error) {
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
