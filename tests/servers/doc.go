// Package servers brings real PostgreSQL, InfluxDB 1.8 and Redis servers to tests: a private one a test process, started at its first
// use on a free loopback port and in a temporary directory, and a fresh database a test. Product code never imports it.
//
// Where a server comes from, in this order:
//
//   - MARKETDATA_TEST_POSTGRES (a DSN of a user who may create databases), MARKETDATA_TEST_INFLUX (http://user:password@host:port of
//     an administrator) and MARKETDATA_TEST_REDIS (a redis:// URL) name running ones, which are used and not stopped;
//   - else installed programs are started: postgres of PATH or of /usr/lib/postgresql, influxd of PATH, GOBIN or GOPATH/bin,
//     redis-server of PATH. PostgreSQL refuses to run as root, so root starts it as the user postgres;
//   - else the test is skipped with the reason, or fails where MARKETDATA_REQUIRE_SERVERS=1.
//
// The command in cmd/with-servers starts one of each, sets the variables and runs a command with them, so that many test binaries
// share servers:
//
//	go run ./tests/servers/cmd/with-servers go test ./...
//
// A private server lives under a supervising shell that waits for the end of a pipe held open by the process that started it. However
// that process ends, even by SIGKILL, the kernel closes the pipe, and the shell stops the server and removes its directory.
package servers
