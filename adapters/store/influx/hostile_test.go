package influx_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// storeCall is a call of a store that sends requests, after one that checks the schema.
type storeCall struct {
	name     string
	requests int
	call     func(ctx context.Context, s *influx.Store) error
}

// storeCalls returns a call for each way in which the store uses the server.
func storeCalls(t *testing.T) []storeCall {
	t.Helper()
	b := minuteBars(t, recordedKey, 1)

	return []storeCall{
		{"read", 1, func(ctx context.Context, s *influx.Store) (err error) {
			for _, err = range s.ReadBars(ctx, recordedQuery).Rows() {
				if err != nil {
					return err
				}
			}

			return nil
		}},
		{"extents", 1, func(ctx context.Context, s *influx.Store) error {
			_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
			return err
		}},
		{"symbols", 1, func(ctx context.Context, s *influx.Store) error {
			_, err := ports.Collect(s.Symbols(ctx, ports.SymbolQuery{}))
			return err
		}},
		{"check", 0, func(ctx context.Context, s *influx.Store) error { return s.Check(ctx) }},
		{"write", 2, func(ctx context.Context, s *influx.Store) error {
			_, err := s.ReplaceBars(ctx, b, b.Range())
			return err
		}},
	}
}

// script sends the response to one request. It returns when the client has closed the connection.
type script func(c net.Conn)

// text sends a text and then nothing.
func text(s string) script {
	return func(c net.Conn) { _, _ = io.WriteString(c, s) }
}

// endless sends a text and then another one again and again, after a pause each time.
func endless(first, next string, pause time.Duration) script {
	return func(c net.Conn) {
		_, err := io.WriteString(c, first)
		for err == nil {
			time.Sleep(pause)
			_, err = io.WriteString(c, next)
		}
	}
}

