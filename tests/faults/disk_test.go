//go:build unix

package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file"
)

// TestImportOnAFullDisk proves that SQLite's file has exactly the acknowledged bars after a write failed because there
// was no space, that the error says so, and that the same import succeeds once there is space.
func TestImportOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := newImportFile(t, 2*file.DefaultBatchBars)
	for name, c := range map[string]struct {
		want string
		wrap func(t *testing.T, dir string, command *exec.Cmd) *exec.Cmd
	}{
		"X5/sqlite/limit": {"a write to the file failed", limitFiles},
		"X5/sqlite/full":  {"the disk is full", onSmallDisk},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := f.newSQLiteJob(filepath.Join(dir, "market.db"))
			run := j.start(t, c.wrap(t, dir, j.importer(t)))
			code, text := j.end(t, run), run.errors.String()
			if strings.Contains(text, noMount) {
				t.Skip("this system mounts no file system for a test")
			}
			if code != exitUnavailable || !strings.Contains(text, c.want) || j.acked == 0 || j.acked == j.bars {
				t.Fatalf("exit code %d, %d of %d bars acknowledged: %s", code, j.acked, j.bars, text)
			}

			j.verify(t)
			if j.stored[imported[0]] != j.acked {
				t.Errorf("%d bars are stored, %d were acknowledged", j.stored[imported[0]], j.acked)
			}
			j.finish(t)
		})
	}
}

const (
	smallDisk = 600 // kilobytes, fewer than the import needs
	noMount   = "no file system was mounted"
)

// limitFiles makes a write fail that would make a file larger than the disk of onSmallDisk.
func limitFiles(t *testing.T, _ string, command *exec.Cmd) *exec.Cmd {
	t.Helper()
	const blocks = 1024 / 512 // of ulimit -f, in a kilobyte
	return inShell(t, command, fmt.Sprintf(`ulimit -f %d && exec "$@"`, smallDisk*blocks), "sh")
}

// onSmallDisk runs the command with dir on a file system of its own, in a mount namespace that ends with it, and then
// copies the files out.
func onSmallDisk(t *testing.T, dir string, command *exec.Cmd) *exec.Cmd {
	t.Helper()
	const script = `
mount --bind "$DIR" "$SAVED" && mount -t tmpfs -o "size=${SIZE}k" none "$DIR" || { echo "$NO_MOUNT" >&2; exit 9; }
"$@"
code=$?
cp "$DIR"/* "$SAVED"
exit $code`
	c := inShell(t, command, script, "unshare", "--map-root-user", "--mount", "sh")
	c.Env = append(c.Env, "DIR="+dir, "SAVED="+t.TempDir(), "PATH="+os.Getenv("PATH"), fmt.Sprint("SIZE=", smallDisk),
		"NO_MOUNT="+noMount)

	return c
}

// inShell returns a command that runs a script, by a shell, with the command as its arguments.
func inShell(t *testing.T, command *exec.Cmd, script string, shell ...string) *exec.Cmd {
	t.Helper()
	args := slices.Concat(shell[1:], []string{"-c", script, "sh", command.Path}, command.Args[1:])
	c := exec.CommandContext(t.Context(), shell[0], args...)
	c.Env = command.Env

	return c
}
