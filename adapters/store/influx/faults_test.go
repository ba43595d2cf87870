package influx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

const token = "canary-of-a-token"

// rawServer answers the first query, that of Open, well, and leaves every later connection to serve.
func rawServer(t *testing.T, cfg influx.Config, serve func(net.Conn)) *influx.Store {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				defer c.Close()
				request, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}

				_, _ = io.Copy(io.Discard, request.Body)
				if n == 0 {
					body := document(result(0, false))
					_, _ = fmt.Fprintf(c, "%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", head, len(body), body)
					return
				}

				serve(c)
			}()
		}
	}()
	cfg.URL, cfg.Token = "http://"+listener.Addr().String(), token

	return openStore(t, cfg)
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-msgpack\r\n"

// wantKind wants a read to fail with the kind, and not to tell the token.
func wantKind(t *testing.T, s *influx.Store, kind error) error {
	t.Helper()
	got, err := readAll(t, s, recordedQuery)
	if !errors.Is(err, kind) {
		t.Errorf("got %s, %v; want %v", got, err, kind)
	}
	if err != nil && strings.Contains(fmt.Sprintf("%+v", err), token) {
		t.Errorf("the error tells the token: %v", err)
	}

	return err
}

func TestCutOnTheWire(t *testing.T) {
	t.Parallel()
	body := recorded(t, "chunked_1.8")
	first := document(result(0, true, tableOf(barColumns, barRow(0, nil))))
	for name, answer := range map[string]string{
		"length_short":             fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:len(body)/2]),
		"length_short_at_a_chunk":  fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), first),
		"chunk_without_terminator": fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head, len(body), body),
		"chunk_cut":                fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", head, len(body), body[:100]),
		"closed_at_the_end":        fmt.Sprintf("%s\r\n%s", head, body), // whole, but nothing proves it
		"closed_at_a_chunk":        fmt.Sprintf("%s\r\n%s", head, first),
		"gzip_not_asked_for":       fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_ = wantKind(t, rawServer(t, influx.Config{}, func(c net.Conn) { _, _ = io.WriteString(c, answer) }), ports.ErrIncomplete)
		})
	}
}

func TestOddResponses(t *testing.T) {
	t.Parallel()
	whole := string(recorded(t, "chunked_1.8"))
	for name, c := range map[string]struct {
		status  int
		headers map[string]string
		body    string
		kind    error
		says    string
	}{
		"html":              {200, map[string]string{"Content-Type": "text/html"}, "<html>log in</html>", ports.ErrIncomplete, "text/html"},
		"json":              {200, map[string]string{"Content-Type": "application/json"}, `{"results":[]}`, ports.ErrIncomplete, "json"},
		"no_type":           {200, map[string]string{"Content-Type": ""}, whole, ports.ErrIncomplete, "msgpack"},
		"empty":             {200, nil, "", ports.ErrIncomplete, "empty"},
		"no_content":        {204, nil, "", ports.ErrInternal, "204"},
		"html_as_msgpack":   {200, nil, "<html>", ports.ErrIncomplete, "msgpack"},
		"credentials":       {401, nil, `{"error":"authorization failed"}`, ports.ErrAuth, ""},
		"forbidden":         {403, map[string]string{"X-Influxdb-Error": "error authorizing query: x not authorized"}, "", ports.ErrPermission, "authorizing"},
		"read_privilege":    {500, map[string]string{"X-Influxdb-Error": "user requires READ"}, "", ports.ErrPermission, "READ"},
		"not_found":         {404, nil, "", ports.ErrSchema, ""},
		"syntax":            {400, map[string]string{"X-Influxdb-Error": "error parsing query: found EOF"}, "", ports.ErrInternal, "EOF"},
		"too_large":         {413, nil, "", ports.ErrTooLarge, ""},
		"too_many":          {429, map[string]string{"Retry-After": "3"}, "", ports.ErrOverloaded, ""},
		"busy":              {503, nil, `{"message":"try later"}`, ports.ErrOverloaded, "try later"},
		"bad_gateway":       {502, nil, "<html>", ports.ErrUnavailable, ""},
		"500_of_1.8":        {500, map[string]string{"X-Influxdb-Version": "1.8.10"}, "", ports.ErrInternal, ""},
		"500_of_a_build":    {500, map[string]string{"X-Influxdb-Version": "unknown"}, "", ports.ErrInternal, ""},
		"500_of_2":          {500, map[string]string{"X-Influxdb-Version": "v2.7.1"}, "", ports.ErrUnavailable, ""},
		"500_of_a_proxy":    {500, nil, "", ports.ErrUnavailable, ""},
		"500_no_database":   {500, map[string]string{"X-Influxdb-Version": "1.8.10", "X-Influxdb-Error": "database not found: x"}, "", ports.ErrSchema, ""},
		"huge_error_body":   {500, nil, strings.Repeat("x", 8<<20), ports.ErrUnavailable, "no reason"},
		"huge_error_header": {500, map[string]string{"X-Influxdb-Error": strings.Repeat("x", 100_000)}, "", ports.ErrUnavailable, "xxx..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-msgpack")
				for k, v := range c.headers {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			if err := wantKind(t, s, c.kind); err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%.300v does not say %q", err, c.says)
			} else if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// httpServer is a store on a server whose every answer but the first comes from handle.
func httpServer(t *testing.T, handle http.HandlerFunc) *influx.Store {
	t.Helper()
	var opened atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if opened.Swap(true) {
			handle(w, r)
			return
		}

		w.Header().Set("Content-Type", "application/x-msgpack")
		_, _ = w.Write(document(result(0, false)))
	}))
	t.Cleanup(server.Close)

	return openStore(t, influx.Config{URL: server.URL, Token: token, MaxResponseBytes: 1 << 20})
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][2]time.Duration{
		"7":          {7 * time.Second, 7 * time.Second},
		"1000000000": {24 * time.Hour, 24 * time.Hour},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  {59 * time.Minute, time.Hour},
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): {0, 0},
		"soon": {0, 0},
		"":     {0, 0},
	} {
		s := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		b := minutes(t, recordedKey, 1)
		var read, wrote *influx.ServerError
		_, err := readAll(t, s, recordedQuery)
		_, writeErr := s.ReplaceBars(t.Context(), b, b.Range())
		if !errors.As(err, &read) || !errors.As(writeErr, &wrote) {
			t.Fatalf("got %v and %v", err, writeErr)
		}

		for _, got := range []time.Duration{read.RetryAfter, wrote.RetryAfter} {
			if got < want[0] || got > want[1] {
				t.Errorf("Retry-After %q: got %s, want %s to %s", header, got, want[0], want[1])
			}
		}
	}
}

