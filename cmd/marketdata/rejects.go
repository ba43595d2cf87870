package main

import (
	"errors"
	"os"

	"github.com/gal-friday/marketdata/adapters/file"
)

// rejects writes the rows that an import rejects to a file. The first row creates the file and replaces an older one.
type rejects struct {
	path   string
	count  int
	paused bool // rows are not written, because they are read again

	file *os.File
	out  *file.RejectWriter
}

// add writes a row.
func (r *rejects) add(bad file.RejectedRow) error {
	if r.paused {
		return nil
	}
	if r.file == nil {
		var err error
		if r.file, err = os.Create(r.path); err != nil {
			return userError{err}
		}

		r.out = file.NewRejectWriter(r.file)
	}
	if err := r.out.Write(bad); err != nil {
		return userError{err}
	}

	r.count++

	return nil
}

// pause makes add forget the rows until resume; r may be nil.
func (r *rejects) pause() { r.setPaused(true) }

// resume ends a pause.
func (r *rejects) resume() { r.setPaused(false) }

func (r *rejects) setPaused(paused bool) {
	if r != nil {
		r.paused = paused
	}
}

// total returns the number of rows; r may be nil.
func (r *rejects) total() int {
	if r == nil {
		return 0
	}
	return r.count
}

// close writes buffered rows and closes the file.
func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}

	return errors.Join(r.out.Flush(), r.file.Close())
}
