package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An import that is killed has stored whole batches. The same command then stores the rest.
func TestKilledImportContinues(t *testing.T) {
	t.Parallel()
	const rows = 60_000
	var text strings.Builder
	text.WriteString("time,open,high,low,close,volume,trades\n")
	for i := range rows {
		open := time.Unix(int64(i)*60, 0).UTC()
		fmt.Fprintf(&text, "%s,%d,%d,%d,%d,0.%d,1\n", open.Format(time.RFC3339), i%7+5, i%7+9, i%5+1, i%3+6, i%9+1)
	}

	folder := t.TempDir()
	path, db := filepath.Join(folder, "bars.csv"), filepath.Join(folder, "market.db")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}

	importing := []string{"--db", db, "import", "--symbol", "A/B", "--frequency", "1m", "--output", "json"}

	killed := exec.CommandContext(t.Context(), binary, append(importing, "-")...)
	in, err := killed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, text.String()[:text.Len()/2]); err != nil {
		t.Fatal(err)
	}

	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(command(t, "--db", db, "coverage"), "A/B,bars,1m") { // until a batch is stored
		if time.Now().After(deadline) {
			t.Fatal("no batch was stored")
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Wait(); err == nil {
		t.Fatal("the import ended without an error")
	}

	var reports []struct{ Rows, Inserted, Changed, Unchanged int }
	if err := json.Unmarshal([]byte(command(t, append(importing, path)...)), &reports); err != nil {
		t.Fatal(err)
	}

	r := reports[0]
	if r.Rows != rows || r.Changed != 0 || r.Unchanged == 0 || r.Inserted == 0 || r.Unchanged+r.Inserted != rows {
		t.Errorf("the second run reports %+v; want some rows unchanged and the others inserted", r)
	}
	out := filepath.Join(folder, "out.csv")
	command(t, "--db", db, "export", "A/B", "1m", out)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}

	if !bytes.Equal(got, []byte(text.String())) {
		t.Error("the exported file differs from the imported one")
	}
}

// command runs a command that must succeed, and returns its standard output.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &errs)
	}

	return out.String()
}
