package postgres_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports"
)

// TestPlaintextToAnotherHost tells by the DSN alone whether a connection may be without TLS: it is a warning of a
// diagnosis, and an error where TLS is required, before any connection.
func TestPlaintextToAnotherHost(t *testing.T) {
	t.Parallel()
	for dsn, warns := range map[string]bool{
		"postgres://trader@db.invalid/market":                                         true, // prefer is the default
		"postgres://trader@db.invalid/market?sslmode=prefer":                          true,
		"postgres://trader@db.invalid/market?sslmode=allow":                           true,
		"postgres://trader@db.invalid/market?sslmode=disable":                         true,
		"postgres://trader@db.invalid/market?sslmode=require":                         false,
		"postgres://trader@db.invalid/market?sslmode=verify-full":                     false,
		"postgres://trader@127.0.0.1,db.invalid/market?sslmode=disable":               true,
		"postgres://trader@localhost,127.0.0.1,[::1]/market?sslmode=disable":          false,
		"host=/var/run/postgresql user=trader dbname=market":                          false,
		"host=/var/run/postgresql,db.invalid user=trader dbname=market sslmode=allow": true,
	} {
		pool, err := pgxpool.New(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}

		defer pool.Close()
		s, closeStore, err := postgres.New(pool, postgres.Config{})
		if err != nil {
			t.Fatal(err)
		}

		defer closeStore()
		problems, err := s.Problems(t.Context())
		if err != nil || len(problems) > 0 != warns {
			t.Errorf("%s: got the problems %+v, %v", dsn, problems, err)
		}
		if !warns {
			continue
		}

		var log bytes.Buffer
		cfg := postgres.Config{DSN: secret.New(dsn), RequireTLS: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		_, _, openErr := postgres.Open(t.Context(), cfg)
		_, _, poolErr := postgres.OpenPool(t.Context(), pool, cfg)
		for _, err := range []error{openErr, poolErr} {
			if e := wantKind(t, err, ports.ErrInvalid); !strings.Contains(e.Error(), "sslmode=verify-full") {
				t.Errorf("%s: no remedy in %v", dsn, e)
			}
		}

		cfg.RequireTLS = false
		_, _, _ = postgres.OpenPool(t.Context(), pool, cfg) // nothing listens
		if !strings.Contains(log.String(), "the connection may not be encrypted") {
			t.Errorf("%s: logged %s", dsn, &log)
		}
	}
}
