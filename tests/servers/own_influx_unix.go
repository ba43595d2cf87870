//go:build unix

package servers

import (
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// OwnInflux is an InfluxDB 1.8 of one test, which the test may kill. It is for one goroutine.
type OwnInflux struct {
	Address string // host:port

	admin   url.URL
	program program
	process *process
}

// StartInflux starts a server that ends with the test. Like Influx, it skips or fails a test without the program.
func StartInflux(tb testing.TB) *OwnInflux {
	tb.Helper()
	influxd, err := findInfluxd()
	if err != nil {
		skipOrFail(tb, EnvInflux, err)
	}

	data, password := tb.TempDir(), rand.Text()
	s := &OwnInflux{admin: url.URL{Scheme: "http", User: url.UserPassword("admin", password)}}
	s.program = program{
		command: func(_, address string) (*exec.Cmd, error) {
			config := filepath.Join(data, "influxdb.conf")
			return exec.Command(influxd, "-config", config), writeInfluxConfig(config, data, address)
		},
		checkReady: func(address string) error {
			admin := s.admin
			admin.Host = address
			if runInfluxQL(admin.String(), "SHOW DATABASES") == nil { // there is the user already
				return nil
			}

			return createInfluxAdmin(address, password)
		},
	}
	s.process, s.Address, err = s.program.start()
	if err != nil {
		skipOrFail(tb, EnvInflux, err)
	}

	s.admin.Host = s.Address
	tb.Cleanup(func() { s.stop(tb) })

	return s
}

// NewDatabase returns a new, empty database. It is dropped when the test ends.
func (s *OwnInflux) NewDatabase(tb testing.TB) InfluxServer {
	tb.Helper()
	return newInflux1DatabaseAt(tb, s.admin.String())
}

// KillAndRestart kills the server, and starts it with the same address and data. It returns when the server is ready.
func (s *OwnInflux) KillAndRestart(tb testing.TB) {
	tb.Helper()
	pid, err := s.process.pid()
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		tb.Fatalf("kill the server of the test: %v", err)
	}

	s.stop(tb)
	if s.process, err = s.program.startAt(s.Address); err != nil {
		tb.Fatalf("start the server of the test again: %v", err)
	}
}

func (s *OwnInflux) stop(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.stop(); err != nil {
		tb.Errorf("stop the server of the test: %v", err)
	}
	s.process = nil
}

// pid returns the process id of the server.
func (p *process) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "pid"))
	if err != nil {
		return 0, err
	}

	return strconv.Atoi(strings.TrimSpace(string(text)))
}
