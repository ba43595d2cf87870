package backtest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gal-friday/marketdata"

// linked is the packages that a program made of the packages given links, those of the standard library with a std/ in front.
func linked(t *testing.T, packages ...string) []string {
	t.Helper()
	args := append([]string{"list", "-deps", "-f", "{{if .Standard}}std/{{end}}{{.ImportPath}}"}, packages...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}

	return strings.Fields(string(out))
}

// A backtest links its own rooms and apd: no driver, no network, no configuration, no Wire.
func TestBacktestLinksNoDriver(t *testing.T) {
	t.Parallel()
	allowed := []string{ // with what lies below them
		module + "/domain", module + "/ports", module + "/app", module + "/app/plan", module + "/wiring/backtest",
		module + "/adapters/clock", module + "/adapters/codec", module + "/adapters/store/memory",
		"github.com/cockroachdb/apd/v3",
	}
	inside := func(p string) bool {
		return slices.ContainsFunc(allowed, func(room string) bool { return p == room || strings.HasPrefix(p, room+"/") })
	}
	banned := []string{"std/net", "std/net/http", "std/database/sql", "std/os/exec", "std/testing"}
	for _, p := range linked(t, module+"/wiring/backtest", module+"/adapters/clock", module+"/adapters/store/memory") {
		if std := strings.HasPrefix(p, "std/"); std && slices.Contains(banned, p) || !std && !inside(p) {
			t.Errorf("links %s", p)
		}
	}
}

// The drivers are where they are expected, so the test above looks for something that exists.
func TestEmbeddedLinksSQLite(t *testing.T) {
	t.Parallel()
	got := linked(t, module+"/wiring/embedded")
	for _, p := range []string{"modernc.org/sqlite", "std/database/sql"} {
		if !slices.Contains(got, p) {
			t.Errorf("does not link %s", p)
		}
	}

	if slices.Contains(got, "github.com/google/wire") {
		t.Error("links the generator")
	}
}
