package certs

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy speaks TLS on Address and passes what it receives on to a server without TLS. It is safe for concurrent use.
type Proxy struct {
	Address string // 127.0.0.1:port

	config      *tls.Config
	target      string
	connections atomic.Int64

	mu   sync.Mutex
	open []net.Conn
	done sync.WaitGroup
}

// NewProxy starts a proxy that ends with the test.
func NewProxy(tb testing.TB, config *tls.Config, target string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	p := &Proxy{Address: listener.Addr().String(), config: config, target: target}
	p.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			p.connections.Add(1)
			p.done.Go(func() { p.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		p.CloseConnections()
		p.done.Wait()
	})

	return p
}

// Connections returns how many connections were made.
func (p *Proxy) Connections() int64 { return p.connections.Load() }

// CloseConnections closes the open connections.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		_ = conn.Close()
	}
	p.open = nil
}

func (p *Proxy) serve(conn net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = conn.Close()
		return
	}

	p.mu.Lock()
	p.open = append(p.open, conn, server)
	p.mu.Unlock()
	secure := tls.Server(conn, p.config)
	if err := secure.Handshake(); err != nil {
		drain(conn)
		_ = server.Close()

		return
	}

	p.done.Go(func() {
		_, _ = io.Copy(secure, server)
		_ = secure.Close()
	})
	_, _ = io.Copy(server, secure)
	_ = server.Close()
}

// drain reads until the client closes the connection, because closing a connection with unread bytes would reset it
// before the client reads why the handshake failed.
func drain(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}
