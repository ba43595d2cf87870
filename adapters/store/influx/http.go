package influx

import (
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

// query sends a statement and reads the whole answer: begin is told of every table, and row must decode one row from the decoder.
// No error means that the answer was provably whole. When it returns early, the connection is closed at once, so the server stops.
func (s *Store) query(ctx context.Context, st statement, begin func(table) error, row func(*decoder) error) error {
	ctx, cancel := context.WithCancel(ctx)
	response, err := s.send(ctx, st)
	if err != nil {
		cancel()
		return err
	}

	defer func() {
		cancel() // first, so that closing does not drain what the server still sends
		_ = response.Body.Close()
	}()
	if err := s.checkResponse(response); err != nil {
		return err
	}

	a := answer{decoder: newDecoder(response.Body, s.maxResponse), begin: begin, row: row}
	return a.read(st.statements)
}

// send posts the statement. Everything goes in the body, so that no proxy logs it.
func (s *Store) send(ctx context.Context, st statement) (*http.Response, error) {
	form := url.Values{"db": {s.database}, "q": {st.text}, "epoch": {"ns"}}
	if s.retention != "" {
		form.Set("rp", s.retention)
	}
	if len(st.params) > 0 {
		params, err := json.Marshal(st.params)
		if err != nil {
			return nil, err
		}

		form.Set("params", string(params))
	}

	if st.chunked {
		form.Set("chunked", "true")
		form.Set("chunk_size", strconv.Itoa(s.chunkSize))
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.queryURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}

	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", contentType)
	if !s.compress {
		request.Header.Set("Accept-Encoding", "identity")
	}

	return s.client.HTTPService().DoHTTPRequestWithResponse(request, nil)
}

// checkResponse refuses a response that is no answer of InfluxDB in msgpack with a marked end.
func (s *Store) checkResponse(r *http.Response) error {
	if r.Request != nil && r.Request.URL.Host != s.host {
		return fmt.Errorf("the server redirects to %s; give that address if it is right: %w", r.Request.URL.Host, ports.ErrUnavailable)
	}
	if r.StatusCode != http.StatusOK {
		return newServerError(r)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != contentType {
		return fmt.Errorf("the answer is %q, not %s; is this an InfluxDB, or a proxy's page?: %w",
			r.Header.Get("Content-Type"), contentType, ports.ErrIncomplete)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		return fmt.Errorf("the answer has the content encoding %q, which was not asked for: %w", encoding, ports.ErrIncomplete)
	}
	if r.ContentLength < 0 && !slices.Contains(r.TransferEncoding, "chunked") && r.ProtoMajor < 2 {
		return fmt.Errorf("the answer's end is marked neither by a length nor by chunks, so it may be cut: %w", ports.ErrIncomplete)
	}

	return nil
}

// rowsOf collects the rows of a short answer, one call a row.
func (s *Store) rowsOf(ctx context.Context, st statement, row func(t table, values []any) error) error {
	var current table
	return s.query(ctx, st, func(t table) error {
		current = t
		return nil
	}, func(d *decoder) error {
		values := make([]any, len(current.columns))
		for i := range values {
			var err error
			if values[i], err = d.value(); err != nil {
				return err
			}
		}

		return row(current, values)
	})
}

// errorCap lets no body of an error be longer than a client may hold in memory.
type errorCap struct{ next http.RoundTripper }

const maxErrorBody = 64 << 10

// RoundTrip passes the request on.
func (c errorCap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxErrorBody), response.Body}
	}

	return response, err
}
