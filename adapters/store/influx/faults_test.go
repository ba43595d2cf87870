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

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

const token = "canary-of-a-token"

// rawServer returns a store on a server that returns an empty result for the first request, which Open sends, and
// passes every later connection to serve.
func rawServer(t *testing.T, cfg influx.Config, serve func(net.Conn)) *influx.Store {
	t.Helper()
	return rawServerWithRequest(t, cfg, func(c net.Conn, _ *http.Request) { serve(c) })
}

// rawServerWithRequest is rawServer with a serve that also receives the request, with its form parsed.
func rawServerWithRequest(t *testing.T, cfg influx.Config, serve func(net.Conn, *http.Request)) *influx.Store {
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
				if err != nil || request.ParseForm() != nil {
					return
				}

				if n == 0 {
					body := document(result(0, false))
					_, _ = fmt.Fprintf(c, "%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", head, len(body), body)
					return
				}

				serve(c, request)
			}()
		}
	}()
	cfg.URL, cfg.Token = "http://"+listener.Addr().String(), secret.New(token)

	return openStore(t, cfg)
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-msgpack\r\n"

// checkErrorKind reads bars and checks that the error has the kind and does not contain the token.
func checkErrorKind(t *testing.T, s *influx.Store, kind error) error {
	t.Helper()
	got, err := readAll(t, s, recordedQuery)
	if !errors.Is(err, kind) {
		t.Errorf("got %s, %v; want %v", got, err, kind)
	}
	if err != nil && strings.Contains(fmt.Sprintf("%+v", err), token) {
		t.Errorf("the error contains the token: %v", err)
	}

	return err
}

func TestConnectionCut(t *testing.T) {
	t.Parallel()
	body := recordedResponse(t, "chunked_1.8")
	first := document(result(0, true, barTable(barColumns, barRow(0, nil))))
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	const chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
	for name, sent := range map[string]string{
		"length_short":             fmt.Sprintf("%s%s\r\n%s", head, length, body[:len(body)/2]),
		"length_short_at_a_chunk":  fmt.Sprintf("%s%s\r\n%s", head, length, first),
		"chunk_without_terminator": fmt.Sprintf("%s%x\r\n%s\r\n", chunked, len(body), body),
		"chunk_cut":                fmt.Sprintf("%s%x\r\n%s", chunked, len(body), body[:100]),
		"closed_at_the_end":        fmt.Sprintf("%s\r\n%s", head, body), // complete, but nothing proves it
		"closed_at_a_chunk":        fmt.Sprintf("%s\r\n%s", head, first),
		"gzip_not_requested":       fmt.Sprintf("%sContent-Encoding: gzip\r\n%s\r\n%s", head, length, body),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := rawServer(t, influx.Config{}, func(c net.Conn) { _, _ = io.WriteString(c, sent) })
			_ = checkErrorKind(t, s, ports.ErrIncomplete)
		})
	}
}

