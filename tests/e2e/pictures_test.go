package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The plan that the README and the help show is the one that the command prints.
func TestPicturesOfAPlan(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	db := filepath.Join(folder, "market.db")
	command(t, "demo", "--dir", folder)
	for _, grid := range []string{"1m", "1d"} {
		command(t, "--db", db, "import", "--symbol", "SYNTHETIC:CEDAR/USD", "--grid", grid, filepath.Join(folder, "SYNTHETIC-CEDAR-USD_"+grid+".csv"))
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}

	const asked = "fetch SYNTHETIC:CEDAR/USD 1h --start 2024-01-28 --end 2024-02-01 --explain"
	plan := command(t, append([]string{"--db", db}, strings.Fields(asked)...)...)
	for name, shown := range map[string]struct{ text, indent string }{
		"README": {string(readme), "    "}, "help": {command(t, "help", "fetch"), "  "},
	} {
		picture := asked + "\n"
		for line := range strings.Lines(plan) {
			picture += shown.indent + line
		}
		if !strings.Contains(shown.text, picture) {
			t.Errorf("%s does not show\n%s", name, picture)
		}
	}
}
