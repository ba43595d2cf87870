package arch

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// links says which modules and packages a program links with an entry point. .ci/release holds the sizes.
var links = []struct {
	entry string
	only  []string // the only modules, if it is not empty
	all   []string // modules and packages that must be linked, so that the names below are not misspelled
	none  []string // modules and packages that must not be linked
	why   string
}{
	{
		entry: "wiring/backtest", only: []string{module}, // and no module of others
		all: []string{module + "/adapters/store/memory"},
		none: []string{
			"net", "net/http", "database/sql", "os/exec", "testing", "log/slog", "crypto/sha256", "crypto/rand",
			module + "/wiring",
		},
		why: "a backtest needs no driver, no server, no configuration and no secret",
	},
	{
		entry: "wiring/embedded", all: []string{"modernc.org/sqlite", "database/sql"},
		none: slices.Concat(serverModules, []string{redisModule}, commandModules),
		why:  "a program with one file needs no server",
	},
	{
		entry: "wiring/production", all: serverModules,
		none: slices.Concat([]string{"modernc.org/sqlite", redisModule}, commandModules),
		why:  "a program with servers needs their drivers and no other store; the client of Redis is an option",
	},
	{
		entry: "cmd/marketdata", all: slices.Concat(serverModules, []string{redisModule, "modernc.org/sqlite"}),
	},
}

var serverModules = []string{
	"github.com/jackc/pgx/v5", "github.com/uptrace/bun", "github.com/influxdata/influxdb-client-go/v2",
	"github.com/dgraph-io/ristretto/v2",
}

const redisModule = "github.com/redis/go-redis/v9"

// commandModules are linked by the command and by no entry point of the library.
var commandModules = []string{
	"github.com/google/wire", "github.com/parquet-go/parquet-go", "github.com/spf13/cobra", "testing",
}

func TestLinks(t *testing.T) {
	for _, l := range links {
		modules, packages := linked(t, l.entry)
		for _, path := range modules {
			if len(l.only) > 0 && !slices.Contains(l.only, path) {
				t.Errorf("%s links the module %s: %s", l.entry, path, l.why)
			}
		}

		isLinked := func(path string) bool { return slices.Contains(modules, path) || slices.Contains(packages, path) }
		for _, path := range l.all {
			if !isLinked(path) {
				t.Errorf("%s does not link %s", l.entry, path)
			}
		}
		for _, path := range l.none {
			if isLinked(path) {
				t.Errorf("%s links %s: %s", l.entry, path, l.why)
			}
		}
	}
}

// linked returns the modules of others and the packages that a program with the entry point links. A backtest hands in
// its store and its clock.
func linked(t *testing.T, entry string) (modules, packages []string) {
	t.Helper()
	args := []string{
		"list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", module + "/" + entry,
	}
	if entry == "wiring/backtest" {
		args = append(args, module+"/adapters/store/memory", module+"/adapters/clock")
	}

	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}

	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages = append(packages, fields[0])
		if len(fields) > 1 && !slices.Contains(modules, fields[1]) {
			modules = append(modules, fields[1])
		}
	}

	return modules, packages
}
