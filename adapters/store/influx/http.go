package influx

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports"
)

const contentType = "application/x-msgpack"

// runQuery is runUnchecked after the first check of the schema.
func (s *Store) runQuery(ctx context.Context, q query, handler rowHandler) error {
	if err := s.ensureChecked(ctx); err != nil {
		return err
	}

	return s.runUnchecked(ctx, q, handler)
}

// runUnchecked sends the query and passes the rows of its response to the handler. It returns nil only if the response
// is complete. If it returns early, it closes the connection at once, so that the server stops.
func (s *Store) runUnchecked(ctx context.Context, q query, handler rowHandler) error {
	ctx, cancel := context.WithCancel(ctx)
	response, err := s.awaitResponse(ctx, cancel, q)
	if err != nil {
		cancel()
		return s.withRemedy(err)
	}

	defer func() {
		cancel() // must be first, because Close would otherwise read the rest of the body
		_ = response.Body.Close()
	}()

	if version := response.Header.Get("X-Influxdb-Version"); version != "" {
		s.version.Store(&version)
	}
	if err := s.checkResponse(response); err != nil {
		return s.withRemedy(err)
	}

	r := responseDecoder{decoder: s.newDecoder(response.Body, q), handler: handler}

	return s.withRemedy(r.decode(q))
}

// maxHeaderWait is how long the response to a read may take to begin. A 1.8 server sends the header as soon as it has
// parsed the query, and a 2.x server together with the first chunk of bars, or with a catalog of at most maxShortBytes.
// So a server that sends none for longer hangs, and must not keep a call until its deadline. A deletion has no such
// limit, because a 2.x server sends the header when it has deleted all.
const maxHeaderWait = 10 * time.Second

var errNoResponse = fmt.Errorf("no response began within %s: %w", maxHeaderWait, ports.ErrTimeout)

// awaitResponse sends the query and returns its response when it begins. It calls cancel, which must end ctx, if that
// takes too long.
func (s *Store) awaitResponse(ctx context.Context, cancel context.CancelFunc, q query) (*http.Response, error) {
	if q.noResult {
		return s.sendQuery(ctx, q)
	}

	limit := time.AfterFunc(maxHeaderWait, cancel)
	response, err := s.sendQuery(ctx, q)
	if limit.Stop() {
		return response, err
	}
	if err == nil {
		_ = response.Body.Close() // it began too late
	}

	return nil, errNoResponse
}

const (
	// maxShortBytes limits the response to a query that returns no bars, over all of its statements.
	maxShortBytes = 32 << 20

	// maxShortRows limits the rows of such a response, because its rows are stored and not passed on.
	maxShortRows = 100_000
)

// divideSeries is the advice for a measurement whose catalog exceeds a limit.
const divideSeries = "divide the series among several measurements"

// newDecoder returns a decoder with the limit of the response. Bars are passed on in pieces, so the configured limit
// holds for each statement. The rows of every other response are stored, so its limit holds for all statements
// together.
func (s *Store) newDecoder(body io.Reader, q query) *decoder {
	d := newDecoder(body, s.maxResponse)
	if !q.chunked && d.limit > maxShortBytes {
		d.limit, d.left, d.advice = maxShortBytes, maxShortBytes, divideSeries
	}

	return d
}

// maxObject limits an object of the API of 2.x, in bytes.
const maxObject = 1 << 20

// decodeObject decodes JSON of at most maxObject bytes. kind names the object in errors.
func decodeObject(body io.Reader, kind string, object any) error {
	limited := io.LimitedReader{R: body, N: maxObject + 1}
	err := json.NewDecoder(&limited).Decode(object)
	switch {
	case limited.N <= 0:
		return fmt.Errorf("decode %s: the response is longer than %d bytes; check that the URL is that of an InfluxDB: %w",
			kind, maxObject, ports.ErrTooLarge)
	case err != nil:
		return fmt.Errorf("decode %s: %w", kind, errors.Join(ports.ErrIncomplete, err))
	}

	return nil
}

// sendQuery posts the query. The parameters go into the body, because proxies log URLs.
func (s *Store) sendQuery(ctx context.Context, q query) (*http.Response, error) {
	form := url.Values{"db": {s.database}, "q": {q.text}, "epoch": {"ns"}}
	if s.retention != "" {
		form.Set("rp", s.retention)
	}
	if len(q.params) > 0 {
		params, err := json.Marshal(q.params)
		if err != nil {
			return nil, err
		}

		form.Set("params", string(params))
	}
	if q.chunked {
		form.Set("chunked", "true")
		form.Set("chunk_size", strconv.Itoa(s.chunkSize))
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.queryURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}

	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", contentType)
	request.Header.Set("Accept-Encoding", s.encoding())

	response, err := s.client.HTTPService().DoHTTPRequestWithResponse(request, nil)
	if err == nil && s.compress && isGzip(response) {
		response.Body = &gzipBody{compressed: response.Body}
		response.Header.Del("Content-Encoding")
	}

	return response, err
}

