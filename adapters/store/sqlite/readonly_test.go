package sqlite

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A file that is open without locks is read until another process changes it; then every read is refused.
func TestFrozenFileThatChanges(t *testing.T) {
	t.Parallel()
	cfg := Config{Path: filepath.Join(t.TempDir(), "market.db")}
	put := func(symbols ...domain.Symbol) (closeStore func()) {
		s, done, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, symbol := range symbols {
			if err := s.PutSymbols(t.Context(), domain.NewSymbolMeta(symbol)); err != nil {
				t.Fatal(err)
			}
		}

		return done
	}
	put("A")()

	frozen := &Store{path: cfg.Path}
	var err error
	if frozen.frozen, err = freeze(cfg.Path); err != nil {
		t.Fatal(err)
	}
	if err := frozen.openCurrent(t.Context(), "immutable=1&mode=ro&_query_only=1"); err != nil {
		t.Fatal(err)
	}

	defer func() { _ = frozen.close() }()
	reads := map[string]func() error{
		"symbols": func() error {
			_, err := ports.Collect(frozen.Symbols(t.Context(), ports.SymbolQuery{}))
			return err
		},
		"coverage": func() error {
			_, err := ports.Collect(frozen.Extents(t.Context(), ports.ExtentQuery{}))
			return err
		},
		"health": func() error { return frozen.Check(t.Context()) },
		"bars": func() error {
			key := domain.SeriesKey{Symbol: "A", Grid: domain.Minute1.UTC()}
			day := domain.Range{Start: time.Unix(0, 0).UTC(), End: time.Unix(86400, 0).UTC()}
			for _, err := range frozen.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: day}).Rows() {
				if err != nil {
					return err
				}
			}

			return nil
		},
	}
	for name, read := range reads {
		if err := read(); err != nil {
			t.Errorf("%s of a file that did not change: %v", name, err)
		}
	}
	metas, err := ports.Collect(frozen.Symbols(t.Context(), ports.SymbolQuery{}))
	if err != nil || !slices.EqualFunc(metas, []domain.Symbol{"A"}, func(m domain.SymbolMeta, s domain.Symbol) bool {
		return m.Symbol == s
	}) {
		t.Errorf("symbols %v, %v", metas, err)
	}
	if err := frozen.PutSymbols(t.Context(), domain.NewSymbolMeta("B")); !errors.Is(err, ports.ErrPermission) {
		t.Errorf("a write: %v; want ErrPermission", err)
	}

	closeWriter := put("B") // its log has content
	for name, read := range reads {
		if err := read(); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s beside a writer: %v; want ErrUnavailable", name, err)
		}
	}
	closeWriter()
	for name, read := range reads {
		if err := read(); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s of a file that changed: %v; want ErrUnavailable", name, err)
		}
	}
}

func TestIsReadOnly(t *testing.T) {
	t.Parallel()
	readable, missing := t.TempDir(), filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		path string
		err  error
		want bool
	}{
		{readable, &fs.PathError{Err: syscall.EROFS}, true},
		{readable, &fs.PathError{Err: fs.ErrPermission}, true},
		{readable, &fs.PathError{Err: fs.ErrNotExist}, false},
		{readable, nil, false},
		{missing, &fs.PathError{Err: syscall.EROFS}, false},
	} {
		if got := isReadOnly(test.path, test.err); got != test.want {
			t.Errorf("%s, %v: %v", test.path, test.err, got)
		}
	}
}
