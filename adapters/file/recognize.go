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
	KindBars   Kind = "bars"
	KindTrades Kind = "trades"
	KindQuotes Kind = "quotes"
)

// Recognize returns the kind of rows of a file according to the names of its columns or of the fields of its first
// object, and a reader of the whole file. It does not read beyond that line. It returns Bars for a file that it does
// not recognize, so that ReadBars reports the error.
func Recognize(r io.Reader, format Format) (Kind, io.Reader) {
	buffered := bufio.NewReaderSize(r, maxLine)
	var head []byte
	for {
		line, err := buffered.ReadSlice('\n')
		head = append(head, line...)
		if err != nil || len(bytes.TrimSpace(line)) > 0 || len(head) > maxLine {
			break
		}
	}

	return recognizeHead(bytes.Clone(head), format), io.MultiReader(bytes.NewReader(head), buffered)
}

// recognizeHead returns the kind of rows according to the first lines of a file, up to the one with the names. It may
// modify head.
func recognizeHead(head []byte, format Format) Kind {
	names := headerCells
	if format.NDJSON {
		names = fieldNames
	}

	h := newHeader(names(head))
	for column := range format.Columns {
		h.candidates[column] = []int{0} // the column exists; its cell does not matter here
	}

	return h.kind()
}

// headerCells returns the cells of the first row of CSV, or nil if they are not names.
func headerCells(head []byte) [][]byte {
	first := newRows("", bytes.NewReader(head))
	if more, err := first.next(); err != nil || !more || startsWithDigit(first.cells) {
		return nil
	}

	return first.cells
}

// fieldNames returns the names of the fields of the first object of NDJSON, or nil if there is none.
func fieldNames(head []byte) [][]byte {
	members, err := appendMembers(nil, bytes.TrimPrefix(head, byteOrderMark))
	if err != nil {
		return nil
	}

	names := make([][]byte, len(members))
	for i, m := range members {
		names[i] = m.name
	}

	return names
}
