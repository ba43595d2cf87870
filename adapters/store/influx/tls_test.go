package influx_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/certs"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestPlaintextToAnotherHost opens stores that do not connect. http:// to another host is a warning of the log and of a
// diagnosis, and an error where TLS is required.
func TestPlaintextToAnotherHost(t *testing.T) {
	t.Parallel()
	for url, warns := range map[string]bool{
		"http://db.invalid:8086": true, "https://db.invalid:8086": false, "http://localhost:8086": false,
		"http://[::1]:8086": false, "http://10.1.2.3": true,
	} {
		var log bytes.Buffer
		cfg := influx.Config{URL: url, Lazy: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s, closeStore, err := influx.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}

		defer closeStore()
		problems, err := s.Problems(t.Context())
		if err != nil || len(problems) > 0 != warns || log.Len() > 0 != warns {
			t.Errorf("%s: got the problems %+v, %v; logged %s", url, problems, err, &log)
		}

		cfg.RequireTLS = true
		_, closeStore, err = influx.Open(t.Context(), cfg)
		if err == nil {
			defer closeStore()
		}
		if warns != errors.Is(err, ports.ErrInvalid) || err != nil && !strings.Contains(err.Error(), "use an https:// URL") {
			t.Errorf("%s, TLS required: got %v", url, err)
		}
	}
}

// TestTLS opens the real server behind a proxy with TLS, as clients with right and wrong certificates. A refused
// handshake is not tried again.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	target := strings.TrimPrefix(server.URL, "http://")
	for name, c := range certs.Cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := certs.NewProxy(t, c.Server, target)
			cfg := influx.Config{
				URL: "https://" + proxy.Address, Token: secret.New(server.Token), Database: server.Database,
				Org: server.Org, Bucket: server.Bucket,
				CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, RequireTLS: true,
			}
			_, closeStore, err := influx.Open(t.Context(), cfg)
			if err == nil {
				closeStore()
			}
			if (err != nil) != c.IsRefused || err != nil && !errors.Is(err, ports.ErrAuth) {
				t.Errorf("got %v, want a refusal: %t", err, c.IsRefused)
			}
			if err != nil && strings.Contains(err.Error(), server.Token) {
				t.Errorf("the error has the token: %v", err)
			}
			if n := proxy.Connections(); err != nil && n != 1 {
				t.Errorf("%d handshakes, want 1", n)
			}
		})
	}
}
