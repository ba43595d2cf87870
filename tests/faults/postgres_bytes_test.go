//go:build unix

package faults_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring/production"
)

// manyBars are so many that their answer is several packets long.
var manyBars = gen.Walk("E/F", 300)

// TestPostgresBytes proves P9 and P10: an answer that is cut at any byte, or in which any bit is flipped, is an error or
// the bars. On a connection without TLS, a flipped bit that the checksums of the network miss may change the bars, and
// nothing can notice: the protocol of PostgreSQL has no checksum.
func TestPostgresBytes(t *testing.T) {
	server := servers.StartPostgres(t)
	enableTLS(t, server.DSN)
	for _, mode := range []string{"disable", "require"} {
		for _, isCached := range []bool{false, true} {
			proxy := faults.NewProxy(t, server.Address)
			cfg := pgConfig(withTLS(t, withHost(t, server.DSN, proxy.Address), mode))
			cfg.Cache.Disabled = !isCached
			cfg.Postgres.MaxConns = 1
			md, closeAll, err := production.Open(t.Context(), cfg, production.Options{})
			if err != nil {
				t.Fatal(err)
			}

			t.Cleanup(closeAll)
			if _, err := md.Ingest(t.Context(), manyBars, domain.Range{}, ports.ConflictFail); err != nil {
				t.Fatal(err)
			}

			name := map[bool]string{false: "/cold/sslmode=", true: "/warm/sslmode="}[isCached] + mode
			t.Run("P9"+name, func(t *testing.T) {
				testEveryByte(t, md, proxy, proxy.LimitResponses, func(altered int, err error) bool {
					return altered == 0 && isOutage(err)
				})
			})
			t.Run("P10"+name, func(t *testing.T) {
				testEveryByte(t, md, proxy, proxy.FlipResponses, func(altered int, err error) bool {
					return (altered == 0 || mode == "disable") && !errors.Is(err, ports.ErrNotFound)
				})
			})
		}
	}
}

// testEveryByte reads on new connections, each of which breaks at another byte. An answer has the bars of the store, or
// isAllowed reports whether it may have others, or an error.
func testEveryByte(
	t *testing.T, md *app.Service, proxy *faults.Proxy, breakAt func(int64), isAllowed func(altered int, err error) bool,
) {
	t.Helper()
	defer breakAt(-1)
	const last = 40_000 // more than a connection and the answer have
	step := 1
	if !effort.IsDeep() {
		step = 600
	}
	failed, altered := 0, 0
	for offset := rand.N(step); offset < last; offset += step {
		breakAt(int64(offset))
		proxy.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		began := time.Now()
		result, err := md.Fetch(ctx, domain.DataRequest{
			Key: manyBars.Key(), Start: manyBars.Range().Start, End: manyBars.Range().End, Fresh: true,
		})
		took := time.Since(began)
		cancel()
		switch n := result.Series.Len(); {
		case took > 2*time.Second+grace+slack:
			t.Errorf("byte %d: returned after %s", offset, took)
		case err != nil:
			failed++
			if n > 0 || !isAllowed(0, err) {
				t.Errorf("byte %d: %d bars, %v", offset, n, err)
			}
		case !result.Series.Equal(manyBars) || len(result.Uncovered) > 0:
			if altered++; !isAllowed(altered, nil) {
				t.Errorf("byte %d: %d other bars, not covered %v, and no error", offset, n, result.Uncovered)
			}
		}
	}
	t.Logf("%d answers failed, %d had other bars", failed, altered)
	if failed == 0 {
		t.Error("no answer failed, so none was broken")
	}
}

// isOutage reports whether an error is one of a store that cannot be reached or broke off, or there is none.
func isOutage(err error) bool {
	return err == nil || errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrTimeout) ||
		errors.Is(err, ports.ErrOverloaded) || errors.Is(err, ports.ErrIncomplete)
}

// withTLS returns a DSN with an sslmode.
func withTLS(t *testing.T, dsn, mode string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the DSN is no URL") // err would repeat the password
	}

	q := u.Query()
	q.Set("sslmode", mode)
	u.RawQuery = q.Encode()

	return u.String()
}

// enableTLS gives a server a certificate that no authority signed. The server writes the files, so that they are its own.
func enableTLS(t *testing.T, dsn string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(crand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}

	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	admin, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer admin.Close(context.WithoutCancel(t.Context()))
	file := func(kind, name string, data []byte) string { // the current directory of the server is that of its data
		lines := strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})))
		return "COPY (SELECT regexp_split_to_table('" + lines + "', '\n')) TO PROGRAM 'umask 077 && cat > " + name + "'"
	}
	for _, statement := range []string{
		file("CERTIFICATE", "server.crt", certificate), file("PRIVATE KEY", "server.key", private),
		"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()",
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("enable TLS: %v", err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), withTLS(t, dsn, "require"))
		if err == nil {
			_ = conn.Close(t.Context())
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server has not enabled TLS")
		}
	}
}
