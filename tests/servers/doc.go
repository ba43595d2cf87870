// Package servers starts real PostgreSQL, InfluxDB 1.8 and Redis servers for tests: one private server of each kind per
// test process, on a free loopback port and in a temporary directory, and a new database for each test. Production code
// must not import it.
//
// A server is, in this order:
//
//   - the running server that an environment variable names, which is not stopped: MARKETDATA_TEST_POSTGRES (the DSN of
//     a user who may create databases), MARKETDATA_TEST_INFLUX (http://user:password@host:port of an administrator) or
//     MARKETDATA_TEST_REDIS (a redis:// URL);
//   - an installed program that this package starts: postgres in PATH or /usr/lib/postgresql, influxd in PATH, GOBIN or
//     GOPATH/bin, redis-server in PATH. Root starts PostgreSQL as the user postgres, because PostgreSQL refuses to run
//     as root.
//
// MARKETDATA_TEST_INFLUX2 is the path of an influxd of InfluxDB 2, which replaces InfluxDB 1.8 in every test. `make
// test-influx2` builds one.
//
// If there is neither, the test is skipped with the reason, or fails if MARKETDATA_REQUIRE_SERVERS is 1.
//
// The command in cmd/with-servers starts one server of each kind, sets the variables and runs a command, so that many
// test binaries share servers:
//
//	go run ./tests/servers/cmd/with-servers go test ./...
//
// Package migrated, below this one, returns databases with the tables of the PostgreSQL store.
//
// # Lifetime
//
// A private server runs under a supervising shell, which waits for the end of a pipe that the starting process holds
// open:
//
//	test process ── pipe ──> shell ──> server
//
// When the process ends in any way, even by SIGKILL, the kernel closes the pipe. The shell then stops the server and
// removes its directory.
package servers
