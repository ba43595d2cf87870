package faults_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/tests/faults"
)

// dial returns a connection through the proxy to a server that returns each byte.
func dial(t *testing.T, p *faults.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { conn.Close() })

	return conn
}

// exchange sends text, and returns what comes back within a second, at most as many bytes.
func exchange(t *testing.T, conn net.Conn, text string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}

	answer := make([]byte, len(text))
	n, err := io.ReadFull(conn, answer)

	return string(answer[:n]), err
}

func TestProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()

	p := faults.NewProxy(t, listener.Addr().String())
	conn := dial(t, p)
	if got, err := exchange(t, conn, "hello"); got != "hello" || err != nil {
		t.Errorf("forwarded: %q, %v", got, err)
	}

	p.SetSilent(true)
	if got, err := exchange(t, conn, "hello"); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent: %q, %v", got, err)
	}

	p.SetSilent(false)
	p.LimitResponses(3)
	if got, err := exchange(t, dial(t, p), "hello"); got != "hel" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("limited: %q, %v", got, err)
	}

	p.LimitResponses(-1)
	p.FlipResponses(4, 1)
	if got, err := exchange(t, dial(t, p), "hello"); got != "hellm" || err != nil {
		t.Errorf("flipped: %q, %v", got, err)
	}

	p.FlipResponses(-1, 0)
	for _, verdict := range []faults.Verdict{faults.Cut, faults.ForwardCut} {
		p.InspectRequests(func(request []byte) faults.Verdict {
			if string(request) == "hello" {
				return verdict
			}

			return faults.Forward
		})
		if got, err := exchange(t, dial(t, p), "others"); got != "others" || err != nil {
			t.Errorf("another request: %q, %v", got, err)
		}
		if got, err := exchange(t, dial(t, p), "hello"); got != "" || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("verdict %d: %q, %v", verdict, got, err)
		}
	}

	p.Cut()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.Read(make([]byte, 1)); got != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("cut: %d bytes, %v", got, err)
	}
}