func TestUnexpectedResponses(t *testing.T) {
	t.Parallel()
	complete := string(recordedResponse(t, "chunked_1.8"))
	const version, message, typ = "X-Influxdb-Version", "X-Influxdb-Error", "Content-Type"
	type headers = map[string]string
	for name, c := range map[string]struct {
		status  int
		headers headers
		body    string
		kind    error
		says    string
	}{
		"html":            {200, headers{typ: "text/html"}, "<html>log in</html>", ports.ErrIncomplete, "text/html"},
		"json":            {200, headers{typ: "application/json"}, `{"results":[]}`, ports.ErrIncomplete, "json"},
		"no_type":         {200, headers{typ: ""}, complete, ports.ErrIncomplete, "msgpack"},
		"empty":           {200, nil, "", ports.ErrIncomplete, "empty"},
		"no_content":      {204, nil, "", ports.ErrInternal, "204"},
		"html_as_msgpack": {200, nil, "<html>", ports.ErrIncomplete, "msgpack"},
		"credentials":     {401, nil, `{"error":"authorization failed"}`, ports.ErrAuth, ""},
		"forbidden":       {403, headers{message: "error authorizing query"}, "", ports.ErrPermission, "authorizing"},
		"read_privilege":  {500, headers{message: "user requires READ"}, "", ports.ErrPermission, "READ"},
		"not_found":       {404, nil, "", ports.ErrSchema, ""},
		"syntax":          {400, headers{message: "error parsing query: found EOF"}, "", ports.ErrInternal, "EOF"},
		"too_large":       {413, nil, "", ports.ErrTooLarge, ""},
		"too_many":        {429, headers{"Retry-After": "3"}, "", ports.ErrOverloaded, ""},
		"busy":            {503, nil, `{"message":"try later"}`, ports.ErrOverloaded, "try later"},
		"bad_gateway":     {502, nil, "<html>", ports.ErrUnavailable, ""},
		"500_of_1.8":      {500, headers{version: "1.8.10"}, "", ports.ErrInternal, ""},
		"500_of_a_build":  {500, headers{version: "unknown"}, "", ports.ErrInternal, ""},
		"500_of_2":        {500, headers{version: "v2.7.1"}, "", ports.ErrUnavailable, ""},
		"500_of_a_proxy":  {500, nil, "", ports.ErrUnavailable, ""},
		"500_no_database": {
			500, headers{version: "1.8.10", message: "database not found: x"}, "", ports.ErrSchema, "",
		},
		"huge_error_body":   {500, nil, strings.Repeat("x", 8<<20), ports.ErrUnavailable, "no reason"},
		"huge_error_header": {500, headers{message: strings.Repeat("x", 100_000)}, "", ports.ErrUnavailable, "xxx..."},
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
			err := checkErrorKind(t, s, c.kind)
			switch {
			case err == nil: // reported by checkErrorKind
			case !strings.Contains(err.Error(), c.says):
				t.Errorf("%.300v does not contain %q", err, c.says)
			case len(err.Error()) > 1000:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// httpServer returns a store on a server that passes every request to handle, except the first one, which Open sends.
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

	return openStore(t, influx.Config{URL: server.URL, Token: secret.New(token), MaxResponseBytes: 1 << 20})
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
		b := minuteBars(t, recordedKey, 1)
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

// TestFailedWrite writes to a server that serves the read before the write and refuses the write.
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
		"read_only_user": {
			403, `"reader" user is not authorized to write to database "m"`, ports.ErrPermission,
		},
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
			b := minuteBars(t, recordedKey, 1)
			if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, c.kind) || len(err.Error()) > 1000 {
				t.Errorf("got %.300v, want %v", err, c.kind)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request to the other host, with the authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		s := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		})
		if err := checkErrorKind(t, s, ports.ErrUnavailable); err != nil && !strings.Contains(err.Error(), other.URL) {
			t.Errorf("%v does not name the other host", err)
		}
		b := minuteBars(t, recordedKey, 1)
		if _, err := s.ReplaceBars(t.Context(), b, b.Range()); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("write: got %v", err)
		}
	}
}

func TestHugeResponse(t *testing.T) {
	t.Parallel()
	s := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-msgpack")
		_, err := w.Write(endlessResponse())
		for err == nil {
			_, err = w.Write(barTable(barColumns))
		}
	})
	_ = checkErrorKind(t, s, ports.ErrTooLarge)
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address := listener.Addr().String()
	_ = listener.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate has an unknown authority
	defer secure.Close()

	for name, c := range map[string]struct {
		url  string
		kind error
	}{
		"nobody_listens":        {"http://" + address, ports.ErrUnavailable},
		"https_to_plain_server": {"https://" + plain.Listener.Addr().String(), ports.ErrUnavailable},
		"unknown_certificate":   {secure.URL, ports.ErrAuth},
	} {
		err := ports.ErrTimeout
		for attempt := 0; attempt < 20 && errors.Is(err, ports.ErrTimeout); attempt++ { // of a handshake on a busy machine
			_, _, err = influx.Open(t.Context(), influx.Config{URL: c.url})
		}
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}
}

