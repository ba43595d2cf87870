package main

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// wholeFile is a file that appears under its name when it is whole, and takes the place of an older one then.
type wholeFile struct {
	*os.File

	path string
}

func createWhole(path string) (*wholeFile, error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // data to share; the umask decides
	if err != nil {
		return nil, err
	}

	return &wholeFile{f, path}, nil
}

// finish puts the file in its place.
func (f *wholeFile) finish() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	return err
}

// discard leaves nothing of a file that is not finished; after finish it does nothing.
func (f *wholeFile) discard() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
