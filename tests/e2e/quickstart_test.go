package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of README's quick start work as they stand there, one after the other in an empty folder.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}

	_, section, found := strings.Cut(string(readme), "\n## Quick start\n")
	section, _, _ = strings.Cut(section, "\n## ")
	dir, ran := t.TempDir(), 0
	for line := range strings.Lines(section) {
		text, isCommand := strings.CutPrefix(line, "    bin/marketdata ")
		if !isCommand {
			continue
		}

		ran++
		text, _, _ = strings.Cut(text, " #")
		cmd := exec.Command(binary, strings.Fields(text)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(dir, "data"), "MARKETDATA_SQLITE_PATH=")
		out, err := cmd.Output()
		if err != nil || len(out) == 0 {
			t.Fatalf("marketdata %s: %v\n%s", text, err, out)
		}
	}
	if !found || ran < 8 {
		t.Errorf("%d commands found; want those of the quick start", ran)
	}
	if _, err := os.Stat(filepath.Join(dir, "cedar.parquet")); err != nil {
		t.Error(err)
	}
}
