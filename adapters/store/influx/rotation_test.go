package influx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// gate is a proxy in front of a server that accepts some tokens and sends the server's own in their place.
type gate struct {
	target, token string // of the server
	transport     *http.Transport

	mu    sync.Mutex
	valid map[string]bool
}

// ServeHTTP refuses other tokens as InfluxDB does. It passes a response on when it is complete.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	isValid := g.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Token ")]
	g.mu.Unlock()
	if !isValid {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}

	sent, _ := io.ReadAll(r.Body)
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, g.target+r.URL.RequestURI(),
		bytes.NewReader(sent))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}

	request.Header = r.Header.Clone()
	request.Header.Set("Authorization", "Token "+g.token)
	response, err := g.transport.RoundTrip(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}

	defer response.Body.Close()
	received, _ := io.ReadAll(response.Body)
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.Header().Set("Content-Length", strconv.Itoa(len(received)))
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(received)
}

func (g *gate) permit(token string, isValid bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid[token] = isValid
}

// TestTokenFileRotates changes the token twenty times while four goroutines read from the real server. No read fails.
func TestTokenFileRotates(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	g := &gate{target: server.URL, token: server.Token, transport: transport, valid: map[string]bool{"token-0": true}}
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		err := os.WriteFile(path+".new", []byte(text), 0o600)
		if err = errors.Join(err, os.Rename(path+".new", path)); err != nil {
			t.Error(err)
		}
	}
	write("token-0\n")
	front := httptest.NewServer(g)
	defer front.Close()
	s, closeStore, err := influx.Open(t.Context(), influx.Config{
		URL: front.URL, TokenFile: path, Database: server.Database, Org: server.Org, Bucket: server.Bucket,
	})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	ctx, stop := context.WithCancel(t.Context())
	var reads [4]atomic.Int64
	var readers sync.WaitGroup
	for i := range reads {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{})); err != nil {
					t.Errorf("read: %v", err)
					return
				}

				reads[i].Add(1)
			}
		})
	}

	for i := 1; i <= 20 && !t.Failed(); i++ {
		g.permit("token-"+strconv.Itoa(i), true)
		write("token-" + strconv.Itoa(i) + "\n")
		awaitReads(t, &reads) // those that read the file before
		g.permit("token-"+strconv.Itoa(i-1), false)
		awaitReads(t, &reads)
	}
	stop()
	readers.Wait()

	for _, text := range []string{"token-0", "", "\n"} {
		write(text)
		if err := s.Check(t.Context()); !errors.Is(err, ports.ErrAuth) || strings.Contains(err.Error(), "token-0") {
			t.Errorf("with the file %q: got %v", text, err)
		}
	}
}

// awaitReads waits until each reader has ended two reads: one that began before, and one that did not.
func awaitReads(t *testing.T, reads *[4]atomic.Int64) {
	t.Helper()
	for i := range reads {
		for n := reads[i].Load(); reads[i].Load() < n+2 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
}
