package redis_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/certs"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestPlaintextToAnotherHost opens caches that do not connect. redis:// to another host is a warning of the log and of a
// diagnosis, and an error where TLS is required.
func TestPlaintextToAnotherHost(t *testing.T) {
	t.Parallel()
	for url, warns := range map[string]bool{
		"redis://u:secret@cache.invalid": true, "rediss://u:secret@cache.invalid": false, "redis://localhost": false,
		"redis://[::1]:6379/1": false, "redis://10.1.2.3:6379": true,
	} {
		var log bytes.Buffer
		cfg := redis.Config{URL: secret.New(url), Key: secret.New(macKey), Logger: slog.New(slog.NewTextHandler(&log, nil))}
		c, closeCache, err := redis.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}

		defer closeCache()
		problems, err := c.Problems(t.Context())
		if err != nil || len(problems) > 0 != warns || log.Len() > 0 != warns || strings.Contains(log.String(), "secret") {
			t.Errorf("%s: got the problems %+v, %v; logged %s", url, problems, err, &log)
		}

		cfg.RequireTLS = true
		_, closeCache, err = redis.Open(cfg)
		if err == nil {
			defer closeCache()
		}
		if warns != errors.Is(err, domain.ErrInvalid) || err != nil && !strings.Contains(err.Error(), "use a rediss:// URL") {
			t.Errorf("%s, TLS required: got %v", url, err)
		}
	}
}

// TestTLS checks the real server behind a proxy with TLS, as clients with right and wrong certificates. A refused
// handshake is not tried again, apart from the second connection that go-redis makes for a pipeline.
func TestTLS(t *testing.T) {
	t.Parallel()
	target, err := goredis.ParseURL(servers.Redis(t))
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range certs.Cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := certs.NewProxy(t, c.Server, target.Addr)
			cfg := redis.Config{
				URL: secret.New("rediss://" + proxy.Address), Key: secret.New(macKey), Timeout: patient,
				CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, RequireTLS: true,
			}
			cache, closeCache, err := redis.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}

			defer closeCache()
			if err := cache.Check(t.Context()); (err != nil) != c.IsRefused || err != nil && !errors.Is(err, ports.ErrAuth) {
				t.Errorf("got %v, want a refusal: %t", err, c.IsRefused)
			} else if n := proxy.Connections(); err != nil && n > 2 {
				t.Errorf("%d handshakes, want 2 at most", n)
			}
		})
	}
}

// TestTLSWithoutTLS connects with TLS to a server that has none.
func TestTLSWithoutTLS(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			_, _ = io.WriteString(conn, "-ERR Protocol error\r\n")
			_ = conn.Close()
		}
	}()

	c := openCache(t, redis.Config{URL: secret.New("rediss://" + listener.Addr().String()), Timeout: patient})
	if err := c.Check(t.Context()); !errors.Is(err, ports.ErrAuth) {
		t.Errorf("got %v", err)
	}
}
