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
	EnvInflux2  = "MARKETDATA_TEST_INFLUX2"
	EnvRedis    = "MARKETDATA_TEST_REDIS"
	EnvRequire  = "MARKETDATA_REQUIRE_SERVERS"
	EnvPrivate  = "MARKETDATA_TEST_PRIVATE" // 1 if StartAll started PostgreSQL: tests may leave databases there
)

// errNotInstalled is wrapped by the error for a server whose program is not found.
var errNotInstalled = errors.New("not installed")

// sharedServer is a server that all tests of this process share. It is started at most once.
type sharedServer struct {
	env   string // the variable that names a running server; "" if none can
	start func() (*process, string, error)

	once    sync.Once
	process *process // keeps the pipe open: a collected process would close it and stop the server
	dsn     string
	err     error
}

// The shared servers of this test process.
var (
	postgres = sharedServer{env: EnvPostgres, start: startPostgres}
	influx   = sharedServer{env: EnvInflux, start: startInflux}
	influx2  = sharedServer{start: startInflux2}
)

// address returns the URL of the server with its credentials. It skips the test, or fails it, if there is no server.
func (s *sharedServer) address(tb testing.TB) string {
	tb.Helper()
	s.once.Do(func() {
		if s.dsn = os.Getenv(s.env); s.dsn == "" {
			s.process, s.dsn, s.err = s.start()
		}
	})
	if s.err != nil {
		skipOrFail(tb, s.env, s.err)
	}

	return s.dsn
}

// private reports whether the server ends with the tests, so that they may leave data there.
func (s *sharedServer) private(tb testing.TB) bool {
	tb.Helper()
	s.address(tb)
	return s.process != nil || os.Getenv(EnvPrivate) == "1"
}

// skipOrFail skips the test if the server is not installed, unless EnvRequire is 1. Otherwise it fails the test.
func skipOrFail(tb testing.TB, env string, err error) {
	tb.Helper()
	if !errors.Is(err, errNotInstalled) || os.Getenv(EnvRequire) == "1" {
		tb.Fatalf("no server: %v", err)
	}

	tb.Skipf("no server: %v; install it or set %s", err, env)
}

// Group is a group of servers that StartAll started.
type Group struct {
	Environment []string // the variables that name the servers to test binaries
	processes   []*process
}

// StartAll starts one server of each kind that no environment variable names. It starts no InfluxDB if EnvInflux2 names
// a program, because each test process starts that itself. The caller must call Stop.
func StartAll() (*Group, error) {
	g := &Group{}
	for _, s := range []struct {
		env   string
		start func() (*process, string, error)
	}{{EnvPostgres, startPostgres}, {EnvInflux, startInflux}, {EnvRedis, startRedis}} {
		if os.Getenv(s.env) != "" || s.env == EnvInflux && os.Getenv(EnvInflux2) != "" {
			continue
		}

		p, address, err := s.start()
		if err != nil {
			return nil, errors.Join(err, g.Stop())
		}

		g.processes = append(g.processes, p)
		g.Environment = append(g.Environment, s.env+"="+address)
		if s.env == EnvPostgres {
			g.Environment = append(g.Environment, EnvPrivate+"=1")
		}
	}

	return g, nil
}

// Stop stops the servers. It returns when they have ended and their directories are removed.
func (g *Group) Stop() error {
	var errs []error
	for _, p := range g.processes {
		errs = append(errs, p.stop())
	}

	return errors.Join(errs...)
}

// newDatabaseName returns a database name that no other test uses.
func newDatabaseName() string { return "test_" + strings.ToLower(rand.Text()) }
