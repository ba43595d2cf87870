package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"go/build"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// InfluxServer is a fresh, empty database on an InfluxDB 1.8 server that asks for credentials. The user may do everything.
type InfluxServer struct {
	URL      string // http://host:port
	Username string
	Password string
	Database string
}

// Influx returns a fresh, empty database, dropped when the test ends.
func Influx(tb testing.TB) InfluxServer {
	tb.Helper()
	address := influx.use(tb)
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatalf("%s is not an http:// URL", EnvInflux)
	}

	s := InfluxServer{Username: u.User.Username(), Database: freshName()}
	s.Password, _ = u.User.Password()
	if err := influxQL(address, "CREATE DATABASE "+s.Database); err != nil {
		tb.Fatalf("create a database for the test: %v", err)
	}

	tb.Cleanup(func() {
		if err := influxQL(address, "DROP DATABASE "+s.Database); err != nil {
			tb.Errorf("drop the database of the test: %v", err)
		}
	})
	u.User = nil
	s.URL = u.String()

	return s
}

// influxQL runs a statement as the user in the address.
func influxQL(address, statement string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}

	user := u.User
	u.User, u.Path = nil, "/query"
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	body := bytes.NewBufferString(url.Values{"q": {statement}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return err
	}

	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // leaves no goroutine behind
	response, err := client.Do(request)
	if err != nil {
		return err
	}

	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}

	var decoded struct {
		Error   string
		Results []struct{ Error string }
	}
	if err := json.Unmarshal(answer, &decoded); err != nil {
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
	influxd, err := influxBin()
	if err != nil {
		return nil, "", err
	}

	password := rand.Text()
	p, address, err := run(nil, func(dir, address string) (*exec.Cmd, error) {
		config := filepath.Join(dir, "influxdb.conf")
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
  flux-enabled = true
  log-enabled = false
`, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address)

		return exec.Command(influxd, "-config", config), os.WriteFile(config, []byte(text), 0o600)
	}, func(address string) error { // without a user, the server lets anyone make the first
		return influxQL("http://"+address, "CREATE USER admin WITH PASSWORD '"+password+"' WITH ALL PRIVILEGES")
	})
	u := url.URL{Scheme: "http", User: url.UserPassword("admin", password), Host: address}

	return p, u.String(), err
}

func influxBin() (string, error) {
	if path, err := exec.LookPath("influxd"); err == nil {
		return path, nil
	}

	for _, dir := range []string{os.Getenv("GOBIN"), filepath.Join(build.Default.GOPATH, "bin")} {
		path := filepath.Join(dir, "influxd")
		if _, err := os.Stat(path); dir != "" && err == nil {
			return path, nil
		}
	}

	return "", fmt.Errorf("influxd: %w (go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10)", errNotInstalled)
}
