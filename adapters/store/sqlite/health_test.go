package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/ports"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s := open(t, path)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(gone); !errors.Is(err, ports.ErrCanceled) {
		t.Errorf("under a cancelled context: %v", err)
	}
	if _, err := openRaw(t, path).ExecContext(t.Context(), `PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}

	if err := s.Check(t.Context()); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("of a newer file: %v", err)
	}
}