// pipeStore returns a store whose connections are pipes to the script. So many requests have an empty result before. It
// reports every connection to another host.
func pipeStore(t *testing.T, healthy int64, serve script) (*influx.Store, func()) {
	t.Helper()
	const address = "127.0.0.1:8086"
	var requests atomic.Int64
	s, closeStore, err := influx.OpenWith(t.Context(), influx.Config{
		URL: "http://" + address, Token: secret.New(token), MaxResponseBytes: 1 << 20, Lazy: true,
	}, func(_ context.Context, _, dialed string) (net.Conn, error) {
		if dialed != address {
			t.Errorf("connects to %s", dialed)
		}

		client, server := net.Pipe()
		go func() {
			defer server.Close()
			reader := bufio.NewReader(server)
			for {
				request, err := http.ReadRequest(reader)
				if err != nil {
					return
				}

				_, _ = io.Copy(io.Discard, request.Body)
				if requests.Add(1) > healthy {
					serve(server)
					_, _ = io.Copy(io.Discard, reader)

					return
				}

				body := document(result(0, false))
				_, _ = fmt.Fprintf(server, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
			}
		}()

		return client, nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return s, closeStore
}

// TestCallsEndByTheirDeadline calls a store on scripted servers, over pipes and with a fake clock. Each call returns its
// kind of error at the deadline or before, without a goroutine left, and sends nothing to another host.
func TestCallsEndByTheirDeadline(t *testing.T) {
	t.Parallel()
	const (
		chunked  = head + "Transfer-Encoding: chunked\r\n\r\n"
		begun    = "10\r\n\xdf\x00\x00\x00\x01\xd9\x05error\xda\x3f\x00x\r\n" // of an error of 16,128 bytes
		redirect = "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: "
		failed   = "HTTP/1.1 500 Internal Server Error\r\nX-Influxdb-Version: v2.7.1\r\n"
	)
	x := strings.Repeat("x", 4<<10)
	emptyTable := string(barTable(barColumns))
	overloaded := func(status, retryAfter string) script {
		return text(fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n", status, retryAfter))
	}
	for name, c := range map[string]struct {
		serve script
		kind  error
		late  bool // whether the call may return as late as its deadline
	}{
		"hang_before_headers":  {text(""), ports.ErrTimeout, true},
		"hang_in_headers":      {text(head), ports.ErrTimeout, true},
		"hang_after_headers":   {text(head + "Content-Length: 10\r\n\r\n"), ports.ErrTimeout, true},
		"hang_in_body":         {text(chunked + begun), ports.ErrTimeout, true},
		"trickle_of_headers":   {endless("HTTP/1.1 200 OK\r\n", "a: b\r\n", time.Second), ports.ErrTimeout, true},
		"trickle_of_body":      {endless(chunked+begun, "1\r\nx\r\n", time.Second), ports.ErrTimeout, true},
		"endless_headers":      {endless("HTTP/1.1 200 OK\r\n", "a: "+x+"\r\n", 0), ports.ErrUnavailable, false},
		"endless_early_hints":  {endless("", "HTTP/1.1 103 Early Hints\r\na: "+x+"\r\n\r\n", 0), ports.ErrUnavailable, false},
		"endless_error":        {endless(failed+"Content-Length: 99999999999\r\n\r\n", x, 0), ports.ErrUnavailable, false},
		"hang_in_error":        {text(failed + "Content-Length: 10\r\n\r\n"), ports.ErrUnavailable, false},
		"trickle_of_error":     {endless(failed+"Content-Length: 99999999\r\n\r\n", "x", time.Second), ports.ErrUnavailable, false},
		"redirect_loop":        {text(redirect + "/query\r\n\r\n"), ports.ErrUnavailable, false},
		"redirect_elsewhere":   {text(redirect + "http://other.test/query\r\n\r\n"), ports.ErrUnavailable, false},
		"429_int":              {overloaded("429 Too Many Requests", "Retry-After: 7\r\n"), ports.ErrOverloaded, false},
		"429_absent":           {overloaded("429 Too Many Requests", ""), ports.ErrOverloaded, false},
		"503_int":              {overloaded("503 Busy", "Retry-After: 7\r\n"), ports.ErrOverloaded, false},
		"503_huge":             {overloaded("503 Busy", "Retry-After: 1000000000\r\n"), ports.ErrOverloaded, false},
		"503_absent":           {overloaded("503 Busy", ""), ports.ErrOverloaded, false},
		"503_date":             {overloaded("503 Busy", "Retry-After: Fri, 31 Dec 2100 00:00:00 GMT\r\n"), ports.ErrOverloaded, false},
		"endless_without_rows": {endless(head+"Content-Length: 99999999999\r\n\r\n"+string(endlessResponse()), emptyTable, 0), ports.ErrTooLarge, false},
	} {
		for _, call := range storeCalls(t) {
			for healthy := range call.requests + 1 {
				t.Run(fmt.Sprintf("%s/%s/after_%d", name, call.name, healthy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, closeStore := pipeStore(t, int64(healthy), c.serve)
						checkDeadline(t, s, call, c.kind, c.late)
						closeStore()
						time.Sleep(2 * time.Second) // until the next write of the script fails; a goroutine left is a deadlock
					})
				})
			}
		}
	}
}

// TestResponseThatDoesNotBegin proves that a read of bars ends long before its deadline if the response does not begin,
// that one which begins late is read, and that one which began may take as long as the deadline allows.
func TestResponseThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	const deadline = time.Minute
	body := recordedResponse(t, "chunked_1.8")
	header := fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, len(body))
	late := func(sent, rest string, pause time.Duration) script {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, sent)
			time.Sleep(pause)
			_, _ = io.WriteString(c, rest)
		}
	}
	never := text("")
	calls := map[string]storeCall{}
	for _, call := range storeCalls(t) {
		calls[call.name] = call
	}
	for name, c := range map[string]struct {
		call    string
		healthy int64 // requests before
		serve   script
		kind    error // nil for the bars
		took    time.Duration
	}{
		"never":           {"read", 1, never, ports.ErrTimeout, 10 * time.Second},
		"half a header":   {"read", 1, text(head), ports.ErrTimeout, 10 * time.Second},
		"late":            {"read", 1, late("", header+string(body), 9*time.Second), nil, 9 * time.Second},
		"late body":       {"read", 1, late(header, string(body), 30*time.Second), nil, 30 * time.Second},
		"endless body":    {"read", 1, text(header), ports.ErrTimeout, deadline},
		"after the limit": {"read", 1, late("", header+string(body), 11*time.Second), ports.ErrTimeout, 10 * time.Second},
		"extents":         {"extents", 1, never, ports.ErrTimeout, 10 * time.Second},
		"symbols":         {"symbols", 1, never, ports.ErrTimeout, 10 * time.Second},
		"check":           {"check", 0, never, ports.ErrTimeout, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, closeStore := pipeStore(t, c.healthy, c.serve)
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				began := time.Now()
				err := calls[c.call].call(ctx, s)
				if took := time.Since(began); !errors.Is(err, c.kind) || took != c.took {
					t.Errorf("got %v after %s, want %v after %s", err, took, c.kind, c.took)
				}
				if from, ok := errors.AsType[*ports.Error](err); ok && (from.Retryable || from.Phase == ports.PhaseConnect) {
					t.Errorf("retryable: %t, phase %q", from.Retryable, from.Phase)
				}

				closeStore()
				time.Sleep(5 * time.Second) // until the script ends
			})
		})
	}
}

