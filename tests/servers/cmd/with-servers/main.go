// Command with-servers starts a private PostgreSQL, InfluxDB and Redis, runs a command with the environment variables
// that name them to tests, and stops them. Its exit status is that of the command. The temporary files of servers and
// tests are kept in memory where there is room.
//
//	go run ./tests/servers/cmd/with-servers go test ./...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/gal-friday/marketdata/tests/servers"
)

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-servers:", err)
	}
	os.Exit(status)
}

// run runs the command and returns its exit status.
func run(args []string) (status int, err error) {
	if len(args) == 0 {
		return 2, errors.New("no command; usage: with-servers COMMAND [ARGUMENT ...]")
	}

	if err := keepFilesInMemory(); err != nil {
		return 1, err
	}

	group, err := servers.StartAll()
	if err != nil {
		return 1, err
	}

	command := exec.Command(args[0], args[1:]...)
	command.Env = append(os.Environ(), group.Environment...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status, err = exit.ExitCode(), nil
	case err != nil:
		status = 1
	}

	if stopErr := group.Stop(); stopErr != nil {
		status, err = max(status, 1), errors.Join(err, stopErr)
	}

	return status, err
}

// keepFilesInMemory has servers and tests make their temporary files in memory, because a database of a test is some
// 300 small files, which are slow on a disk. A caller's own TMPDIR stays, and so do builds, which are large.
func keepFilesInMemory() error {
	dir := memoryDir()
	if dir == "" || os.Getenv("TMPDIR") != "" {
		return nil
	}

	var err error
	if os.Getenv("GOTMPDIR") == "" {
		err = os.Setenv("GOTMPDIR", os.TempDir())
	}

	return errors.Join(err, os.Setenv("TMPDIR", dir))
}
