package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

const (
	selectListenerCount = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '%hints'`
	terminateListeners = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '%hints'`
)

// openUnmigrated returns a store on a database as it is, because hints need no tables.
func openUnmigrated(tb testing.TB, dsn string) *postgres.Store {
	tb.Helper()
	s, closeStore, err := postgres.Open(tb.Context(), postgres.Config{
		DSN: secret.New(dsn), MinConns: 1, MaxConns: 2, AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)

	return s
}

func connect(tb testing.TB, dsn string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })

	return conn
}

func countListeners(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, selectListenerCount).Scan(&n)
	return n, err
}

func TestHintsContract(t *testing.T) {
	t.Parallel()
	contract.Hints(t, func(tb testing.TB) contract.HintsSubject {
		dsn := servers.Postgres(tb)
		observer := connect(tb, dsn)
		var peers []blockcache.Hints
		for range 3 {
			peers = append(peers, postgres.NewHints(openUnmigrated(tb, dsn)))
		}

		return contract.HintsSubject{
			Peers: peers,
			Held:  func(ctx context.Context) (int, error) { return countListeners(ctx, observer) },
			Cut: func(ctx context.Context) error {
				_, err := observer.Exec(ctx, terminateListeners)
				return err
			},
		}
	})
}

// hint returns a hint of the store.
func hint(store domain.StoreName) blockcache.Hint {
	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	return blockcache.Hint{Store: store, Key: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		Range: domain.Range{Start: start, End: start.Add(time.Hour)}}
}

// firstHint returns the first hint that a subscription yields.
func firstHint(t *testing.T, sequence func(func(blockcache.Hint, error) bool)) blockcache.Hint {
	t.Helper()
	for got, err := range sequence {
		if err != nil {
			t.Fatal(err)
		}
		return got
	}

	t.Fatal("the sequence ended without an error")

	return blockcache.Hint{}
}

// TestHintsOnCallersPool proves that a subscription works with a caller's pool of one connection, which stays
// idle; that the pool's timeouts do not end it; and that the pool's hook provides the password.
func TestHintsOnCallersPool(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"simple_protocol", "cache_statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := servers.Postgres(t)
			config, err := pgxpool.ParseConfig(changeDSN(t, dsn, func(u *url.URL, q url.Values) {
				q.Set("default_query_exec_mode", mode)
				q.Set("statement_timeout", "300")
				q.Set("idle_session_timeout", "300")
				q.Set("application_name", "host")
			}))
			if err != nil {
				t.Fatal(err)
			}

			password := config.ConnConfig.Password
			config.ConnConfig.Password = "stale"
			config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
				c.Password = password
				return nil
			}
			config.MaxConns = 1
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}

			defer pool.Close()
			s, closeStore, err := postgres.New(pool, postgres.Config{
				AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}

			defer closeStore()
			subscription, err := postgres.NewHints(s).Subscribe(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			if stat := s.PoolStats(); stat.InUse != 0 || stat.Max != 1 {
				t.Errorf("%+v", stat)
			}
			observer := connect(t, dsn)
			eventually(t, 10*time.Second, func() error { // it has waited longer than every timeout
				var waited bool
				err := observer.QueryRow(t.Context(), `
					SELECT coalesce(bool_and(state = 'idle' AND now() - state_change > '1 second'), false)
					FROM pg_stat_activity
					WHERE datname = current_database() AND application_name = 'host hints'`).Scan(&waited)
				if err == nil && !waited {
					err = errors.New("no subscription has waited that long")
				}

				return err
			})
			want := hint("postgres")
			// Publish through another pool, because the server has ended the connections of this one.
			if err := postgres.NewHints(openUnmigrated(t, dsn)).Publish(t.Context(), want); err != nil {
				t.Fatal(err)
			}

			if got := firstHint(t, subscription); got != want {
				t.Errorf("received %+v", got)
			}
			eventually(t, 10*time.Second, func() error {
				n, err := countListeners(t.Context(), observer)
				if err == nil && n > 0 {
					err = errors.New("a connection still listens")
				}

				return err
			})
		})
	}
}