// TestDeletionMayTakeLong proves that a deletion may take as long as its deadline allows.
func TestDeletionMayTakeLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const took = 20 * time.Second
		stored := recordedResponse(t, "chunked_1.8")
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}
			if !strings.HasPrefix(r.Form.Get("q"), "DELETE") {
				return response(r, http.StatusOK, stored), nil
			}

			select {
			case <-time.After(took):
				stored = document(result(0, false))
				return response(r, http.StatusOK, stored), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		began := time.Now()
		_, err := s.DeleteBars(t.Context(), recordedKey, recordedQuery.Range)
		if got := time.Since(began); err != nil || got != took {
			t.Errorf("got %v after %s, want no error after %s", err, got, took)
		}
	})
}

// checkDeadline makes the call with a deadline. It must return an error of the kind, in time: within a second unless late.
func checkDeadline(t *testing.T, s *influx.Store, call storeCall, kind error, late bool) {
	t.Helper()
	const limit, tolerance, early = 2 * time.Second, 50 * time.Millisecond, time.Second
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	err := call.call(ctx, s)
	took := time.Since(began)
	var typed *ports.Error
	switch {
	case !errors.As(err, &typed):
		t.Errorf("got %v, want a *ports.Error", err)
	case !errors.Is(err, kind):
		t.Errorf("got %v, want %v", err, kind)
	case took > limit+tolerance, !late && took > early+tolerance:
		t.Errorf("returned after %s, the deadline is %s: %v", took, limit, err)
	case strings.Contains(fmt.Sprintf("%+v", err), token):
		t.Errorf("the error contains the token: %v", err)
	}
}

// peakHeap returns by how many bytes the heap grew at most during f.
func peakHeap(f func()) int64 {
	read := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)

		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	base, peak, stop := read(), int64(0), make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for {
			peak = max(peak, read())
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	f()
	close(stop)
	sampler.Wait()

	return peak - base
}

// rowsWithoutEnd encodes the beginning of a result with 4,294,967,295 rows.
func rowsWithoutEnd(columns ...string) []byte {
	return slices.Concat([]byte{0xdf, 0, 0, 0, 1}, mpText("results"), []byte{0xdd, 0, 0, 0, 1},
		[]byte{0xdf, 0, 0, 0, 2}, mpText("statement_id"), mpInt(0), mpText("series"), []byte{0xdd, 0, 0, 0, 1},
		[]byte{0xdf, 0, 0, 0, 3}, mpText("name"), mpText("bars"), mpText("columns"), mpTexts(columns),
		mpText("values"), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
}

// appendText appends a text of msgpack, up to 64 KiB.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(append(b, 0xda), uint16(len(s))), s...)
}

