//go:build unix

package servers

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// OwnPostgres is a PostgreSQL server of one test, which the test may suspend and restart. It is for one goroutine.
type OwnPostgres struct {
	DSN     string // of a superuser
	Address string // host:port

	data      string // its directory
	program   program
	process   *process
	suspended []int // process ids
}

// StartPostgres starts a server that ends with the test. Like Postgres, it skips or fails a test without the program.
func StartPostgres(tb testing.TB) *OwnPostgres {
	tb.Helper()
	s := &OwnPostgres{}
	if err := s.start(tb); err != nil {
		skipOrFail(tb, EnvPostgres, err)
	}

	return s
}

func (s *OwnPostgres) start(tb testing.TB) error {
	bin, err := findPostgres()
	if err != nil {
		return err
	}

	runAs, err := postgresAccount()
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "marketdata-postgres-") //nolint:usetesting // another account cannot enter a TempDir
	if err != nil {
		return err
	}

	tb.Cleanup(func() {
		s.stop(tb)
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove the files of the server: %v", err)
		}
	})
	if runAs != nil {
		if err := os.Chown(dir, runAs.uid, runAs.gid); err != nil {
			return err
		}
	}

	password := rand.Text()
	data, err := initPostgres(bin, dir, password, runAs)
	if err != nil {
		return err
	}

	s.data = data
	dsn := func(address string) string { return postgresDSN(address, password) }
	s.program = program{
		account: runAs,
		command: func(_, address string) (*exec.Cmd, error) {
			command, err := postgresCommand(bin, data, address)
			if err == nil { // a crash must not lose what was committed; the last of two settings counts
				command.Args = append(command.Args, "-c", "synchronous_commit=on")
			}

			return command, err
		},
		checkReady: func(address string) error { return execSQL(dsn(address), "SELECT 1") },
	}
	s.process, s.Address, err = s.program.start()
	s.DSN = dsn(s.Address)

	return err
}

// Restart stops the server and starts it with the same address and data. The signal is SIGINT for a fast shutdown, and
// SIGQUIT for an immediate one or SIGKILL for a crash, after which the server recovers. It returns when the server is
// ready.
func (s *OwnPostgres) Restart(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	pid, err := s.process.pid()
	if err == nil {
		err = syscall.Kill(pid, signal)
	}
	if err != nil {
		tb.Fatalf("stop the server of the test: %v", err)
	}

	s.stop(tb)
	// After SIGKILL, the server does not start before the last of its processes has noticed.
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(pollInterval) {
		s.process, err = s.program.startAt(s.Address)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("start the server of the test again: %v", err)
		}
	}
}

// Suspend stops every process of the server with SIGSTOP: connections are accepted and nothing is answered.
func (s *OwnPostgres) Suspend(tb testing.TB) {
	tb.Helper()
	pid, err := s.process.pid()
	if err != nil {
		tb.Fatal(err)
	}

	conn, err := pgx.Connect(tb.Context(), s.DSN)
	if err != nil {
		tb.Fatalf("list the processes of the server: %v", err)
	}

	defer conn.Close(tb.Context())
	rows, err := conn.Query(tb.Context(), "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
	if err != nil {
		tb.Fatal(err)
	}

	children, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		tb.Fatal(err)
	}

	// The postmaster is the first, so that no process is started meanwhile.
	for _, pid := range append([]int{pid}, children...) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Fatalf("suspend a process of the server: %v", err)
		}

		s.suspended = append(s.suspended, pid)
	}
}

// Resume continues a suspended server.
func (s *OwnPostgres) Resume(tb testing.TB) {
	tb.Helper()
	for _, pid := range s.suspended {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Errorf("resume a process of the server: %v", err)
		}
	}
	s.suspended = nil
}

// EnableTLS gives the server a certificate, its key and the authority of clients, all in PEM, and the access rules
// (pg_hba.conf). It keeps the rule that lets the superuser in by password.
func (s *OwnPostgres) EnableTLS(tb testing.TB, cert, key, clientCA []byte, rules string) {
	tb.Helper()
	for name, text := range map[string][]byte{
		"server.crt": cert, "server.key": key, "client_ca.crt": clientCA,
		"pg_hba.conf": []byte(rules + "\nhost all postgres 127.0.0.1/32 md5\n"),
	} {
		path := filepath.Join(s.data, name)
		err := os.WriteFile(path, text, 0o600)
		if err == nil && s.program.account != nil {
			err = os.Chown(path, s.program.account.uid, s.program.account.gid)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}

	for _, sql := range []string{
		"ALTER SYSTEM SET ssl_ca_file = 'client_ca.crt'", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()",
	} {
		if err := execSQL(s.DSN, sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
}

// stop stops the server and waits for its end.
func (s *OwnPostgres) stop(tb testing.TB) {
	tb.Helper()
	s.Resume(tb)
	if s.process == nil {
		return
	}
	if err := s.process.stop(); err != nil {
		tb.Errorf("stop the server of the test: %v", err)
	}
	s.process = nil
}
