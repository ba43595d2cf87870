package file

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// RejectWriter writes rejected rows to a file that can be corrected and read again: the header and the rows as they
// were, each with the place and the reason in a last cell, or field, named ColumnReason. A line of NDJSON that is no
// JSON object becomes the field row of one. It is not safe for concurrent use.
type RejectWriter struct {
	out    *bufio.Writer
	header []byte
	count  int
}

// NewRejectWriter returns a RejectWriter that writes to w. The caller must call Flush after the last row.
func NewRejectWriter(w io.Writer) *RejectWriter { return &RejectWriter{out: bufio.NewWriter(w)} }

// Write writes a row. The rows may be of several files if these have the same header.
func (w *RejectWriter) Write(r RejectedRow) error {
	if w.count == 0 {
		w.header = bytes.Clone(r.Header)
		if len(w.header) > 0 {
			w.writeCSV(w.header, ColumnReason, r.Separator)
		}
	}
	if !bytes.Equal(w.header, r.Header) {
		return fmt.Errorf("%s: rows of files with other first lines are rejected, too; read the files one by one", r.File)
	}

	w.count++
	reason := fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Reason)
	if len(r.Header) > 0 {
		w.writeCSV(r.Row, reason, r.Separator)
		return nil
	}

	return w.writeObject(r.Row, reason)
}

// writeCSV writes the row and the reason behind it. Like every writer of a bufio.Writer, it leaves errors to Flush.
func (w *RejectWriter) writeCSV(row []byte, reason string, separator byte) {
	var cell strings.Builder
	quoted := csv.NewWriter(&cell)
	quoted.Comma = rune(separator)
	_ = quoted.Write([]string{HarmlessCell(strings.ReplaceAll(reason, "\n", " "))}) // a Builder returns no error
	quoted.Flush()

	_, _ = w.out.Write(row)
	_ = w.out.WriteByte(separator)
	_, _ = w.out.WriteString(cell.String()) // which ends with a line break
}

// HarmlessCell returns the text of a CSV cell, with an apostrophe before it if a spreadsheet would take it for a
// formula. See OWASP, CSV injection.
func HarmlessCell(text string) string {
	if len(text) > 1 && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}

	return text
}

// writeObject writes the JSON object of the row with the reason as its last field.
func (w *RejectWriter) writeObject(row []byte, reason string) error {
	members, err := appendMembers(nil, row)
	if err != nil {
		text, textErr := json.Marshal(struct {
			Row    string `json:"row"`
			Reason string `json:"reason"`
		}{string(row), reason})
		_, _ = w.out.Write(append(text, '\n'))

		return textErr
	}

	text, err := json.Marshal(reason)
	if err != nil {
		return err
	}

	object := bytes.TrimRight(row, " \t\r")
	_, _ = w.out.Write(object[:len(object)-1]) // without the brace
	if len(members) > 0 {
		_ = w.out.WriteByte(',')
	}
	_, err = fmt.Fprintf(w.out, "%q:%s}\n", ColumnReason, text)

	return err
}

// Flush writes buffered rows, and returns the first error of all writes.
func (w *RejectWriter) Flush() error { return w.out.Flush() }