// TestHugeCatalog calls a store on servers that stream 256 MB in response to a query for something else than bars. The
// heap grows by at most 64 MiB, and the error is ErrTooLarge. It is not parallel, because it measures the heap.
func TestHugeCatalog(t *testing.T) {
	long := strings.Repeat("x", 16<<10-9)
	twoTexts := func(value string) func(b []byte, i int) []byte {
		return func(b []byte, i int) []byte {
			return appendText(appendText(append(b, 0x92), "symbol"), fmt.Sprintf("%s%09d", value, i))
		}
	}
	edges := func(b []byte, i int) []byte {
		b = append(b, 0x84)
		b = append(appendText(appendText(b, "name"), "bars"), mpText("tags")...)
		b = appendText(append(b, 0x83), "symbol")
		b = appendText(b, fmt.Sprintf("S%09d", i))
		b = appendText(appendText(appendText(appendText(b, "kind"), "trade"), "grid"), "1m")
		b = append(appendText(b, "columns"), 0x92)
		b = appendText(appendText(b, "time"), "first")
		b = append(appendText(b, "values"), 0x91, 0x92)

		return append(append(b, mpInt(recordedStart.UnixNano())...), mpFloat(1)...)
	}
	calls := storeCalls(t)
	extents, symbols, check := calls[1], calls[2], calls[3]
	tagValues := rowsWithoutEnd("key", "value")
	for name, c := range map[string]struct {
		call  storeCall
		first []byte
		next  func(b []byte, i int) []byte
	}{
		"symbols":      {symbols, tagValues, twoTexts("S")},
		"long_symbols": {symbols, tagValues, twoTexts(long)},
		"tiny_rows":    {symbols, tagValues, func(b []byte, _ int) []byte { return append(b, 0x92, 0xa1, 'k', 0xa1, 'v') }},
		"extents":      {extents, endlessResponse(), edges},
		"fields":       {check, rowsWithoutEnd("fieldKey", "fieldType"), twoTexts("f")},
	} {
		t.Run(name, func(t *testing.T) {
			s := unlimitedServer(t, influx.Config{}, func(w io.Writer) error { return stream(w, c.first, c.next) })
			var err error
			grown := peakHeap(func() { err = c.call.call(t.Context(), s) })
			t.Logf("the heap grew by %d KiB: %v", grown>>10, err)
			if !errors.Is(err, ports.ErrTooLarge) {
				t.Errorf("got %v, want %v", err, ports.ErrTooLarge)
			}
			if grown > 64<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// stream writes 256 MB: the first bytes, and then one item after the other.
func stream(w io.Writer, first []byte, next func(b []byte, i int) []byte) error {
	const total, buffer = 256 << 20, 64 << 10
	b := slices.Grow(slices.Clone(first), 2*buffer)
	for sent, i := 0, 0; sent < total; {
		for ; len(b) < buffer; i++ {
			b = next(b, i)
		}
		n, err := w.Write(b)
		if err != nil {
			return err
		}

		sent += n
		b = b[:0]
	}

	return nil
}

// unlimitedServer returns a store with the default limits on a server that responds with respond to every request
// except the first one, which Open sends.
func unlimitedServer(t *testing.T, cfg influx.Config, respond func(w io.Writer) error) *influx.Store {
	t.Helper()
	var opened atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-msgpack")
		if opened.Swap(true) {
			_ = respond(w)
			return
		}

		_, _ = w.Write(document(result(0, false)))
	}))
	t.Cleanup(server.Close)
	cfg.URL = server.URL

	return openStore(t, cfg)
}

// TestHugeObjectOfTheAPI reads the retention of a bucket from a server of 2.x that streams 256 MB.
func TestHugeObjectOfTheAPI(t *testing.T) {
	s := unlimitedServer(t, influx.Config{Org: "o"}, func(w io.Writer) error {
		return stream(w, []byte(`{"buckets":[{"name":"a"}`), func(b []byte, _ int) []byte {
			return append(b, `,{"name":"a"}`...)
		})
	})
	var err error
	if grown := peakHeap(func() { _, err = s.Retention(t.Context()) }); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ports.ErrTooLarge)
	}
}

