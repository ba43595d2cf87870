package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README shows the plan that the command prints.
func TestDocumentedPlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "market.db")
	command(t, "demo", "--dir", dir, "--end", "2024-01-31")
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
	example := request + "\n"
	for line := range strings.Lines(plan) {
		example += "    " + line
	}
	if !strings.Contains(string(readme), example) {
		t.Errorf("README does not show\n%s", example)
	}
}
