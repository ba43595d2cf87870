//go:build unix

package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
)

// anotherUser is an id that owns nothing, for a test that runs as root: root may write every file.
const anotherUser = 65534

// readOnlyDir returns a new folder that every user may read, and a command line of another user than root.
func readOnlyDir(t *testing.T) (dir string, asReader func(args ...string) (string, error)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "marketdata-readonly-") //nolint:usetesting // another user cannot enter a t.TempDir
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o700)
		_ = os.RemoveAll(dir)
	})
	program := filepath.Join(dir, "marketdata")
	text, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}

	return dir, func(args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anotherUser, Gid: anotherUser}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Skipf("%s cannot start a command as another user: %v", t.Name(), err)
		}

		return string(out), err
	}
}

// Shared data that a user may read and not write is read: a file of another user in a folder that cannot be written,
// with and without a writer beside it, and in one that can.
func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	dir, asReader := readOnlyDir(t)
	db := filepath.Join(dir, "market.db")
	rows := filepath.Join(dir, "rows.csv")
	text := "time,open,high,low,close,volume\n2018-04-04T00:00:00Z,1,1,1,1,1\n2018-04-04T00:01:00Z,2,2,2,2,2\n"
	if err := os.WriteFile(rows, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "--db", db, "import", "--symbol", "A", "--frequency", "1m", rows)
	if err := os.Chmod(db, 0o444); err != nil {
		t.Fatal(err)
	}

	for _, mode := range []os.FileMode{0o555, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"fetch A 1m", "coverage", "symbols", "doctor", "describe A", "export A 1m -"} {
			out, err := asReader(append([]string{"--db", db}, strings.Fields(args)...)...)
			if err != nil || strings.Contains(out, "not covered") && args == "fetch A 1m" {
				t.Errorf("%s in a folder of mode %o: %v\n%s", args, mode, err, out)
			}
			if args == "fetch A 1m" && !strings.Contains(out, "2018-04-04T00:01:00Z,2,2,2,2,2,") {
				t.Errorf("%s in a folder of mode %o: %s", args, mode, out)
			}
		}
		out, err := asReader("--db", db, "delete", "A", "1m", "--yes")
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("delete in a folder of mode %o: %v\n%s", mode, err, out)
		}
	}

	if extra, err := filepath.Glob(db + "-*"); err != nil || len(extra) > 0 {
		t.Errorf("the reader left %v beside the file: %v", extra, err)
	}

	// A log with content, which the reader cannot open, is never passed over.
	if err := os.WriteFile(db+"-wal", []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	out, err := asReader("--db", db, "fetch", "A", "1m")
	if err == nil || !strings.Contains(out, "-wal") {
		t.Errorf("with a log that cannot be read: %v\n%s", err, out)
	}
}

// A reader beside a writer sees what is in the writer's log.
func TestReadOnlyFileBesideAWriter(t *testing.T) {
	t.Parallel()
	dir, asReader := readOnlyDir(t)
	db := filepath.Join(dir, "market.db")
	store, closeStore, err := sqlite.Open(t.Context(), sqlite.Config{Path: db})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	if err := store.PutSymbols(t.Context(), domain.NewSymbolMeta("LOGGED")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{db, db + "-wal", db + "-shm"} {
		if err := os.Chmod(name, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if out, err := asReader("--db", db, "symbols"); err != nil || !strings.Contains(out, "LOGGED") {
		t.Errorf("symbols beside a writer: %v\n%s", err, out)
	}
}
