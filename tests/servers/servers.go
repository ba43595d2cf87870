package servers

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
)

// The environment variables that this package reads.
const (
	EnvPostgres = "MARKETDATA_TEST_POSTGRES"
	EnvInflux   = "MARKETDATA_TEST_INFLUX"
	EnvRedis    = "MARKETDATA_TEST_REDIS"
	EnvRequire  = "MARKETDATA_REQUIRE_SERVERS"
)

// errNotInstalled is wrapped where a server's program is not found.
var errNotInstalled = errors.New("not installed")

// shared is a server of this process, started once. Its process is held until this process ends.
type shared struct {
	env   string
	start func() (*process, string, error)

	once    sync.Once
	process *process // held: were it collected, its pipe would close and the server stop
	address string
	err     error
}

// The private servers of this test process.
var (
	postgres = shared{env: EnvPostgres, start: startPostgres}
	influx   = shared{env: EnvInflux, start: startInflux}
)

// use returns the server's address, or ends the test.
func (s *shared) use(tb testing.TB) string {
	tb.Helper()
	s.once.Do(func() {
		if s.address = os.Getenv(s.env); s.address == "" {
			s.process, s.address, s.err = s.start()
		}
	})
	if s.err != nil {
		missing(tb, s.env, s.err)
	}

	return s.address
}

// missing skips a test whose server cannot be had, or fails it. A server that is installed and does not start is always a failure.
func missing(tb testing.TB, env string, err error) {
	tb.Helper()
	if !errors.Is(err, errNotInstalled) || os.Getenv(EnvRequire) == "1" {
		tb.Fatalf("no server: %v", err)
	}

	tb.Skipf("no server: %v; install it or set %s", err, env)
}

// Running is servers that StartAll started.
type Running struct {
	Environment []string // the variables that hand them to test binaries
	processes   []*process
}

// StartAll starts one server of each kind that no environment variable names already.
func StartAll() (*Running, error) {
	r := &Running{}
	for _, s := range []struct {
		env   string
		start func() (*process, string, error)
	}{{EnvPostgres, startPostgres}, {EnvInflux, startInflux}, {EnvRedis, startRedis}} {
		if os.Getenv(s.env) != "" {
			continue
		}

		p, address, err := s.start()
		if err != nil {
			return nil, errors.Join(err, r.Stop())
		}

		r.processes = append(r.processes, p)
		r.Environment = append(r.Environment, s.env+"="+address)
	}

	return r, nil
}

// Stop ends the servers and returns when they and their directories are gone.
func (r *Running) Stop() error {
	var errs []error
	for _, p := range r.processes {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// freshName is a database name that no other test has.
func freshName() string { return "test_" + strings.ToLower(rand.Text()) }
