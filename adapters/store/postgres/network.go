package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
)

const (
	// cancelTimeout is how long the server may take to confirm a cancel request, and cancelDelivery how long a confirmed
	// one may take to reach the statement and to end it. The connection is not used before, because the request would end
	// its next statement, and is closed if either takes longer. With the work around them, a call returns within 250 ms
	// after its context is done.
	cancelTimeout  = 140 * time.Millisecond
	cancelDelivery = 80 * time.Millisecond

	// maxDrain is how long a canceled statement may take to end while at least minDrain bytes arrive in each drainStep:
	// many rows that the server sent before. A connection that is closed then costs a new one, when the server is busy.
	maxDrain  = time.Second
	drainStep = cancelDelivery / 2
	minDrain  = 4 << 10

	// maxCloseWait is how long closing a pool waits for calls and for the server before it breaks the connections.
	maxCloseWait = 800 * time.Millisecond
)

// network is the part of a pool that knows its network connections: those of the pool, of subscriptions, of migrations
// and of cancel requests. It is safe for concurrent use.
type network struct {
	dial   pgconn.DialFunc
	opened time.Time

	connected atomic.Bool // the server accepted a connection

	// lostAfter is how long after opened a connection was found broken, as a time.Duration; 0 for never.
	lostAfter atomic.Int64

	mu       sync.Mutex
	sockets  map[*socket]struct{} // open ones
	isClosed bool
}

func newNetwork(dial pgconn.DialFunc) *network {
	return &network{dial: dial, opened: time.Now(), sockets: map[*socket]struct{}{}}
}

// socket is an open network connection.
type socket struct {
	net.Conn
	network  *network
	received atomic.Int64 // bytes
	wasReset atomic.Bool  // a write found it reset
}

// Write implements net.Conn. The first write that finds the connection reset succeeds, and its bytes are lost, as those
// of a write that the server never reads. So the next read still gets what the server said before, such as the alert
// with which it refuses a certificate under TLS 1.3, when the client sends already.
func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	isReset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if isReset && !s.wasReset.Swap(true) {
		return len(p), nil
	}

	return n, err
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.received.Add(int64(n))

	return n, err
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.network.mu.Lock()
	delete(s.network.sockets, s)
	s.network.mu.Unlock()

	return s.Conn.Close()
}

// connect is a pgconn.DialFunc. It fails with net.ErrClosed after breakAll.
func (n *network) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if n.isBroken() {
		return nil, net.ErrClosed
	}

	conn, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}

	s := &socket{Conn: conn, network: n}
	n.sockets[s] = struct{}{}

	return s, nil
}

func (n *network) isBroken() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isClosed
}

// breakAll closes the connections, so that no call waits for the server any more, and refuses new ones.
func (n *network) breakAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isClosed = true
	for s := range n.sockets {
		_ = s.Conn.Close() // the error is of a connection that nobody uses any more
	}
	clear(n.sockets)
}

// close closes the pool. After maxCloseWait it breaks the connections, because the driver waits 15 s for a server that
// does not respond.
func (n *network) close(pool *pgxpool.Pool) {
	breaking := time.AfterFunc(maxCloseWait, n.breakAll)
	defer breaking.Stop()
	pool.Close()
	n.breakAll() // of subscriptions and migrations whose server did not respond
}

// noteLoss remembers that a connection was found broken: those that were not used since may be broken too.
func (n *network) noteLoss() { n.lostAfter.Store(int64(max(1, time.Since(n.opened)))) }

// shouldPing reports whether a connection of the pool is checked before its use: where it was idle for a second, and
// where it was not used since another one was found broken. So a restart of the server costs each caller one failed
// call at most, and not one for each connection of the pool.
func (n *network) shouldPing(_ context.Context, params pgxpool.ShouldPingParams) bool {
	const maxIdle = time.Second
	lost := time.Duration(n.lostAfter.Load())
	return params.IdleDuration > maxIdle || lost > 0 && time.Since(n.opened)-params.IdleDuration <= lost
}

// plaintextOf returns the connections that may not be encrypted.
func plaintextOf(c *pgx.ConnConfig) tlsconfig.Plaintext {
	var hosts []string
	if c.TLSConfig == nil {
		hosts = append(hosts, c.Host)
	}
	for _, f := range c.Fallbacks {
		if f.TLSConfig == nil {
			hosts = append(hosts, f.Host)
		}
	}

	return tlsconfig.NewPlaintext(Name, "set sslmode=verify-full in the DSN", hosts...)
}

// cancelHandler cancels a statement in the server when its context is done. The driver's default closes the connection
// of a canceled call, so that many timeouts cause a storm of new connections; its own handler of this kind waits longer
// for a silent server than a call may.
type cancelHandler struct {
	conn *pgconn.PgConn
	stop context.CancelFunc
	done chan struct{}
}

// HandleCancel implements ctxwatch.Handler.
func (h *cancelHandler) HandleCancel(ctx context.Context) {
	deadline := time.Now().Add(cancelTimeout)
	_ = h.conn.Conn().SetDeadline(deadline) // fails only for a closed connection, and then so does the statement
	ctx, stop := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	done := make(chan struct{})
	h.stop, h.done = stop, done
	go func() {
		defer close(done)
		err := h.conn.CancelRequest(ctx)
		if !time.Now().Before(deadline) {
			return // the server does not respond, whatever the error; the deadline ends the statement
		}
		if err != nil {
			time.Sleep(cancelDelivery) // it may have arrived
			return
		}

		_ = h.conn.Conn().SetDeadline(time.Now().Add(cancelDelivery))
		h.drain(ctx)
		time.Sleep(cancelDelivery - drainStep)
	}()
}

// drain gives the statement more time while its rows still arrive. It returns after a drainStep in which few arrived or
// ctx was canceled, because the statement ended.
func (h *cancelHandler) drain(ctx context.Context) {
	conn := h.conn.Conn()
	raw := conn
	if encrypted, ok := conn.(*tls.Conn); ok {
		raw = encrypted.NetConn()
	}
	s, ok := raw.(*socket)
	if !ok {
		return // of a pool whose connections the caller makes
	}

	end := time.Now().Add(maxDrain)
	for before := s.received.Load(); ; {
		time.Sleep(drainStep)
		after := s.received.Load()
		if after-before < minDrain || errors.Is(ctx.Err(), context.Canceled) || time.Now().After(end) {
			return
		}

		before = after
		_ = conn.SetDeadline(time.Now().Add(cancelDelivery))
	}
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (h *cancelHandler) HandleUnwatchAfterCancel() {
	h.stop()
	<-h.done
	_ = h.conn.Conn().SetDeadline(time.Time{})
}

// A rotated password is in its file before the server has it, or after that. A connection that is refused in between is
// tried again.
const (
	rotationLimit   = 2 * time.Second
	rotationPause   = 50 * time.Millisecond
	invalidPassword = "28P01" // the SQLSTATE
)

// readPasswordFile returns a function that reads the password of a new connection from a file.
func readPasswordFile(path string) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, c *pgx.ConnConfig) (err error) {
		c.Password, err = secret.ReadFile("password_file", path)
		return err
	}
}
