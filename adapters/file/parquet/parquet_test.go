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

// update writes missing golden files. It never overwrites one, because released programs have written files like it.
var update = flag.Bool("update", false, "write missing golden files")

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// limitedDisk accepts a limited number of bytes.
type limitedDisk struct{ free int }

func (d *limitedDisk) Write(b []byte) (int, error) {
	if d.free -= len(b); d.free < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

// encode returns a file of the rows.
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

// golden returns the golden file of that name. With -update it writes a missing one.
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
