package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestManyCoverageIntervals imports files that leave more holes than a plan once was allowed reads.
func TestManyCoverageIntervals(t *testing.T) {
	t.Parallel()
	const intervals = 65
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, write := range map[string]func(dir string) (args []string){
		"daily files": func(dir string) (args []string) {
			for i := range intervals {
				path := filepath.Join(dir, fmt.Sprintf("day%02d.csv", i))
				day := start.AddDate(0, 0, 2*i).Format(time.RFC3339)
				writeFile(t, path, "time,open,high,low,close,volume\n"+day+",1,2,1,2,5\n")
				args = append(args, path)
			}

			return args
		},
		"rejected rows": func(dir string) (args []string) {
			text := "time,open,high,low,close,volume\n"
			for i := range 2*intervals + 1 {
				high := 2 - 2*(i%2) // below low in every second row
				text += fmt.Sprintf("%s,1,%d,1,1,5\n", start.AddDate(0, 0, i).Format(time.RFC3339), high)
			}
			path := filepath.Join(dir, "bad.csv")
			writeFile(t, path, text)

			return []string{"--rejects", filepath.Join(dir, "rejects.csv"), path}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := filepath.Join(dir, "market.db")
			importFiles := append([]string{"--db", db, "import", "--symbol", "X/Y", "--frequency", "1d"}, write(dir)...)
			_ = exec.CommandContext(t.Context(), binary, importFiles...).Run() // rejected rows end it with code 2

			if rows := command(t, "--db", db, "fetch", "X/Y", "1d", "--end", "2021-01-01", "--output", "csv"); strings.Count(rows, "\n") < intervals+1 {
				t.Errorf("got\n%s", rows)
			}
			if last := command(t, "--db", db, "fetch", "X/Y", "1d", "--last", "1", "--output", "csv"); strings.Count(last, "\n") != 2 {
				t.Errorf("last bar: %s", last)
			}
			plan := command(t, "--db", db, "fetch", "X/Y", "1d", "--start", "2020-01-01", "--end", "2020-05-01", "--explain")
			if !strings.Contains(plan, "in 1 read,") || strings.Count(plan, "\n") > 6 {
				t.Errorf("plan\n%s", plan)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
