package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README and the help show the plan that the command prints.
func TestDocumentedPlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "market.db")
	command(t, "demo", "--dir", dir)
	for _, frequency := range []string{"1m", "1d"} {
		path := filepath.Join(dir, "SYNTHETIC-CEDAR-USD_"+frequency+".csv")
		command(t, "--db", db, "import", "--symbol", "SYNTHETIC:CEDAR/USD", "--frequency", frequency, path)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}

	const request = "fetch SYNTHETIC:CEDAR/USD 1h --start 2024-01-28 --end 2024-02-01 --explain"
	plan := command(t, append([]string{"--db", db}, strings.Fields(request)...)...)
	for name, shown := range map[string]struct{ text, indent string }{
		"README": {string(readme), "    "}, "help": {command(t, "help", "fetch"), "  "},
	} {
		example := request + "\n"
		for line := range strings.Lines(plan) {
			example += shown.indent + line
		}
		if !strings.Contains(shown.text, example) {
			t.Errorf("%s does not show\n%s", name, example)
		}
	}
}