// TestServerHangs reads from a server that stops sending, before the headers or within the response.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	body := recordedResponse(t, "chunked_1.8")
	for name, c := range map[string]struct {
		sent  string
		phase ports.Phase
	}{
		"before_headers": {"", ports.PhaseQuery},
		"within_the_response": {
			fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:1000]), ports.PhaseRead,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{}, 9) // more than the attempts below
			s := rawServer(t, influx.Config{}, func(conn net.Conn) {
				_, _ = io.WriteString(conn, c.sent)
				_, _ = io.Copy(io.Discard, conn) // until the client closes the connection
				closed <- struct{}{}
			})

			// The deadline grows, because a busy machine may not have sent the query or received the headers by a short one.
			for limit := 100 * time.Millisecond; ; limit *= 4 {
				late, readErr := readWithDeadline(t, s, limit)
				var typed *ports.Error
				if !errors.Is(readErr, context.DeadlineExceeded) || !errors.As(readErr, &typed) ||
					!errors.Is(typed.Kind, ports.ErrTimeout) {
					t.Fatalf("got %v, want a timeout", readErr)
				}

				isClosed := awaitClose(closed)
				if typed.Phase == c.phase && late <= 2*time.Second && isClosed {
					break
				}
				if limit > 5*time.Second {
					t.Fatalf("got %v %s after the deadline, want a timeout in the phase %s; connection closed: %t",
						readErr, late, c.phase, isClosed)
				}
			}
		})
	}
}

// readWithDeadline reads with a deadline. It returns how long after the deadline it returned, and the error of the read.
func readWithDeadline(t *testing.T, s *influx.Store, limit time.Duration) (late time.Duration, readErr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	for _, err := range s.ReadBars(ctx, recordedQuery).Rows() {
		readErr = err
	}

	return time.Since(began) - limit, readErr
}

// TestBreakStopsTheServer reads from a server that never stops sending. A break, or a cancelled context, must close the
// connection.
func TestBreakStopsTheServer(t *testing.T) {
	t.Parallel()
	for _, cancelled := range []bool{false, true} {
		closed := make(chan struct{}, 1)
		s := rawServer(t, influx.Config{ChunkSize: 1}, func(c net.Conn) {
			chunk := func(body []byte) error {
				_, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(body), body)
				return err
			}
			_, err := io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
			for i := 0; err == nil; i++ {
				err = chunk(document(result(0, true, barTable(barColumns, barRow(i%60, nil)))))
				if i > 30 { // wait for the close
					_, err = c.Read(make([]byte, 1))
				}
			}

			closed <- struct{}{}
		})
		ctx, cancel := context.WithCancel(t.Context())
		for _, err := range s.ReadBars(ctx, recordedQuery).Rows() {
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

		waitForClose(t, closed)
		cancel()
	}
}

func waitForClose(t *testing.T, done <-chan struct{}) {
	t.Helper()
	if !awaitClose(done) {
		t.Error("the connection is still open after 10 s")
	}
}

// awaitClose reports whether the connection is closed within 10 s.
func awaitClose(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

// TestDeleteRetriesEngineIsClosed deletes on a server that returns "engine is closed", as InfluxDB 1.8 does while
// another database is dropped.
func TestDeleteRetriesEngineIsClosed(t *testing.T) {
	t.Parallel()
	for failures, kind := range map[int]error{3: nil, 1000: ports.ErrUnavailable} {
		stored := bars(barRow(5, nil))
		deletes, deleted := 0, false
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}

			switch {
			case strings.HasPrefix(r.PostForm.Get("q"), "SELECT") && !deleted:
				return response(r, http.StatusOK, stored), nil
			case strings.HasPrefix(r.PostForm.Get("q"), "SELECT"):
				return response(r, http.StatusOK, document(result(0, false))), nil
			case deletes < failures:
				deletes++
				return response(r, http.StatusOK, document(errorDocument("engine is closed"))), nil
			}

			deleted = true

			return response(r, http.StatusOK, document(result(0, false))), nil
		})
		report, err := s.DeleteBars(t.Context(), recordedKey, recordedQuery.Range)
		if !errors.Is(err, kind) || kind == nil && (report.Deleted != 1 || deletes != failures) {
			t.Errorf("%d failures: got %+v, %v after %d", failures, report, err, deletes)
		}
	}
}

// TestLostWriteIsRepeated writes to a server that acknowledges the first write and does not show it to reads.
func TestLostWriteIsRepeated(t *testing.T) {
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
	want, err := readAll(t, storeReturning(t, bars(row)), recordedQuery)
	if err != nil {
		t.Fatal(err)
	}

	report, err := ports.WriteBars(t.Context(), s, want, want.Range(), ports.ConflictReplace)
	if err != nil || report.Inserted != 1 || report.Unchanged != 0 || writes != 2 {
		t.Errorf("got %+v, %v after %d writes", report, err, writes)
	}
}
