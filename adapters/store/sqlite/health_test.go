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

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(canceled); !errors.Is(err, ports.ErrCanceled) {
		t.Errorf("Check with a canceled context: %v, want ErrCanceled", err)
	}
	if _, err := openRaw(t, path).ExecContext(t.Context(), `PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}

	if err := s.Check(t.Context()); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("Check of a newer file: %v, want ErrSchema", err)
	}
}
