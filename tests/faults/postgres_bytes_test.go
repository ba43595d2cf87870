//go:build unix

package faults_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
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

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
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
	t.Parallel()
	server := servers.StartPostgres(t)
	enableTLS(t, server.DSN)
	writer, closeWriter, err := production.Open(t.Context(), pgConfig(server.DSN), production.Options{})
	if err != nil {
		t.Fatal(err)
	}

	defer closeWriter()
	if _, err := writer.Ingest(t.Context(), manyBars, domain.Range{}, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	for _, mode := range []string{"disable", "require"} {
		for _, state := range []string{"cold", "warm"} {
			run := func(row string, breakAt func(*faults.Proxy, int64), isAllowed func(isAltered bool, err error) bool) {
				t.Run(row+"/"+state+"/sslmode="+mode, func(t *testing.T) {
					t.Parallel()
					r := newBrokenReads(t, withTLS(t, server.DSN, mode), server.Address, state == "warm")
					r.run(t, func(offset int64) { breakAt(r.proxy, offset) }, isAllowed)
				})
			}
			run("P9", (*faults.Proxy).LimitResponses, func(isAltered bool, err error) bool {
				return !isAltered && isOutage(err)
			})
			run("P10", flipAnyBit, func(isAltered bool, err error) bool {
				return (!isAltered || mode == "disable") && !isPanic(err)
			})
		}
	}
}

// flipAnyBit flips any bit of a byte.
func flipAnyBit(p *faults.Proxy, offset int64) { p.FlipResponses(offset, rand.N(8)) }

// openBareStore opens the application over PostgreSQL, without a cache and without retries.
func openBareStore(t *testing.T, dsn string) (*app.Service, func()) {
	t.Helper()
	store, closeStore, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(dsn), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}

	md, err := app.New([]app.Source{{Name: postgres.Name, Bars: store, Catalog: store}}, clock.NewSystem(), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return md, closeStore
}

// openWarm opens the wiring of production, with its cache.
func openWarm(t *testing.T, dsn string) (*app.Service, func()) {
	t.Helper()
	cfg := pgConfig(dsn)
	cfg.Cache.Disabled, cfg.Postgres.MaxConns = false, 1
	md, closeAll, err := production.Open(t.Context(), cfg, production.Options{})
	if err != nil {
		t.Fatal(err)
	}

	return md, closeAll
}

// brokenReads reads manyBars on new connections, each of which breaks at another byte.
type brokenReads struct {
	md    *app.Service
	proxy *faults.Proxy
	step  int
	heals bool // after each read, one succeeds on a connection that does not break
}

// newBrokenReads reads from a server through a proxy of its own. With a cache, each read waits for the circuit breaker.
func newBrokenReads(t *testing.T, dsn, address string, isCached bool) brokenReads {
	t.Helper()
	open, step, deepStep := openBareStore, 600, 16
	if isCached {
		open, step, deepStep = openWarm, 4000, 400
	}
	if effort.IsDeep() {
		step = deepStep
	}
	proxy := faults.NewProxy(t, address)
	md, closeAll := open(t, withHost(t, dsn, proxy.Address))
	t.Cleanup(closeAll)

	return brokenReads{md: md, proxy: proxy, step: step, heals: isCached}
}

// run fails the test unless each answer has the bars of the store, or isAllowed reports whether it may have others, or an
// error.
func (r brokenReads) run(t *testing.T, breakAt func(int64), isAllowed func(isAltered bool, err error) bool) {
	t.Helper()
	const last = 40_000 // more than a connection and the answer have
	failed, altered := 0, 0
	for offset := rand.N(r.step); offset < last; offset += r.step {
		breakAt(int64(offset))
		r.proxy.Cut()
		began := time.Now()
		isAltered, err := r.read(t)
		switch took := time.Since(began); {
		case took > maxRead+grace+slack:
			t.Errorf("byte %d: returned after %s", offset, took)
		case !isAllowed(isAltered, err):
			t.Errorf("byte %d: other bars: %t, error: %v", offset, isAltered, err)
		case err != nil:
			failed++
		case isAltered:
			altered++
		}
		if r.heals {
			breakAt(-1)
			r.heal(t)
		}
	}
	breakAt(-1)
	r.heal(t)
	t.Logf("%d answers failed, %d had other bars", failed, altered)
	if failed == 0 && !r.heals { // a retry may succeed where a byte matters to the first answer only
		t.Error("no answer failed, so none was broken")
	}
}

const maxRead = 2 * time.Second

// read reads the bars, and reports whether they are others than those of the store.
func (r brokenReads) read(t *testing.T) (isAltered bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxRead)
	defer cancel()
	result, err := r.md.Fetch(ctx, domain.DataRequest{
		Key: manyBars.Key(), Start: manyBars.Range().Start, End: manyBars.Range().End, Fresh: true,
	})
	if err != nil {
		return result.Series.Len() > 0, err
	}

	return !result.Series.Equal(manyBars) || len(result.Uncovered) > 0, nil
}

// heal waits until a read succeeds. It must have the bars of the store: nothing of a broken answer is cached.
func (r brokenReads) heal(t *testing.T) {
	t.Helper()
	r.proxy.Cut()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		isAltered, err := r.read(t)
		if isAltered {
			t.Fatalf("other bars on a connection that does not break, and error %v", err)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no read succeeds again: %v", err)
		}
	}
}

// isOutage reports whether an error is one of a store that cannot be reached or broke off, or there is none.
func isOutage(err error) bool {
	return err == nil || errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrTimeout) ||
		errors.Is(err, ports.ErrOverloaded) || errors.Is(err, ports.ErrIncomplete)
}

// isPanic reports whether an adapter panicked, and the application survived it.
func isPanic(err error) bool {
	var panicked *ports.PanicError
	return errors.As(err, &panicked)
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(cryptorand.Reader, &template, &template, key.Public(), key)
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