// manyRows encodes a response of more than 64 KiB whose rows hardly compress.
func manyRows() []byte {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([][]byte, 600)
	for i := range rows {
		price := mpFloat(float64(1+random.IntN(math.MaxInt32)) / 64)
		rows[i] = barRow(i, map[int][]byte{1: price, 2: price, 3: price, 4: price, 5: price})
	}

	return bars(rows...)
}

// TestAnswerCutAtAnyByte cuts a response of 64 KiB after every byte, in each way in which HTTP frames it. No cut has a
// read without an error. It cuts at every 31st byte, which meets every place of a row, and at every one in the long form.
func TestAnswerCutAtAnyByte(t *testing.T) {
	t.Parallel()
	body := manyRows()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		t.Fatal(err)
	}

	step := 31
	if effort.IsDeep() {
		step = 1
	}
	q := recordedQuery
	q.Range.End = q.Range.Start.Add(600 * time.Minute)
	chunks := func(b []byte) string {
		var text strings.Builder
		for part := range slices.Chunk(b, 4<<10) {
			fmt.Fprintf(&text, "%x\r\n%s\r\n", len(part), part)
		}

		return text.String() + "0\r\n\r\n"
	}
	const gzipped, chunked = "Content-Encoding: gzip\r\n", "Transfer-Encoding: chunked\r\n"
	lengthOf := func(b []byte) string { return fmt.Sprintf("Content-Length: %d\r\n", len(b)) }
	for name, c := range map[string]struct {
		answer     string
		isComplete bool // whether the whole answer is one
	}{
		"length":       {head + lengthOf(body) + "\r\n" + string(body), true},
		"chunked":      {head + chunked + "\r\n" + chunks(body), true},
		"gzip":         {head + gzipped + lengthOf(compressed.Bytes()) + "\r\n" + compressed.String(), true},
		"gzip_chunked": {head + gzipped + chunked + "\r\n" + chunks(compressed.Bytes()), true},
		"closed":       {head + "\r\n" + string(body), false},
		"gzip_closed":  {head + gzipped + "\r\n" + compressed.String(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := c.answer
			s := compressingStore(t, func(r *http.Request) (*http.Response, error) {
				return http.ReadResponse(bufio.NewReader(strings.NewReader(cut)), r)
			})
			if got, err := readAll(t, s, q); (err == nil) != c.isComplete || c.isComplete && got.Len() != 600 {
				t.Fatalf("the whole answer: %s, %v", got, err)
			}

			for n := 0; n < min(len(c.answer), 64<<10); n += step {
				cut = c.answer[:n]
				if got, err := readAll(t, s, q); err == nil {
					t.Fatalf("cut to %d of %d bytes: %s without an error", n, len(c.answer), got)
				}
			}
		})
	}
}

// TestAnyFlippedBitOfALedgeredSeriesIsFound flips bits of every byte of a recorded response, as on a connection without
// TLS: two bits, and all eight in the long form. A read of a series that the ledger describes has an error, or exactly the bars that were written.
func TestAnyFlippedBitOfALedgeredSeriesIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // because a read of changed bars is repeated after a pause
		s, server, want := ledgeredRecording(t)
		body := slices.Clone(server.stored)
		masks := []byte{0x01, 0x80}
		if effort.IsDeep() {
			masks = []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80}
		}
		found := 0
		for n := range body {
			for _, mask := range masks {
				server.stored[n] ^= mask
				got, err := readAll(t, s, recordedQuery)
				if err == nil && !got.Equal(want) {
					t.Fatalf("byte %d flipped by 0x%02x: other bars without an error: %s", n, mask, got)
				}
				if err != nil {
					found++
				}

				server.stored[n] = body[n]
			}
		}
		flips := len(masks) * len(body)
		t.Logf("%d of %d flips are errors; the others change no bar", found, flips)
		if found < flips*9/10 {
			t.Errorf("only %d of %d flips are errors", found, flips)
		}
	})
}

