package file

import (
	"bufio"
	"bytes"
	"io"
)

// Kind is the kind of rows in a file.
type Kind string

// The kinds of rows.
const (
	Bars   Kind = "bars"
	Trades Kind = "trades"
	Quotes Kind = "quotes"
)

// Recognize returns the kind of rows of a CSV file according to its column names, and a reader of the whole file. The
// argument columns is as in Format. Recognize does not read beyond the line of names. It returns Bars for a file that
// it does not recognize, so that ReadBars reports the error.
func Recognize(r io.Reader, columns map[string]string) (Kind, io.Reader) {
	buffered := bufio.NewReaderSize(r, maxLine)
	var head []byte
	for {
		line, err := buffered.ReadSlice('\n')
		head = append(head, line...)
		if err != nil || len(bytes.TrimSpace(line)) > 0 || len(head) > maxLine {
			break
		}
	}

	return recognizeHead(bytes.Clone(head), columns), io.MultiReader(bytes.NewReader(head), buffered)
}

// recognizeHead returns the kind of rows according to the first lines of a file, up to the one that names the columns.
// It may modify head.
func recognizeHead(head []byte, columns map[string]string) Kind {
	first := newRows("", bytes.NewReader(head))
	if more, err := first.next(); err != nil || !more || startsWithDigit(first.cells) {
		return Bars
	}

	h := newHeader(first.cells)
	for column := range columns {
		h.candidates[column] = []int{0} // the column exists; its cell does not matter here
	}

	return h.kind()
}
