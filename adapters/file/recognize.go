package file

import (
	"bufio"
	"bytes"
	"io"
)

// Kind is what the rows of a file are.
type Kind string

// The kinds.
const (
	Bars   Kind = "bars"
	Trades Kind = "trades"
	Quotes Kind = "quotes"
)

// Recognize tells what the rows of a CSV file are by the names of its columns, columns as in Format, and returns a reader of the
// whole file. It reads no further than the line of names. A file that it cannot tell apart is Bars, for ReadBars to say what is wrong.
func Recognize(r io.Reader, columns map[string]string) (Kind, io.Reader) {
	whole := bufio.NewReaderSize(r, maxLine)
	var seen []byte
	for {
		line, err := whole.ReadSlice('\n')
		seen = append(seen, line...)
		if err != nil || len(bytes.TrimSpace(line)) > 0 || len(seen) > maxLine {
			break
		}
	}

	return kindOf(bytes.Clone(seen), columns), io.MultiReader(bytes.NewReader(seen), whole)
}

// kindOf is for the first lines of a file, up to the one that names its columns.
func kindOf(text []byte, columns map[string]string) Kind {
	first := newRows("", bytes.NewReader(text))
	if more, err := first.next(); err != nil || !more || startsWithDigit(first.cells) {
		return Bars
	}

	h := newHeader(first.cells)
	for column := range columns {
		h.found[column] = []int{0} // it is there, whatever its name
	}
	return Kind(h.form().what)
}
