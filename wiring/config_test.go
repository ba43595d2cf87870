package wiring_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/wiring"
)

// file writes a configuration file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "marketdata.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return path
}

func TestLoadWithoutAnything(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "/data")
	c, err := wiring.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}

	if c.SQLite.Path != "/data/marketdata/marketdata.db" || c.Service.Timeout != 30*time.Second ||
		*c.Service.MaxBars != 1_000_000 {
		t.Errorf("got %+v", c)
	}
	for _, ignored := range []string{"", "relative"} {
		t.Setenv("XDG_DATA_HOME", ignored)
		t.Setenv("HOME", "/home/trader")
		if got := (wiring.Config{}).WithDefaults().SQLite.Path; got != "/home/trader/.local/share/marketdata/marketdata.db" {
			t.Errorf("with XDG_DATA_HOME=%q the path is %s", ignored, got)
		}
	}
}

func TestEmptyFileSetsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "service:\nsqlite: {}\n"} {
		if c, err := wiring.Load(file(t, text), nil); err != nil || c.Service.Timeout != 30*time.Second {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestEnvironmentWeighsMoreThanTheFile(t *testing.T) {
	path := file(t, "service:\n  timeout: 5s\n  max_bars: 0\n  max_slots: 7\nsqlite:\n  path: from-file.db\n")
	t.Setenv("MARKETDATA_SQLITE_PATH", "from-environment.db")
	t.Setenv("MARKETDATA_SERVICE_MAX_SLOTS", "8")
	t.Setenv("MARKETDATA_SERVICE_SETTLE", "1m30s")
	c, err := wiring.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}

	s := c.Service
	if c.SQLite.Path != "from-environment.db" || s.Timeout != 5*time.Second || *s.MaxBars != 0 ||
		*s.MaxSlots != 8 || s.Settle != 90*time.Second {
		t.Errorf("got %+v, max_bars %d, max_slots %d", c, *s.MaxBars, *s.MaxSlots)
	}
}

// The settings of the cache's policy are beside its size.
func TestLoadCache(t *testing.T) {
	path := file(t, "cache:\n  bytes: 2000000\n  lease: 30s\n  max_blocks: 5\n  redis:\n    prefix: a\n")
	for name, value := range map[string]string{
		"DISABLED": "true", "LEASE": "1s", "UNVERSIONED_LEASE": "40s", "UNVERSIONED_TTL": "50s", "READ_TIMEOUT": "9s",
		"READ_AHEAD": "0",
		"REDIS_URL":  "rediss://u:" + canary + "@cache:6379/2", "REDIS_CA_FILE": "ca.pem", "REDIS_TIMEOUT": "10ms",
	} {
		t.Setenv("MARKETDATA_CACHE_"+name, value)
	}

	got, err := wiring.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}

	want := wiring.Cache{
		Disabled: true, Bytes: 2_000_000,
		Policy: seriescache.Config{
			Lease: time.Second, UnversionedLease: 40 * time.Second, UnversionedTTL: 50 * time.Second,
			ReadTimeout: 9 * time.Second, MaxBlocks: 5, ReadAhead: new(0),
		},
		Redis: wiring.Redis{
			URL:    wiring.NewSecret("rediss://u:" + canary + "@cache:6379/2"),
			CAFile: "ca.pem", Prefix: "a", Timeout: 10 * time.Millisecond,
		},
	}
	if !reflect.DeepEqual(got.Cache, want) {
		t.Errorf("got %+v, want %+v", got.Cache, want)
	}
	text, err := got.YAML()
	if err != nil || strings.Contains(string(text), canary) || !strings.Contains(string(text), "url: (hidden)") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"an unknown key":        {"service:\n  timeout: 5s\n  max_bras: 3\n", `marketdata.yaml:3: unknown setting "max_bras"`},
		"a misspelled key":      {"postgres:\n  dns: x\n", `marketdata.yaml:2: unknown setting "dns"; did you mean dsn? marketdata config`},
		"an open bracket":       {"postgres:\n  dsn: [a\n", `marketdata.yaml:2: a "[" without its "]"`},
		"an open brace":         {"{\n", `marketdata.yaml:1: a "{" without its "}"`},
		"a tab":                 {"postgres:\n\tdsn: x\n", "marketdata.yaml:2: a tab; indent with spaces"},
		"two colons":            {"postgres: dsn: x\n", `marketdata.yaml:1: a second ":"`},
		"an open quote":         {"sqlite:\n  path: \"a\n", "marketdata.yaml:2: a quote without its end"},
		"a section twice":       {"sqlite:\n  path: a\nsqlite:\n  path: b\n", `marketdata.yaml:3: "sqlite" is set twice, first in line 1`},
		"an alias":              {"sqlite:\n  path: *x\n", `marketdata.yaml:2: a text that begins with "*" needs quotes`},
		"a text":                {"hello\n", "marketdata.yaml:1: no section with settings"},
		"a list":                {"- a\n", "marketdata.yaml:1: no section with settings"},
		"an unknown section":    {"sqlite:\n  path: a.db\noracle: {}\n", `marketdata.yaml:3: unknown setting "oracle"`},
		"a key twice":           {"sqlite:\n  path: a.db\n  path: b.db\n", "marketdata.yaml:3: "},
		"a wrong type":          {"service:\n  max_bars: many\n", `marketdata.yaml:2: "many": give a whole number`},
		"a duration sans unit":  {"service:\n  timeout: soon\n", `marketdata.yaml: "soon": write a duration`},
		"a duration in numbers": {"service:\n  timeout: 30\n", "marketdata.yaml:2: "},
		"a wrong unit":          {"service:\n  timeout: 30q\n", `"30q": write a duration`},
		"a fraction":            {"service:\n  max_bars: 10.7\n", `marketdata.yaml:2: "10.7": give a whole number`},
		"a large number":        {"service:\n  max_bars: 99999999999999999999\n", `99999999999999999999": give a whole number`},
		"a wrong switch":        {"cache:\n  disabled: maybe\n", `marketdata.yaml:2: "maybe": give true or false`},
		"two documents":         {"---\nservice:\n  timeout: 3s\n---\nservice:\n  timeout: 4s\n", "more than one"},
		"no YAML":               {"service: [\n", "marketdata.yaml"},
		"the logger":            {"service:\n  logger: {}\n", "marketdata.yaml:2: unknown setting"},
		"a tiny cache":          {"cache:\n  bytes: 1000\n", "or disable the cache"},
		"the cache's policy":    {"cache:\n  read_ahead: -1\n", "cache: read_ahead -1"},
		"the chunk's store":     {"cache:\n  name: x\n", "unknown setting"},
		"a cache elsewhere":     {"cache:\n  redis:\n    url: http://cache:6379\n", "cache: redis: url"},
		"no time for redis":     {"cache:\n  redis:\n    timeout: 5ns\n", "cache: redis: timeout 5ns"},
		"several faults":        {"service:\n  timeout: -5s\n  max_bars: -1\nsqlite:\n  path: ~/a.db\n", "max_bars -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wiring.Load(file(t, c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want one that says %q", err, c.says)
			}

			t.Log(err)
			if name == "several faults" {
				for _, more := range []string{"timeout -5s", "~ is not expanded"} {
					if !strings.Contains(err.Error(), more) {
						t.Errorf("%v does not say %q", err, more)
					}
				}
			}
		})
	}

	_, err := wiring.Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestBadVariablesAreAllNamed(t *testing.T) {
	t.Setenv("MARKETDATA_SERVICE_TIMEOUT", "soon")
	t.Setenv("MARKETDATA_SERVICE_MAX_BARS", "many")
	t.Setenv("MARKETDATA_CACHE_DISABLED", "maybe")
	_, err := wiring.Load("", nil)
	for _, text := range []string{
		`MARKETDATA_SERVICE_TIMEOUT: "soon": write a duration with its unit`,
		`MARKETDATA_SERVICE_MAX_BARS: "many": give a whole number`,
		`MARKETDATA_CACHE_DISABLED: "maybe": give true or false`,
	} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %s", err, text)
		}
	}
}

