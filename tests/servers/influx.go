package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"go/build"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// InfluxServer is a new, empty database on an InfluxDB with authentication: 1.8, or 2 if EnvInflux2 names its program.
// The token is an administrator's.
type InfluxServer struct {
	URL         string // http://host:port
	Token       string // user:password on 1.8
	Org, Bucket string // "" on 1.8
	Database    string

	server influxDatabase
}

// influxDatabase administers a database. Each version of InfluxDB has an implementation.
type influxDatabase interface {
	newToken(tb testing.TB, mayRead bool) string
	setRetention(tb testing.TB, retention time.Duration)
}

// Influx returns a new, empty database. It is dropped when the test ends.
func Influx(tb testing.TB) InfluxServer {
	tb.Helper()
	if os.Getenv(EnvInflux2) != "" {
		return newInflux2Database(tb)
	}

	return newInflux1Database(tb)
}

// NewToken returns the token of a user who may read the database and do nothing else, or who may do nothing. The user
// is dropped when the test ends.
func (s InfluxServer) NewToken(tb testing.TB, mayRead bool) string {
	tb.Helper()
	return s.server.newToken(tb, mayRead)
}

// SetRetention makes the default retention policy of the database, or its bucket, drop older rows. 0 keeps every row.
func (s InfluxServer) SetRetention(tb testing.TB, retention time.Duration) {
	tb.Helper()
	s.server.setRetention(tb, retention)
}

// influx1Database is a database of InfluxDB 1.8.
type influx1Database struct{ address, name string }

func newInflux1Database(tb testing.TB) InfluxServer {
	tb.Helper()
	return newInflux1DatabaseAt(tb, influx.address(tb))
}

// newInflux1DatabaseAt returns a new database of the server at an address that contains an administrator.
func newInflux1DatabaseAt(tb testing.TB, address string) InfluxServer {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatalf("%s is not an http:// URL", EnvInflux)
	}

	d := influx1Database{address: address, name: newDatabaseName()}
	d.run(tb, "CREATE DATABASE "+d.name)
	tb.Cleanup(func() { d.run(tb, "DROP DATABASE "+d.name) })
	password, _ := u.User.Password()
	s := InfluxServer{Token: u.User.Username() + ":" + password, Database: d.name, server: d}
	u.User = nil
	s.URL = u.String()

	return s
}

func (d influx1Database) newToken(tb testing.TB, mayRead bool) string {
	tb.Helper()
	name := "user_" + newDatabaseName()
	d.run(tb, "CREATE USER "+name+" WITH PASSWORD 'secret'")
	tb.Cleanup(func() { d.run(tb, "DROP USER "+name) })
	if mayRead {
		d.run(tb, "GRANT READ ON "+d.name+" TO "+name)
	}

	return name + ":secret"
}

func (d influx1Database) setRetention(tb testing.TB, retention time.Duration) {
	tb.Helper()
	d.run(tb, fmt.Sprintf("ALTER RETENTION POLICY autogen ON %s DURATION %ds SHARD DURATION 1h",
		d.name, int(retention.Seconds())))
}

// run runs a statement as an administrator.
func (d influx1Database) run(tb testing.TB, statement string) {
	tb.Helper()
	if err := runInfluxQL(d.address, statement); err != nil {
		tb.Errorf("%s: %v", statement, err)
	}
}

// runInfluxQL runs a statement as the user in the address.
func runInfluxQL(address, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	request, err := newInfluxRequest(ctx, address, statement)
	if err != nil {
		return err
	}

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // leaves no goroutine running
	response, err := client.Do(request)
	if err != nil {
		return err
	}

	defer response.Body.Close()

	return checkInfluxResponse(response)
}

func newInfluxRequest(ctx context.Context, address, statement string) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}

	user := u.User
	u.User, u.Path = nil, "/query"
	body := bytes.NewBufferString(url.Values{"q": {statement}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return nil, err
	}

	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}

	return request, nil
}

// checkInfluxResponse returns the errors in a response, which may have the status 200.
func checkInfluxResponse(response *http.Response) error {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}

	var decoded struct {
		Error   string
		Results []struct{ Error string }
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}

	for _, r := range decoded.Results {
		decoded.Error += r.Error
	}
	if response.StatusCode != http.StatusOK || decoded.Error != "" {
		return fmt.Errorf("%s: %s", response.Status, decoded.Error)
	}

	return nil
}

func startInflux() (*process, string, error) {
	influxd, err := findInfluxd()
	if err != nil {
		return nil, "", err
	}

	password := rand.Text()
	p, address, err := program{
		command: func(dir, address string) (*exec.Cmd, error) {
			config := filepath.Join(dir, "influxdb.conf")
			return exec.Command(influxd, "-config", config), writeInfluxConfig(config, dir, address)
		},
		checkReady: func(address string) error { return createInfluxAdmin(address, password) },
	}.start()
	u := url.URL{Scheme: "http", User: url.UserPassword("admin", password), Host: address}

	return p, u.String(), err
}

// createInfluxAdmin creates the user admin. A server without users lets anyone create the first one.
func createInfluxAdmin(address, password string) error {
	return runInfluxQL("http://"+address, "CREATE USER admin WITH PASSWORD '"+password+"' WITH ALL PRIVILEGES")
}

func writeInfluxConfig(path, dir, address string) error {
	text := fmt.Sprintf(`reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = %q
[data]
  dir = %q
  wal-dir = %q
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = %q
  auth-enabled = true
  ping-auth-enabled = true
  pprof-auth-enabled = true
  flux-enabled = %t
  log-enabled = false
`, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address, isBenchmark())

	return os.WriteFile(path, []byte(text), 0o600)
}

// isBenchmark reports whether the process runs benchmarks. Only a benchmark compares with Flux, whose library takes influxd
// seconds to load.
func isBenchmark() bool {
	f := flag.Lookup("test.bench")
	return f != nil && f.Value.String() != ""
}

// findInfluxd returns the path of influxd.
func findInfluxd() (string, error) {
	if path, err := exec.LookPath("influxd"); err == nil {
		return path, nil
	}

	for _, dir := range []string{os.Getenv("GOBIN"), filepath.Join(build.Default.GOPATH, "bin")} {
		path := filepath.Join(dir, "influxd")
		if _, err := os.Stat(path); dir != "" && err == nil {
			return path, nil
		}
	}

	const install = "go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10"

	return "", fmt.Errorf("influxd: %w (%s)", errNotInstalled, install)
}
