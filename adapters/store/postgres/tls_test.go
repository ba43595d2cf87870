package postgres_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/certs"
	"github.com/gal-friday/marketdata/tests/servers"
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

// TestTLS opens a server with TLS as clients with right and wrong certificates.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	ours, other := certs.NewAuthority(t), certs.NewAuthority(t)
	later := time.Now().Add(time.Hour)
	good := ours.Issue(t, "127.0.0.1", later)
	const rules = "hostssl all certified 127.0.0.1/32 cert\nhostnossl all certified 127.0.0.1/32 md5"
	server.EnableTLS(t, good.Cert, good.Key, ours.PEM, rules)
	if err := exec(t.Context(), server.DSN, "CREATE ROLE certified LOGIN PASSWORD '"+tlsCanary+"'"); err != nil {
		t.Fatal(err)
	}

	root, otherRoot := certs.File(t, ours.PEM), certs.File(t, other.PEM)
	client := func(pair certs.Pair) string {
		return "&sslcert=" + certs.File(t, pair.Cert) + "&sslkey=" + certs.File(t, pair.Key)
	}
	certified, forged := ours.Issue(t, "certified", later), other.Issue(t, "certified", later)
	expired := ours.Issue(t, "certified", time.Now().Add(-time.Hour))
	open := func(host, parameters string) error {
		dsn := "postgres://certified:" + tlsCanary + "@" + host + "/postgres?" + parameters
		_, closeStore, err := postgres.Open(t.Context(), postgres.Config{
			DSN: secret.New(dsn), RequireTLS: true, MaxConns: 2, AcquireTimeout: 5 * time.Second, ConnectTimeout: 5 * time.Second,
		})
		if err == nil {
			closeStore()
		}

		return err
	}

	_, port, err := net.SplitHostPort(server.Address)
	if err != nil {
		t.Fatal(err)
	}

	trusted := "sslmode=verify-full&sslrootcert=" + root
	for name, c := range map[string]struct {
		host, parameters string
		kind             error
	}{
		"right":               {server.Address, trusted + client(certified), nil},
		"no_certificate":      {server.Address, trusted, ports.ErrAuth},
		"another_user":        {server.Address, trusted + client(ours.Issue(t, "somebody", later)), ports.ErrAuth},
		"forged_certificate":  {server.Address, trusted + client(forged), ports.ErrAuth},
		"expired_certificate": {server.Address, trusted + client(expired), ports.ErrAuth},
		"wrong_authority":     {server.Address, "sslmode=verify-full&sslrootcert=" + otherRoot + client(certified), ports.ErrAuth},
		"wrong_host":          {"localhost:" + port, trusted + client(certified), ports.ErrAuth},
		"system_authorities":  {server.Address, "sslmode=verify-full" + client(certified), ports.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // because the reason may come before or after the client sends
				wantTLSError(t, open(c.host, c.parameters), c.kind)
			}
		})
	}

	late := ours.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour))
	server.EnableTLS(t, late.Cert, late.Key, ours.PEM, rules)
	err = open(server.Address, trusted+client(certified))
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); { // until it is loaded
		err = open(server.Address, trusted+client(certified))
	}
	wantTLSError(t, err, ports.ErrAuth)
}

// TestTLSDowngrade opens a server that says it has no TLS, and then asks for the password. A client that requires TLS
// sends nothing after its question.
func TestTLSDowngrade(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			served.Go(func() {
				defer conn.Close()
				_, _ = io.ReadFull(conn, make([]byte, 8))                            // SSLRequest
				_, _ = conn.Write([]byte("N" + "R\x00\x00\x00\x08\x00\x00\x00\x03")) // no TLS; a password in plain text
				if rest, _ := io.ReadAll(conn); len(rest) > 0 {                      // an error is that of the client's close
					t.Errorf("got %q without TLS", rest)
				}
			})
		}
	})
	for _, mode := range []string{"require", "verify-ca", "verify-full"} {
		_, _, err := postgres.Open(t.Context(), postgres.Config{
			DSN:        secret.New("postgres://u:" + tlsCanary + "@" + listener.Addr().String() + "/db?sslmode=" + mode),
			RequireTLS: true,
		})
		wantTLSError(t, err, ports.ErrAuth)
	}
	_ = listener.Close()
	served.Wait()
}

const tlsCanary = "canary-77aa"

// wantTLSError checks the kind of an error, nil for none, and that it has no secret.
func wantTLSError(t *testing.T, err, kind error) {
	t.Helper()
	if (err == nil) != (kind == nil) || kind != nil && !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	if err != nil && strings.Contains(err.Error(), tlsCanary) {
		t.Errorf("the error has the secret: %v", err)
	}
}
