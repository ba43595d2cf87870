package main

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// atomicFile is a new file that appears under its name only when it is complete; it then replaces an older file of that
// name.
type atomicFile struct {
	*os.File

	path string
}

// refuseSame returns an error if the file to write is one that the command reads, under any name or link.
func refuseSame(written string, read ...string) error {
	for _, name := range read {
		if isSameFile(written, name) {
			return userErrorf("%s would be overwritten, and it is %s, which is read; name another file", written, name)
		}
	}

	return nil
}

// isSameFile reports whether both names, or the links that they are, are those of one file that exists.
func isSameFile(a, b string) bool {
	left, leftErr := os.Stat(a)
	right, rightErr := os.Stat(b)

	return leftErr == nil && rightErr == nil && os.SameFile(left, right)
}

func createAtomic(path string) (*atomicFile, error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	//nolint:gosec // the data is to be shared; the umask decides
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, userErrorf("there is no directory %s; create it", filepath.Dir(path))
	}
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
