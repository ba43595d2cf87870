package influx

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	response, err := s.sendQuery(ctx, q)
	if err != nil {
		cancel()
		return err
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

	r := responseDecoder{decoder: newDecoder(response.Body, s.maxResponse), handler: handler}

	return s.withRemedy(r.decode(q))
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

// valueHandler decodes rows of any type.
type valueHandler struct {
	table table
	row   func(t table, values []any) error
}

func (h *valueHandler) beginTable(t table) error {
	h.table = t
	return nil
}

func (h *valueHandler) decodeRow(d *decoder) error {
	values := make([]any, len(h.table.columns))
	for i := range values {
		var err error
		if values[i], err = d.readValue(); err != nil {
			return err
		}
	}

	return h.row(h.table, values)
}

// errorBodyLimiter is a transport that limits the body of an error response, because the client reads such a body into
// memory.
type errorBodyLimiter struct{ next http.RoundTripper }

// maxErrorBody is how many bytes of the body of an error response are read.
const maxErrorBody = 64 << 10

// RoundTrip sends the request and limits the body of an error response.
func (l errorBodyLimiter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxErrorBody), response.Body}
	}

	return response, err
}
