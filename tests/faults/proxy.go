package faults

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections to a server and fails on demand. It is safe for concurrent use.
type Proxy struct {
	// Address is the host:port to connect to instead of the server.
	Address string

	server   string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{} // both ends of the open connections
	isClosed bool
	isSilent bool
	loses    bool  // the answers of the server
	limit    int64 // bytes that the server may send on a connection; negative for no limit
	flipped  flip  // of the answers on a connection
	inspect  func(request []byte) Verdict

	// The answers of the server pass in parts of at most so many bytes, each after the delay. 0 bytes are all.
	delay time.Duration
	part  int
}

// Verdict is what a Proxy does with bytes of a client.
type Verdict uint8

// The verdicts.
const (
	Forward    Verdict = iota
	Cut                // end the connection before the server gets them
	ForwardCut         // end the connection of the client, and then give them to the server, whose answer is lost
)

// NewProxy returns a proxy in front of the server at a host:port. It ends with the test.
func NewProxy(tb testing.TB, server string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	p := &Proxy{
		Address: listener.Addr().String(), server: server, listener: listener,
		conns: map[net.Conn]struct{}{}, limit: -1, flipped: noFlip,
	}
	p.running.Go(p.accept)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.isClosed = true
		p.mu.Unlock()
		p.Cut()
		p.running.Wait()
	})

	return p
}

// SetSilent makes the proxy accept connections and discard every byte of both directions, or forward them again. A
// connection that lost bytes stays useless.
func (p *Proxy) SetSilent(isSilent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isSilent = isSilent
}

// LoseAnswers makes the proxy forward requests and discard the answers, or forward them again. A connection that lost
// bytes stays useless.
func (p *Proxy) LoseAnswers(isLost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses = isLost
}

// LimitResponses ends each connection that opens from now on after the server has sent n bytes on it. A negative n is
// no limit.
func (p *Proxy) LimitResponses(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = n
}

// flip is a bit, from 0, of the byte at an offset. A negative offset is none.
type flip struct {
	offset int64
	bit    int
}

var noFlip = flip{offset: -1}

// FlipResponses flips a bit, from 0, of the byte at the offset, of those that the server sends on each connection that
// opens from now on. A negative offset flips none.
func (p *Proxy) FlipResponses(offset int64, bit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flipped = flip{offset, bit}
}

// DelayAnswers makes the answers pass in parts of at most so many bytes, each after the delay. 0 bytes are all.
func (p *Proxy) DelayAnswers(delay time.Duration, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.part = delay, bytes
}

// InspectRequests lets f decide about each run of bytes that clients send from now on. A client that writes a message
// at once sends it in one run, unless it is very long. Calls are concurrent; a nil f forwards everything.
func (p *Proxy) InspectRequests(f func(request []byte) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inspect = f
}

// Cut ends every open connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}

		p.running.Go(func() { p.serve(client) })
	}
}

// serve forwards one connection until one of its ends is closed.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}

	defer server.Close()
	limit, flipped, ok := p.register(client, server)
	if !ok {
		return
	}

	defer p.unregister(client, server)
	p.running.Go(func() { p.forward(&writer{proxy: p, to: server, client: client, flipped: noFlip}, client, -1) })
	p.forward(&writer{proxy: p, to: client, flipped: flipped}, server, limit)
}

func (p *Proxy) register(client, server net.Conn) (limit int64, flipped flip, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed {
		return 0, noFlip, false
	}

	p.conns[client], p.conns[server] = struct{}{}, struct{}{}

	return p.limit, p.flipped, true
}

func (p *Proxy) unregister(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	delete(p.conns, server)
}

// forward copies at most limit bytes, and then closes both ends. A negative limit is no limit.
func (p *Proxy) forward(w *writer, from net.Conn, limit int64) {
	defer w.to.Close()
	defer from.Close()
	var source io.Reader = from
	if limit >= 0 {
		source = io.LimitReader(from, limit)
	}
	_, _ = io.Copy(w, source)
}

// writer writes to a connection unless the proxy is silent.
type writer struct {
	proxy  *Proxy
	to     net.Conn
	client net.Conn // that sends requests; nil in the other direction

	flipped flip // counted from the next byte
}

var (
	errClosed = errors.New("the proxy is closed")
	errCut    = errors.New("the proxy cut the connection")
)

// Write implements io.Writer.
func (w *writer) Write(data []byte) (int, error) {
	w.proxy.mu.Lock()
	isSilent := w.proxy.isSilent || w.proxy.loses && w.client == nil
	isClosed, inspect := w.proxy.isClosed, w.proxy.inspect
	delay, part := w.proxy.delay, w.proxy.part
	w.proxy.mu.Unlock()
	switch {
	case isClosed:
		return 0, errClosed
	case isSilent:
		return len(data), nil
	}

	verdict := Forward
	if w.client != nil && inspect != nil {
		verdict = inspect(data)
	}
	switch verdict {
	case Cut:
		return 0, errCut
	case ForwardCut:
		_ = w.client.Close() // first, so that no answer can arrive
	}

	if offset := w.flipped.offset; offset >= 0 && offset < int64(len(data)) {
		data = slices.Clone(data)
		data[offset] ^= 1 << w.flipped.bit
	}
	w.flipped.offset -= int64(len(data))
	if w.client == nil && delay > 0 {
		return w.writeLate(data, delay, part)
	}

	return w.to.Write(data)
}

// writeLate writes parts of at most so many bytes, each after the delay.
func (w *writer) writeLate(data []byte, delay time.Duration, part int) (written int, err error) {
	if part == 0 {
		part = len(data)
	}
	for chunk := range slices.Chunk(data, part) {
		time.Sleep(delay)
		n, err := w.to.Write(chunk)
		written += n
		if err != nil {
			return written, err
		}
	}

	return written, nil
}