// TestFailedWrite is what a server answers to a write after it answered the read before it.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		header string
		kind   error
	}{
		"partial":          {400, "partial write: field type conflict: input field", ports.ErrSchema},
		"beyond_retention": {400, "partial write: points beyond retention policy dropped=1", ports.ErrInvalid},
		"busy":             {503, "", ports.ErrOverloaded},
		"timeout":          {500, "timeout", ports.ErrUnavailable},
		"credentials":      {401, "", ports.ErrAuth},
		"read_only_user":   {403, `"reader" user is not authorized to write to database "m"`, ports.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/query" {
					w.Header().Set("Content-Type", "application/x-msgpack")
					_, _ = w.Write(document(result(0, false)))
					return
				}

				w.Header().Set("X-Influxdb-Error", c.header)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			})
			b := minutes(t, recordedKey, 1)
			if _, err := s.WriteBars(t.Context(), b, b.Range()); !errors.Is(err, c.kind) || len(err.Error()) > 1000 {
				t.Errorf("got %.300v, want %v", err, c.kind)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked, with the authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		s := httpServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+r.URL.Path, status) })
		if err := wantKind(t, s, ports.ErrUnavailable); err != nil && !strings.Contains(err.Error(), other.URL) {
			t.Errorf("%v does not name the other host", err)
		}
		b := minutes(t, recordedKey, 1)
		if _, err := s.ReplaceBars(t.Context(), b, b.Range()); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("write: got %v", err)
		}
	}
}

func TestHugeAnswer(t *testing.T) {
	t.Parallel()
	s := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-msgpack")
		for i := 0; ; i++ {
			if _, err := w.Write(document(result(0, true, tableOf(barColumns)))); err != nil {
				return
			}
		}
	})
	_ = wantKind(t, s, ports.ErrTooLarge)
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address := listener.Addr().String()
	_ = listener.Close()
	if _, _, err := influx.Open(t.Context(), influx.Config{URL: "http://" + address}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, _, err := influx.Open(t.Context(), influx.Config{URL: "https://" + plain(t)}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("https to a server without: got %v", err)
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	if _, _, err := influx.Open(t.Context(), influx.Config{URL: secure.URL}); !errors.Is(err, ports.ErrAuth) {
		t.Errorf("a certificate of nobody known: got %v", err)
	}
}

// plain is the address of a server without TLS.
func plain(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestHangs is a server that goes silent: before its headers, and within the answer.
func TestHangs(t *testing.T) {
	t.Parallel()
	body := recorded(t, "chunked_1.8")
	for name, c := range map[string]struct {
		sent  string
		phase ports.Phase
	}{
		"before_headers":    {"", ports.PhaseQuery},
		"within_the_answer": {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:1000]), ports.PhaseRead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{}, 9) // tries, and more
			s := rawServer(t, influx.Config{}, func(c2 net.Conn) {
				_, _ = io.WriteString(c2, c.sent)
				_, _ = io.Copy(io.Discard, c2) // until the other side closes
				gone <- struct{}{}
			})
			// A busy machine may not have sent the query by the deadline, or got the headers; it gets longer ones.
			for limit := 100 * time.Millisecond; ; limit *= 4 {
				failed, late := failedRead(t, s, limit)
				var typed *ports.Error
				if !errors.Is(failed, context.DeadlineExceeded) || !errors.As(failed, &typed) || !errors.Is(typed.Kind, ports.ErrTimeout) {
					t.Fatalf("got %v, want a timeout", failed)
				}
				isLetGo := ends(gone)
				if typed.Phase == c.phase && late <= 2*time.Second && isLetGo {
					break
				}
				if limit > 5*time.Second {
					t.Fatalf("got %v %s after the deadline, want a timeout in the phase %s; the server was let go: %t", failed, late, c.phase, isLetGo)
				}
			}
		})
	}
}

