package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEscapeControls(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ─ text\tin\nlines": "plain ─ text\tin\nlines",
		"\x1b[31mred":             `\x1b[31mred`,
		"a\rb\x00\x7f":            `a\rb\x00\x7f`,
		"\u009b2J":                `\u009b2J`,
		"abc\u202edef\u2066":      `abc\u202edef\u2066`,
		"\xff\xfe":                `\xff\xfe`,
		"":                        "",
	} {
		if got := escapeControls(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// No control character of a command line, a file name, a file or a configuration reaches the terminal.
func TestMessagesHaveNoControlCharacters(t *testing.T) {
	t.Setenv("MARKETDATA_SQLITE_PATH", filepath.Join(t.TempDir(), "market.db"))
	const hostile = "a\x1b]0;owned\x07\x1b[2J\u202e"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		return path
	}
	config := write(hostile+".yaml", "sqlite:\n  path: \""+strings.ReplaceAll(hostile, "\x1b", `\e`)+"\"\n"+hostile+": 1\n")
	rows := write(hostile+".csv", "time,open,high,low,close,volume\n"+hostile+",1,1,1,1,1\n")
	header := write("header.csv", "time,open,high,low,close,"+hostile+"\n1,1,1,1,1,1\n")
	good := write(hostile+"good.csv", "time,open,high,low,close,volume\n2018-04-04T00:00:00Z,1,1,1,1,1\n")
	for _, args := range [][]string{
		{hostile}, {"fetch", hostile, "1m"}, {"fetch", "A", hostile}, {"--" + hostile}, {"fetch", "A", "1m", "--start", hostile},
		{"--config", config, "coverage"}, {"--config", hostile, "coverage"}, {"--db", hostile, "coverage"},
		{"import", "--symbol", "A", "--frequency", "1m", rows}, {"import", "--symbol", "A", "--frequency", "1m", header},
		{"import", "--symbol", "A", "--frequency", "1m", good, "--output", "table"},
		{"export", "A", "1m", filepath.Join(dir, hostile)}, {"export", "A", "1m", dir + "/" + hostile + "/x.csv"},
	} {
		var out, messages bytes.Buffer
		run(t.Context(), args, strings.NewReader(""), &out, &messages)
		for name, text := range map[string]string{"output": out.String(), "messages": messages.String()} {
			if strings.ContainsFunc(text, isControl) {
				t.Errorf("%q: the %s have control characters: %q", args, name, text)
			}
		}
		t.Logf("%.20q: %s%s", args, out.String(), messages.String())
	}
}

// A spreadsheet takes no cell of free text for a formula. Data stays as it is.
func TestCellsOfFreeTextAreNoFormulas(t *testing.T) {
	t.Parallel()
	list := listing[[]string]{
		columns: []column{{name: "value", kind: number}, {name: "reason", kind: freeText}},
		cells:   func(row []string) []string { return row },
	}
	var out bytes.Buffer
	if err := list.print(&out, formatCSV, [][]string{{"-1.5", "=1+1"}, {"2", "-"}, {"3", "plain"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "value,reason\n-1.5,'=1+1\n2,-\n3,plain\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
