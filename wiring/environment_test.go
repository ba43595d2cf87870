package wiring_test

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/wiring"
)

func TestUnknownVariables(t *testing.T) {
	for _, name := range []string{
		"POSTGRES_URL", "POSTGRES_DSNX", "SQLITE", "SERVICE_PORTER", "SERVICE_TIMEOUT", "SERVICE_HOST", "SERVICE_PORT",
		"SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "TEST_ANYTHING", "REQUIRE_SERVERS",
	} {
		t.Setenv(wiring.EnvPrefix+name, "3s")
	}
	want := []wiring.UnknownVariable{
		{Name: "MARKETDATA_POSTGRES_DSNX", Nearest: "MARKETDATA_POSTGRES_DSN"},
		{Name: "MARKETDATA_POSTGRES_URL", Nearest: "MARKETDATA_POSTGRES_DSN"},
		{Name: "MARKETDATA_SERVICE_PORTER", Nearest: "MARKETDATA_SERVICE_SETTLE"},
		{Name: "MARKETDATA_SQLITE", Nearest: "MARKETDATA_SQLITE_PATH"},
	}
	if got := wiring.UnknownVariables(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	var log bytes.Buffer
	if _, err := wiring.Load("", slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "unknown environment variable"); got != len(want) {
		t.Errorf("%d warnings, want %d:\n%s", got, len(want), &log)
	}
}

// A hostile file costs neither much memory nor much time.
func TestLoadIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"a long file":     {"# " + strings.Repeat("x", 70_000), "longer than 64 KiB"},
		"brackets":        {"a: " + strings.Repeat("[", 60_000), "1: more than 16 levels"},
		"maps":            {"a:\n  " + strings.Repeat("{a: ", 15_000), "2: more than 16 levels"},
		"lists in a line": {strings.Repeat("- ", 30_000), "1: more than 16 levels"},
		"keys in a line":  {strings.Repeat("a: ", 20_000), "marketdata.yaml"},
		"question marks":  {strings.Repeat("? ", 30_000), "1: more than 16 levels"},
		"aliases":         {"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", "unknown setting"},
		"indentation":     {indented(300), "marketdata.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := wiring.Load(file(t, c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// indented returns a mapping in a mapping and so on, so many levels.
func indented(levels int) string {
	var s strings.Builder
	for i := range levels {
		s.WriteString(strings.Repeat(" ", i) + "a:\n")
	}

	return s.String()
}
