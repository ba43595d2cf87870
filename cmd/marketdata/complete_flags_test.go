package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completeLine returns the completions that a shell gets for the last of the arguments, and what it would see besides.
func completeLine(t *testing.T, args ...string) (words []string, messages string) {
	t.Helper()
	var out, err bytes.Buffer
	if code := run(t.Context(), append([]string{"__completeNoDesc"}, args...), strings.NewReader(""), &out, &err); code != 0 {
		t.Fatalf("%q: exit code %d, %s", args, code, err.String())
	}

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")

	return lines[:len(lines)-1], err.String()
}

// helpWords is the end of a list of words in the help of a flag: "fail, replace or keep", with remarks in brackets.
var helpWords = regexp.MustCompile(`[a-z]+(?: \([^)]*\))?(?:, [a-z]+(?: \([^)]*\))?)* or [a-z]+`)

// A flag whose help lists words completes exactly these words.
func TestFlagsCompleteTheirWords(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	walkCommands(newRoot(), func(cmd *cobra.Command) {
		if strings.HasPrefix(cmd.CommandPath(), "marketdata completion") {
			return
		}

		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				return
			}

			complete, ok := cmd.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Errorf("%s --%s has no completion", cmd.CommandPath(), f.Name)
				return
			}
			_, usage := pflag.UnquoteUsage(f)
			_, list, hasList := strings.Cut(usage, ": ")
			list = helpWords.FindString(list)
			if !hasList || list == "" || f.Name == "keep" {
				return
			}

			found[f.Name] = true
			want := strings.FieldsFunc(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(list, ""),
				func(r rune) bool { return r == ',' || r == ' ' })
			want = slices.DeleteFunc(want, func(word string) bool { return word == "or" })
			if got, _ := complete(cmd, nil, ""); !slices.Equal(got, want) {
				t.Errorf("%s --%s completes %q; its help lists %q", cmd.CommandPath(), f.Name, got, want)
			}
		})
	})

	for _, name := range []string{"output", "price", "quality", "fill", "format", "on-conflict", "grants", "only", "time-unit"} {
		if !found[name] {
			t.Errorf("no help of --%s lists its words", name)
		}
	}
}

// A list completes its last element, and a flag of key=value its key.
func TestListsComplete(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"copy", "--only", "bars,"}, "bars,bars bars,trades bars,quotes"},
		{[]string{"diff", "--tolerance", ""}, "open= high= low= close= volume= trades="},
		{[]string{"fetch", "--output", "p"}, "parquet"},
		{[]string{"import", "--time-zone", "Asia/T"}, "Asia/Tokyo"},
		{[]string{"symbols", "set", "--zone", "U"}, "UTC"},
		{[]string{"coverage", "--output", "p"}, ""},
		{[]string{"fetch", "--start", ""}, ""},
	} {
		if got, messages := completeLine(t, test.args...); strings.Join(got, " ") != test.want {
			t.Errorf("%q completes %q; want %q\n%s", test.args, got, test.want, messages)
		}
	}
}

// Symbols and frequencies come from the database. One that does not exist, or is none, has no completions, says nothing,
// and is not created.
func TestCompletionReadsTheDatabase(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "market.db")
	rows := "time,open,high,low,close,volume\n2018-04-04T00:00:00Z,1,1,1,1,1\n"
	code := run(t.Context(), []string{"--db", db, "import", "--symbol", "ACME", "--frequency", "5m", "-"},
		strings.NewReader(rows), io.Discard, io.Discard)
	if code != exitOK {
		t.Fatalf("import: exit code %d", code)
	}

	broken, missing := filepath.Join(t.TempDir(), "broken.db"), filepath.Join(t.TempDir(), "missing.db")
	if err := os.WriteFile(broken, []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"fetch", "AC"}, {"fetch", "ACME", ""}, {"import", "--symbol", "A"}, {"import", "--frequency", ""},
		{"copy", "--frequency", "1h,"}, {"diff", "--against", ""}, {"coverage", ""}, {"retain", ""},
	} {
		got, messages := completeLine(t, append([]string{"--db", db}, args...)...)
		if joined := strings.Join(got, " "); joined != "ACME" && joined != "5m" && joined != "1h,5m" {
			t.Errorf("%q completes %q\n%s", args, got, messages)
		}
		for _, path := range []string{broken, missing} {
			got, messages := completeLine(t, append([]string{"--db", path}, args...)...)
			if len(got) > 0 || strings.Contains(messages, "database") {
				t.Errorf("%s, %q completes %q and says %s", path, args, got, messages)
			}
		}
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("a completion created %s: %v", missing, err)
	}
}

// Every format in the help of --output is taken, and every other one is refused before the database is looked for.
func TestOutputFormatsOfTheHelp(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.db")
	for _, args := range [][]string{
		{"fetch", "A", "1m"}, {"fetch", "--trades", "A"}, {"coverage"}, {"symbols"}, {"describe", "A"},
	} {
		listed := slices.Clone(outputFormats)
		if args[0] == "fetch" {
			listed = append(listed, formatParquet)
		}
		for _, format := range append(slices.Clone(outputFormats), formatParquet, formatBars, "xml") {
			var stderr bytes.Buffer
			run(t.Context(), append(slices.Clone(args), "--db", missing, "--output", format), nil, io.Discard, &stderr)
			isTaken := strings.Contains(stderr.String(), "there is no database")
			if isTaken != slices.Contains(listed, format) {
				t.Errorf("%q --output %s: %s", args, format, stderr.String())
			}
		}
	}

	for _, args := range [][]string{{"fetch", "A", "B", "1m"}, {"fetch", "A*", "1m"}, {"fetch", "A", "1m", "--explain"}} {
		var stderr bytes.Buffer
		code := run(t.Context(), append(slices.Clone(args), "--db", missing, "-o", "parquet"), nil, io.Discard, &stderr)
		if code != exitInvalid || !strings.Contains(stderr.String(), "--output parquet is for") {
			t.Errorf("%q --output parquet: exit code %d, %s", args, code, stderr.String())
		}
	}
}