// TestCutAnswerOfALedgeredSeries cuts a recorded response after every byte, as by a server that is killed. The read is
// incomplete; the stored data is not said to be corrupt.
func TestCutAnswerOfALedgeredSeries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, server, _ := ledgeredRecording(t)
		body := server.stored
		for n := range body {
			server.stored = body[:n]
			got, err := readAll(t, s, recordedQuery)
			if !errors.Is(err, ports.ErrIncomplete) || errors.Is(err, ports.ErrCorruptData) {
				t.Fatalf("cut to %d of %d bytes: %s, %v", n, len(body), got, err)
			}
		}
	})
}

// ledgeredRecording returns a store with a ledger, its server, which has a recorded response, and the bars of that.
func ledgeredRecording(t *testing.T) (*ingest.LedgeredStore, *ledgeredServer, domain.Series) {
	t.Helper()
	body := recordedResponse(t, "chunked_1.8")
	want, err := readAll(t, storeReturning(t, body), recordedQuery)
	if err != nil {
		t.Fatal(err)
	}

	server := &ledgeredServer{stored: document(result(0, false)), written: body}
	s := ingest.WithLedger(influx.Name, "", newStore(t, fakeClient(server), influx.Config{}), ledgertest.NewMemory())
	if _, err := ports.WriteBars(t.Context(), s, want, recordedQuery.Range, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(t, s, recordedQuery); err != nil || !got.Equal(want) {
		t.Fatalf("the whole answer: %s, %v", got, err)
	}

	return s, server, want
}

// ledgeredServer is a transport that acknowledges every write, and then has the identity and the bars of it.
type ledgeredServer struct {
	identity string
	stored   []byte // the response to a read of bars
	written  []byte // stored after the next write of bars
}

// RoundTrip responds to a request.
func (l *ledgeredServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/query" {
		return l.write(r)
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}

	q := r.PostForm.Get("q")
	switch {
	case strings.Contains(q, "_identity") && l.identity != "":
		row := mpArray(mpInt(0), mpText(l.identity))
		table := mpMap(mpText("name"), mpText("bars_identity"), mpText("columns"), mpTexts([]string{"time", "identity"}),
			mpText("values"), mpArray(row))

		return response(r, http.StatusOK, document(result(0, false, table))), nil
	case strings.HasPrefix(q, `SELECT "open"`):
		return response(r, http.StatusOK, l.stored), nil
	}

	none := [][]byte{result(0, false)}
	for i := range strings.Count(q, "; ") {
		none = append(none, result(int64(i+1), false))
	}

	return response(r, http.StatusOK, document(none...)), nil
}

func (l *ledgeredServer) write(r *http.Request) (*http.Response, error) {
	line, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if _, rest, isIdentity := strings.Cut(string(line), `identity="`); isIdentity {
		l.identity, _, _ = strings.Cut(rest, `"`)
	} else {
		l.stored = l.written
	}

	return response(r, http.StatusNoContent, nil), nil
}

// compressingStore returns a store that requests gzip and whose requests go to respond, except the first one.
func compressingStore(t *testing.T, respond roundTrip) *influx.Store {
	t.Helper()
	checked := false
	s, err := influx.NewCompressing(t.Context(), roundTrip(func(r *http.Request) (*http.Response, error) {
		if !checked {
			checked = true
			return response(r, http.StatusOK, document(result(0, false))), nil
		}

		return respond(r)
	}))
	if err != nil {
		t.Fatal(err)
	}

	return s
}