// Load returns the same configuration from the output of YAML.
func TestYAMLLoadsBack(t *testing.T) {
	t.Parallel()
	c := wiring.Config{
		Service: app.Config{StoreTimeout: 90 * time.Second, MaxBars: new(0)},
		SQLite:  wiring.SQLite{Path: "bars.db"},
		Cache:   wiring.Cache{Policy: seriescache.Config{ReadAhead: new(0)}},
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}

	t.Logf("\n%s", text)
	values := regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(string(text), "")
	for _, line := range []string{
		"cache:\n  disabled: false\n  bytes: 268435456\n  lease: 2s\n", "read_ahead: 0",
		"prefix: \"marketdata:\"", "timeout: 25ms",
		"timeout: 30s", "store_timeout: 1m30s", "max_bars: 0", "max_slots: 100000000", "max_reads: 1000", "settle: 0s",
		"path: bars.db",
	} {
		if !strings.Contains(values, line) {
			t.Errorf("%q is not in it", line)
		}
	}

	back, err := wiring.Load(file(t, string(text)), nil)
	if err != nil {
		t.Fatal(err)
	}

	want := c.WithDefaults()
	want.Service.Logger, back.Service.Logger = nil, nil
	if !reflect.DeepEqual(back, want) {
		t.Errorf("got %+v, want %+v", back, want)
	}
}
