package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	_ "github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/tests/servers"
	_ "github.com/gal-friday/marketdata/wiring/embedded"
	_ "github.com/gal-friday/marketdata/wiring/production"
)

// binary is the path of the command that TestMain built.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "marketdata-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	defer os.RemoveAll(dir)
	if err := noteSources("../../cmd/marketdata"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	name := "marketdata"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	binary = filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/marketdata").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the command: %v\n%s", err, out)
		return 1
	}

	return m.Run()
}

// noteSources reads the command's files, because go test then knows that the tests depend on them and does not reuse
// the cached result of another version. For the same reason this file imports the packages that the command imports.
func noteSources(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}

	for _, e := range entries {
		if _, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}

	return nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "scripts", func(env *testscript.Env) error {
		env.Setenv("MARKETDATA_SQLITE_PATH", filepath.Join(env.WorkDir, "market.db"))
		return errors.Join(
			writeRecent(filepath.Join(env.WorkDir, "recent.csv")),
			writeDays(filepath.Join(env.WorkDir, "live.csv"), -1, 0), writeDays(filepath.Join(env.WorkDir, "today.csv"), 0))
	})
}

// TestServers runs the command on fresh databases of a real PostgreSQL and a real InfluxDB, with and without a shared
// cache. Without servers it is skipped, or fails, as tests/servers says.
func TestServers(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]func(testing.TB) string{
		"without redis": func(testing.TB) string { return "" }, "with redis": servers.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runOnServers(t, "servers", redis(t))
		})
	}
}

// TestSharedCache runs commands that share a cache on a real Redis.
func TestSharedCache(t *testing.T) {
	t.Parallel()
	runOnServers(t, "shared", servers.Redis(t))
}

// TestExistingTables runs the command on tables that other programs fill, as a role that may only read the views of the
// example for such tables.
func TestExistingTables(t *testing.T) {
	t.Parallel()
	tables, err := os.ReadFile("../../adapters/store/postgres/testdata/existing_tables.sql")
	if err != nil {
		t.Fatal(err)
	}

	reader := servers.PostgresReader(t, servers.Postgres(t), string(tables)+`
		INSERT INTO public.instruments VALUES (1, 'kraken', 'BTC', 'USD'), (2, 'kraken', 'ETH', 'USD'), (3, 'other', 'XRP', 'USD');
		INSERT INTO public.candles SELECT i, '2024-03-01'::timestamptz + n * interval '1 minute', n + 1, n + 2, 1, n + 1.5, n
			FROM generate_series(0, 9) n, (VALUES (1), (2), (3)) AS v (i);
		UPDATE public.candles SET h = 'NaN' WHERE instrument_id = 3 AND ts = '2024-03-01 00:07Z';
		INSERT INTO public.candles VALUES (3, 'infinity', 1, 1, 1, 1, 1)`)
	runScripts(t, "existing", func(env *testscript.Env) error {
		env.Vars = append(env.Vars, "MARKETDATA_POSTGRES_DSN="+reader, "MARKETDATA_POSTGRES_CONNECT_TIMEOUT=10s",
			"MARKETDATA_POSTGRES_ACQUIRE_TIMEOUT=10s")
		return nil
	})
}

// runOnServers runs the scripts of dir on fresh databases. The scripts get the URL of the shared cache, "" for none, as
// REDIS.
func runOnServers(t *testing.T, dir, redis string) {
	t.Helper()
	environment := append(onServers(servers.Postgres(t), servers.Influx(t)),
		"REDIS="+redis, "MARKETDATA_CACHE_REDIS_URL="+redis, "MARKETDATA_CACHE_REDIS_TIMEOUT=10s")
	runScripts(t, dir, func(env *testscript.Env) error {
		env.Vars = append(env.Vars, environment...)
		return nil
	})
}

// onServers returns the environment that names the servers, with timeouts for a busy machine.
func onServers(dsn string, influx servers.InfluxServer) []string {
	return []string{
		"MARKETDATA_POSTGRES_DSN=" + dsn,
		"MARKETDATA_POSTGRES_CONNECT_TIMEOUT=10s",
		"MARKETDATA_POSTGRES_ACQUIRE_TIMEOUT=10s",
		"MARKETDATA_INFLUX_URL=" + influx.URL,
		"MARKETDATA_INFLUX_TOKEN=" + influx.Token,
		"MARKETDATA_INFLUX_ORG=" + influx.Org,
		"MARKETDATA_INFLUX_BUCKET=" + influx.Bucket,
		"MARKETDATA_INFLUX_DATABASE=" + influx.Database,
	}
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("GORACE", os.Getenv("GORACE")) // of the command, which is built with the flags of the tests
			return setup(env)
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// writeRecent writes two hourly bars of yesterday, for scripts that depend on the current time.
func writeRecent(path string) error {
	hour := time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	text := fmt.Sprintf("time,open,high,low,close,volume\n%s,1,3,1,2,2\n%s,1,1,0.5,1,3\n",
		hour.Format(time.RFC3339), hour.Add(time.Hour).Format(time.RFC3339))
	return os.WriteFile(path, []byte(text), 0o600)
}

// writeDays writes the daily bars of days from today on. The bar of today is not closed yet.
func writeDays(path string, days ...int) error {
	text := "time,open,high,low,close,volume\n"
	for _, day := range days {
		text += time.Now().UTC().AddDate(0, 0, day).Format(time.DateOnly) + ",1,3,1,2,2\n"
	}

	return os.WriteFile(path, []byte(text), 0o600)
}

// exits runs a command that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [args...]")
	}

	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}

	ts.Logf("[exit code %d]", code)
	if code != want {
		ts.Fatalf("exit code %d; want %d", code, want)
	}
}
