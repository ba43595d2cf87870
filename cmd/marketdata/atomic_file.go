package main

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// atomicFile is a new file that appears under its name only when it is complete; it then replaces an older file of that
// name.
type atomicFile struct {
	*os.File

	path string
}

func createAtomic(path string) (*atomicFile, error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	//nolint:gosec // the data is to be shared; the umask decides
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}

	return &atomicFile{f, path}, nil
}

// commit syncs the file to disk and moves it to its name.
func (f *atomicFile) commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}

	return err
}

// discard removes a file that was not committed; after commit it does nothing.
func (f *atomicFile) discard() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