// TestForeignNotificationsAreSkipped proves that a subscription skips payloads that are not ours.
func TestForeignNotificationsAreSkipped(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	local := postgres.NewHints(openUnmigrated(t, dsn))
	remote := postgres.NewHints(openUnmigrated(t, dsn))
	subscription, err := local.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	observer := connect(t, dsn)
	for _, payload := range []string{
		"", "hello", "{}", "[]", "null", `{"from":"x"}`, `{"from":7,"changes":[]}`, `{"from":"x","changes":[{}]}`,
		`{"from":"x","changes":[{"key":{"symbol":"B,C","frequency":"1m","price_type":"trade"}}]}`, `{"from":"x","proof":"y"}`,
		`{"changes":[{"store":"s","key":{"symbol":"BTC","frequency":"1m","price_type":"trade"}}]}`, `{"from":"x","changes":[`,
		strings.Repeat("x", 7999),
	} {
		const notify = `SELECT pg_notify('marketdata_hints', $1)`
		if _, err := observer.Exec(t.Context(), notify, payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := remote.Publish(t.Context(), hint("postgres")); err != nil {
		t.Fatal(err)
	}

	if got := firstHint(t, subscription); got != hint("postgres") {
		t.Errorf("received %+v", got)
	}
}

// TestPublishRefuses proves that a refused Publish publishes nothing, and that publications of another database are not
// received.
func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	local := postgres.NewHints(openUnmigrated(t, dsn))
	remote := postgres.NewHints(openUnmigrated(t, dsn))
	otherDatabase := postgres.NewHints(openUnmigrated(t, servers.Postgres(t)))
	subscription, err := local.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	late := hint("postgres")
	late.Range.End = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]blockcache.Hint{
		"no key": {Store: "postgres"}, "too long a name": hint(domain.StoreName(strings.Repeat("x", 8000))), "too late": late,
	} {
		err := remote.Publish(t.Context(), hint("refused"), change)
		if e := wantKind(t, err, ports.ErrInvalid); e.Op == "" || e.Store != postgres.Name {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if err := otherDatabase.Publish(t.Context(), hint("elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := remote.Publish(t.Context(), hint("postgres")); err != nil {
		t.Fatal(err)
	}

	if got := firstHint(t, subscription); got != hint("postgres") {
		t.Errorf("received %+v", got)
	}
}

// commitText is in the answer to COMMIT. commitStatement is the name that the driver gives the prepared statement of a
// write of bars.
var (
	commitText      = []byte("COMMIT")
	commitDigest    = sha256.Sum256([]byte("/* marketdata: write bars */ COMMIT"))
	commitStatement = []byte(hex.EncodeToString(commitDigest[:24]))
)

// proxy forwards connections to the server and suppresses messages on demand.
type proxy struct {
	dropNotifications atomic.Bool // of the server
	stalled           atomic.Bool // forwards nothing in either direction
	cutsAtCommit      atomic.Bool // ends a connection when the server tells that it committed, and tells nobody
	cutsBeforeCommit  atomic.Bool // ends a connection when the client asks for it
	address           string
	conns             sync.WaitGroup
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	server := servers.PostgresAddress(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &proxy{address: listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	b.conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}

			b.conns.Go(func() { b.forward(ctx, client, server) })
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		b.conns.Wait()
	})

	return b
}

func (b *proxy) forward(ctx context.Context, client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}

	defer server.Close()
	end := context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})
	defer end()
	b.conns.Go(func() {
		defer server.Close()
		buffer := make([]byte, 4096)
		for {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}

			if b.cutsBeforeCommit.Load() && bytes.Contains(buffer[:n], commitStatement) {
				return
			}
			if !b.stalled.Load() {
				if _, err := server.Write(buffer[:n]); err != nil {
					return
				}
			}
		}
	})
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}

		message := make([]byte, binary.BigEndian.Uint32(head[1:])+1)
		copy(message, head)
		if _, err := io.ReadFull(server, message[5:]); err != nil {
			return
		}

		const notification, commandComplete = 'A', 'C'
		if b.cutsAtCommit.Load() && head[0] == commandComplete && bytes.Contains(message, commitText) {
			return
		}
		if b.stalled.Load() || b.dropNotifications.Load() && head[0] == notification {
			continue
		}
		if _, err := client.Write(message); err != nil {
			return
		}
	}
}

// TestSubscribeVerifiesDelivery simulates a pooler in transaction mode, which accepts LISTEN and delivers nothing.
func TestSubscribeVerifiesDelivery(t *testing.T) {
	t.Parallel()
	b := newProxy(t)
	b.dropNotifications.Store(true)
	dsn := servers.Postgres(t)
	s := openUnmigrated(t, changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Host = b.address }))
	_, err := postgres.NewHints(s).Subscribe(t.Context())
	wantKind(t, err, ports.ErrUnavailable)
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "session mode") {
		t.Error(err)
	}
	observer := connect(t, dsn)
	eventually(t, 10*time.Second, func() error {
		n, err := countListeners(t.Context(), observer)
		if err == nil && n > 0 {
			err = errors.New("a connection still listens")
		}

		return err
	})
}

// TestSubscriptionDetectsSilentServer proves that a subscription ends when the server or the network stops responding
// without closing the connection.
func TestSubscriptionDetectsSilentServer(t *testing.T) {
	t.Parallel()
	b := newProxy(t)
	s := openUnmigrated(t, changeDSN(t, servers.Postgres(t), func(u *url.URL, _ url.Values) { u.Host = b.address }))
	subscription, err := postgres.NewHints(s).Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	b.stalled.Store(true)
	began := time.Now()
	for _, err := range subscription {
		wantKind(t, err, ports.ErrUnavailable)
		took := time.Since(began)
		if took < 4*time.Second || took > 20*time.Second || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", took, err)
		}

		return
	}

	t.Error("it ended without an error")
}

func TestSubscribeErrors(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	s, closeStore, err := postgres.New(pool, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	n := postgres.NewHints(s)
	pool.Close()
	if err := n.Publish(t.Context(), hint("postgres")); err == nil {
		t.Error("published without a pool")
	}
	_, err = n.Subscribe(t.Context())
	var e *ports.Error
	if !errors.As(err, &e) || e.Store != postgres.Name || e.Op == "" {
		t.Errorf("subscribed without a pool: %v", err)
	}
}
