package parquet_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	pq "github.com/parquet-go/parquet-go"
)

// update writes golden files that are missing; once released one is never written again.
var update = flag.Bool("update", false, "write golden files that are missing")

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// full is a disk with room for some bytes.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

// encode is a file of the rows.
func encode[R any](t *testing.T, rows ...R) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pq.NewGenericWriter[R](&file)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return file.Bytes()
}

// golden is the file of the name; content makes it when it is missing.
func golden(t *testing.T, name string, content func() []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content(), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return file
}
