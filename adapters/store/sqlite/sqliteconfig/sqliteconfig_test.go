package sqliteconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/sqlite/sqliteconfig"
	"github.com/gal-friday/marketdata/domain"
)

func TestDefaultPath(t *testing.T) {
	const inHome = "/home/trader/.local/share/marketdata/marketdata.db"
	t.Setenv("HOME", "/home/trader")
	for folder, want := range map[string]string{
		"/data": "/data/marketdata/marketdata.db", "": inHome, "relative": inHome,
	} {
		t.Setenv("XDG_DATA_HOME", folder)
		if got := (sqliteconfig.Config{}).WithDefaults().Path; got != want {
			t.Errorf("with XDG_DATA_HOME=%q the path is %s, want %s", folder, got, want)
		}
	}
}

func TestNoHomeFolder(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	err := sqliteconfig.Config{}.Validate()
	if !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), "name a file") {
		t.Errorf("got %v", err)
	}
	if err := (sqliteconfig.Config{Path: "bars.db"}).Validate(); err != nil {
		t.Errorf("a path needs no home folder: %v", err)
	}
}
