package main

import (
	"encoding/csv"
	"errors"
	"os"
	"strconv"

	"github.com/gal-friday/marketdata/adapters/file"
)

// rejects keeps the rows aside that an import refuses: a CSV file, made with the first of them, in the place of an older one.
type rejects struct {
	path  string
	count int

	file *os.File
	out  *csv.Writer
}

// add writes a row, with where it stood and why it is here.
func (r *rejects) add(bad file.RejectedRow) error {
	if r.file == nil {
		var err error
		if r.file, err = os.Create(r.path); err != nil {
			return userError{err}
		}

		r.out = csv.NewWriter(r.file)
		if err := r.out.Write([]string{"file", "line", "reason", "row"}); err != nil {
			return err
		}
	}

	r.count++
	return r.out.Write([]string{bad.File, strconv.Itoa(bad.Line), bad.Reason.Error(), string(bad.Row)})
}

// seen is how many there were; none where nobody wants them.
func (r *rejects) seen() int {
	if r == nil {
		return 0
	}
	return r.count
}

// close makes sure that all of them are in the file.
func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}

	r.out.Flush()
	return errors.Join(r.out.Error(), r.file.Close())
}