// failedRead is how a read with a deadline failed, and how long after the deadline.
func failedRead(t *testing.T, s *influx.Store, limit time.Duration) (failed error, late time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	for _, err := range s.ReadBars(ctx, recordedQuery) {
		failed = err
	}
	return failed, time.Since(began) - limit
}

// TestBreakStopsTheServer is a server that sends without an end: breaking off closes the connection and reads no more.
func TestBreakStopsTheServer(t *testing.T) {
	t.Parallel()
	for _, cancelled := range []bool{false, true} {
		gone := make(chan struct{}, 1)
		s := rawServer(t, influx.Config{ChunkSize: 1}, func(c net.Conn) {
			chunk := func(body []byte) error {
				_, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(body), body)
				return err
			}
			_, err := io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
			for i := 0; err == nil; i++ {
				err = chunk(document(result(0, true, tableOf(barColumns, barRow(i%60, nil)))))
				if i > 30 { // wait for the close
					_, err = c.Read(make([]byte, 1))
				}
			}

			gone <- struct{}{}
		})
		ctx, cancel := context.WithCancel(t.Context())
		for _, err := range s.ReadBars(ctx, recordedQuery) {
			if cancelled {
				cancel()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				continue
			}

			if err != nil {
				t.Errorf("got %v", err)
			}
			break
		}

		waitFor(t, gone)
		cancel()
	}
}

func waitFor(t *testing.T, done <-chan struct{}) {
	t.Helper()
	if !ends(done) {
		t.Error("the server was not let go")
	}
}

// ends waits for done, within reason.
func ends(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

// TestDeleteWaitsForAnotherDatabase is what 1.8 answers to a DELETE while somebody drops another database.
func TestDeleteWaitsForAnotherDatabase(t *testing.T) {
	t.Parallel()
	for failures, kind := range map[int]error{3: nil, 1000: ports.ErrUnavailable} {
		b := minutes(t, recordedKey, 1)
		there := bars(barRow(5, nil))
		deletes, deleted := 0, false
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}

			switch {
			case strings.HasPrefix(r.PostForm.Get("q"), "SELECT") && !deleted:
				return response(r, http.StatusOK, there), nil
			case strings.HasPrefix(r.PostForm.Get("q"), "SELECT"):
				return response(r, http.StatusOK, document(result(0, false))), nil
			case deletes < failures:
				deletes++
				return response(r, http.StatusOK, document(failing("engine is closed"))), nil
			}

			deleted = true
			return response(r, http.StatusOK, document(result(0, false))), nil
		})
		report, err := s.ReplaceBars(t.Context(), b.Slice(0, 0), recordedQuery.Range)
		if !errors.Is(err, kind) || kind == nil && (report.Deleted != 1 || deletes != failures) {
			t.Errorf("%d failures: got %+v, %v after %d", failures, report, err, deletes)
		}
	}
}

// TestLostWriteIsWrittenAgain is a server that says yes to a write and does not show it.
func TestLostWriteIsWrittenAgain(t *testing.T) {
	t.Parallel()
	row := barRow(0, nil)
	writes := 0
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/query" {
			writes++
			return response(r, http.StatusNoContent, nil), nil
		}
		if writes < 2 {
			return response(r, http.StatusOK, document(result(0, false))), nil
		}

		return response(r, http.StatusOK, bars(row)), nil
	})
	want, err := readAll(t, answering(t, bars(row)), recordedQuery)
	if err != nil {
		t.Fatal(err)
	}

	report, err := s.WriteBars(t.Context(), want, want.Range())
	if err != nil || report.Inserted != 1 || report.Unchanged != 0 || writes != 2 {
		t.Errorf("got %+v, %v after %d writes", report, err, writes)
	}
}