// encoding returns the value of the header Accept-Encoding. It is always set, because otherwise the transport of
// net/http requests gzip itself and hides the length of a response that it decompresses.
func (s *Store) encoding() string {
	if s.compress {
		return "gzip"
	}
	return "identity"
}

func isGzip(r *http.Response) bool {
	return strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip")
}

// gzipBody decompresses a body. Read returns io.EOF only at the end of the body, after a complete gzip stream.
type gzipBody struct {
	compressed io.ReadCloser
	reader     *gzip.Reader // nil before the first read
}

// Read reads decompressed bytes. A body of 0 bytes is empty, because a response without a body has no gzip stream.
func (b *gzipBody) Read(p []byte) (n int, err error) {
	if b.reader == nil {
		if b.reader, err = gzip.NewReader(b.compressed); err != nil {
			return 0, err
		}
	}

	return b.reader.Read(p)
}

// Close closes the compressed body.
func (b *gzipBody) Close() error { return b.compressed.Close() }

// checkResponse returns an error unless the response is msgpack, from the configured host, with a marked end.
func (s *Store) checkResponse(r *http.Response) error {
	if r.Request != nil && r.Request.URL.Host != s.host {
		return fmt.Errorf("the server redirects to %s; configure that URL if it is right: %w",
			r.Request.URL.Host, ports.ErrUnavailable)
	}
	if r.StatusCode != http.StatusOK {
		return newServerError(r)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != contentType {
		return fmt.Errorf("the response is %q, not %s; check that the URL is that of an InfluxDB, not of a proxy: %w",
			r.Header.Get("Content-Type"), contentType, ports.ErrIncomplete)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		return fmt.Errorf("the response has the content encoding %q, which was not requested: %w",
			encoding, ports.ErrIncomplete)
	}
	if r.ContentLength < 0 && !slices.Contains(r.TransferEncoding, "chunked") && r.ProtoMajor < 2 {
		return fmt.Errorf("neither a length nor chunks mark the end of the response, so it may be cut: %w",
			ports.ErrIncomplete)
	}

	return nil
}

// queryRows runs a query with a short result and calls row for each of its rows.
func (s *Store) queryRows(ctx context.Context, q query, row func(t table, values []any) error) error {
	return s.runQuery(ctx, q, &valueHandler{row: row})
}

// execute runs a statement that has no result.
func (s *Store) execute(ctx context.Context, q query) error { return s.queryRows(ctx, q, ignoreRow) }

// ignoreRow is for a statement that has no result.
func ignoreRow(table, []any) error { return nil }

// valueHandler decodes at most maxShortRows rows of any type.
type valueHandler struct {
	table table
	rows  int // decoded so far
	row   func(t table, values []any) error
}

func (h *valueHandler) beginTable(t table) error {
	h.table = t
	return nil
}

func (h *valueHandler) decodeRow(d *decoder) error {
	if h.rows++; h.rows > maxShortRows {
		return fmt.Errorf("the response has more than %d rows; "+divideSeries+": %w", maxShortRows, ports.ErrTooLarge)
	}

	values := make([]any, len(h.table.columns))
	for i := range values {
		var err error
		if values[i], err = d.readValue(); err != nil {
			return err
		}
	}

	return h.row(h.table, values)
}

// tokenReader is a transport that authenticates each request with the token in a file.
type tokenReader struct {
	path string
	next http.RoundTripper
}

// RoundTrip sends a copy of the request with the token. It sends nothing if the token cannot be read.
func (t tokenReader) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := secret.ReadFile("token_file", t.path)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}

		return nil, err
	}

	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Token "+token)

	return t.next.RoundTrip(r)
}

// errorBodyLimiter is a transport that limits the body of an error response in size and time, because the client reads
// such a body into memory, and because its status is known without it.
type errorBodyLimiter struct{ next http.RoundTripper }

const (
	maxErrorBody  = 64 << 10    // how many bytes of the body of an error response are read
	errorBodyTime = time.Second // after which the rest of such a body is not waited for
)

// RoundTrip sends the request and limits the body of an error response.
func (l errorBodyLimiter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		body := response.Body
		response.Body = errorBody{
			Reader: io.LimitReader(body, maxErrorBody), body: body,
			timer: time.AfterFunc(errorBodyTime, func() { _ = body.Close() }),
		}
	}

	return response, err
}

// errorBody is a limited body, which the timer closes.
type errorBody struct {
	io.Reader
	body  io.Closer
	timer *time.Timer
}

// Close stops the timer and closes the body.
func (b errorBody) Close() error {
	b.timer.Stop()
	return b.body.Close()
}
