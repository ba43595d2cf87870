package wiring

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every setting has a variable, is explained, and nothing else is explained.
func TestEverySettingIsExplained(t *testing.T) {
	t.Parallel()
	var paths, variables []string
	for _, s := range (Config{}).settings() {
		paths = append(paths, s.path)
		variables = append(variables, s.variable)
		if len(settingHelp[s.path]) == 0 {
			t.Errorf("%s has no explanation", s.path)
		}
	}
	slices.Sort(paths)
	if explained := slices.Sorted(maps.Keys(settingHelp)); !slices.Equal(paths, explained) {
		t.Errorf("explained are\n%q, settings are\n%q", explained, paths)
	}

	known := variableNames()
	slices.Sort(known)
	slices.Sort(variables)
	if !slices.Equal(variables, known) {
		t.Errorf("variables are\n%q, Load reads\n%q", variables, known)
	}

	text, err := Config{}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range (Config{}).settings() {
		name := s.path[strings.LastIndexByte(s.path, '.')+1:]
		above := "# " + strings.Join(s.comment(), "\n# ") + "\n"
		flat := regexp.MustCompile(`(?m)^ +`).ReplaceAllString(string(text), "")
		if !strings.Contains(flat, above+name+":") && !strings.Contains(flat, above+"# "+name+":") {
			t.Errorf("%s has no comment %q in\n%s", s.path, above, text)
		}
	}
	for line := range strings.Lines(string(text)) {
		if len(line) > 101 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}

// What YAML writes, Load reads, as the same configuration.
func TestYAMLIsReadBack(t *testing.T) {
	t.Parallel()
	ten, zero := 10, int64(0)
	all := Config{SymbolCacheBytes: 1 << 21}
	all.Service.MaxBars, all.Service.MaxSlots = &ten, &zero
	all.SQLite.Path = "a #b: c.db"
	all.Postgres.MigrateOnOpen = true
	all.Influx.URL, all.Influx.Existing.Tags = "http://127.0.0.1:8086", map[string]string{"a": "1", "b": "x: y"}
	all.Influx.Existing.Frequency = Config{}.WithDefaults().HighFrequencyBelow
	for name, c := range map[string]Config{"defaults": {}, "all": all} {
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}

		path := filepath.Join(t.TempDir(), "marketdata.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var got Config
		if err := readFile(path, &got); err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
		got, want := got.WithDefaults(), c.WithDefaults()
		got.Service.Logger, want.Service.Logger = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v; want %+v", name, got, want)
		}
	}
}

// Every setting that README names exists.
func TestSettingsOfREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Config{}.YAML()
	if err != nil {
		t.Fatal(err)
	}

	var paths []string
	for _, s := range (Config{}).settings() {
		paths = append(paths, s.path)
	}
	named := 0
	for _, name := range regexp.MustCompile(`MARKETDATA_[A-Z_]*[A-Z]`).FindAllString(string(readme), -1) {
		named++
		if !strings.Contains(string(text), "# "+name+", ") {
			t.Errorf("README names the variable %s, which marketdata config does not have", name)
		}
	}
	for _, m := range regexp.MustCompile("`((?:service|sqlite|postgres|influx|cache)\\.[a-z_.]+[a-z])`").
		FindAllStringSubmatch(string(readme), -1) {
		named++
		if !slices.Contains(paths, m[1]) {
			t.Errorf("README names the setting %s, which marketdata config does not have", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(max_[a-z]+)`").FindAllStringSubmatch(string(readme), -1) {
		named++
		if !slices.Contains(paths, "service."+m[1]) {
			t.Errorf("README names the setting %s of the service, which marketdata config does not have", m[1])
		}
	}
	if named < 10 {
		t.Errorf("%d settings found in README; want all", named)
	}
}
