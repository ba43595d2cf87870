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

// table is one series of an answer: the rows of one combination of tags.
type table struct {
	statement int
	name      string
	tags      map[string]string
	columns   []string
	rows      int // how many rows follow; more tables of the same series may come
}

// query sends a statement and reads the whole answer: begin is told of every table, and row must decode one row from the decoder. No
// error means that the answer was provably whole. When it returns early, the connection is closed at once, so the server stops.
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

// answer reads the msgpack documents of an answer. Of every statement there are one or more results, all but the last marked partial;
// a document holds one or more results.
type answer struct {
	decoder *decoder
	begin   func(table) error
	row     func(*decoder) error

	statement int  // the statement whose results come now
	done      bool // its last result has come
	any       bool // a document has come
}

func (a *answer) read(statements int) error {
	for {
		more, err := a.decoder.more()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := a.document(); err != nil {
			return err
		}
		a.any = true
	}
	switch {
	case !a.any:
		return fmt.Errorf("the answer is empty: %w", ports.ErrIncomplete)
	case !a.done || a.statement != statements-1:
		return fmt.Errorf("the answer ends where more should follow: %w", ports.ErrIncomplete)
	}
	return nil
}

// document reads {"results": [...]} or {"error": "..."}.
func (a *answer) document() error {
	d := a.decoder
	n, err := d.dict()
	if err != nil {
		return err
	}
	if n != 1 {
		return malformed("a document of %d keys", n)
	}
	key, err := d.text()
	if err != nil {
		return err
	}
	switch key {
	case "error":
		return a.failure()
	case "results":
	default:
		return malformed("a document with the key %.40q", key)
	}
	results, err := d.array()
	if err != nil {
		return err
	}
	for range results {
		if err := a.result(); err != nil {
			return err
		}
	}
	return nil
}

// failure reads the server's own words for what went wrong.
func (a *answer) failure() error {
	text, err := a.decoder.text()
	if err != nil {
		return err
	}
	return &ServerError{Status: http.StatusOK, Message: text}
}

// result reads {"statement_id": 0, "series": [...], "partial": true}, the last of them only where more follows.
func (a *answer) result() error {
	d := a.decoder
	keys, err := d.dict()
	if err != nil {
		return err
	}
	id, partial, cut := -1, false, false
	for range keys {
		key, err := d.text()
		if err != nil {
			return err
		}
		switch key {
		case "statement_id":
			n, err := d.integer()
			if err != nil {
				return err
			}
			if err := a.expect(n); err != nil {
				return err
			}
			id = a.statement
		case "series":
			if id < 0 {
				return malformed("series of no statement")
			}
			if cut, err = a.tables(); err != nil {
				return err
			}
		case "messages":
			if err := a.messages(); err != nil {
				return err
			}
		case "partial":
			if partial, err = d.boolean(); err != nil {
				return err
			}
		case "error":
			return a.failure()
		default:
			return malformed("a result with the key %.40q", key)
		}
	}
	if id < 0 {
		return malformed("a result of no statement")
	}
	if cut && !partial {
		return fmt.Errorf("the server cut the answer off at its own row limit: %w", ports.ErrIncomplete)
	}
	a.done = !partial
	return nil
}

// expect wants the next result to be of the statement that is not finished, or of the one after a finished one.
func (a *answer) expect(id int64) error {
	want := a.statement
	if a.done {
		want++
	}
	if id != int64(want) {
		return malformed("a result of statement %d where one of %d should be", id, want)
	}
	a.statement, a.done = want, false
	return nil
}

// messages reads the server's remarks, which tell nothing that matters here.
func (a *answer) messages() error {
	d := a.decoder
	n, err := d.array()
	if err != nil {
		return err
	}
	for range n {
		keys, err := d.dict()
		if err != nil {
			return err
		}
		for range 2 * keys {
			if _, err := d.bytes(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tables reads the series of a result; cut reports that the last one goes on elsewhere.
func (a *answer) tables() (cut bool, err error) {
	n, err := a.decoder.array()
	if err != nil {
		return false, err
	}
	for range n {
		if cut, err = a.table(); err != nil {
			return false, err
		}
	}
	return cut, nil
}

// table reads {"name": ..., "tags": {...}, "columns": [...], "values": [[...]], "partial": true}.
func (a *answer) table() (cut bool, err error) {
	d := a.decoder
	keys, err := d.dict()
	if err != nil {
		return false, err
	}
	t := table{statement: a.statement}
	begun := false
	for range keys {
		key, err := d.text()
		if err != nil {
			return false, err
		}
		if begun && key != "partial" {
			return false, malformed("the key %.40q after the values", key)
		}
		switch key {
		case "name":
			t.name, err = d.text()
		case "tags":
			t.tags, err = a.tags()
		case "columns":
			t.columns, err = a.texts()
		case "values":
			begun = true
			err = a.rows(t)
		case "partial":
			cut, err = d.boolean()
		default:
			err = malformed("a series with the key %.40q", key)
		}
		if err != nil {
			return false, err
		}
	}
	if !begun {
		return false, malformed("a series without values")
	}
	return cut, nil
}

func (a *answer) rows(t table) error {
	d := a.decoder
	var err error
	if t.rows, err = d.array(); err != nil {
		return err
	}
	if err := a.begin(t); err != nil {
		return err
	}
	for range t.rows {
		width, err := d.array()
		if err != nil {
			return err
		}
		if width != len(t.columns) {
			return malformed("a row of %d values for %d columns", width, len(t.columns))
		}
		if err := a.row(d); err != nil {
			return err
		}
	}
	return nil
}

const maxNames = 64 // of columns or tags in a table

func (a *answer) tags() (map[string]string, error) {
	n, err := a.decoder.dict()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformed("%d tags", n)
	}
	tags := make(map[string]string, n)
	for range n {
		key, err := a.decoder.text()
		if err != nil {
			return nil, err
		}
		if tags[key], err = a.decoder.text(); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

func (a *answer) texts() ([]string, error) {
	n, err := a.decoder.array()
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, malformed("%d columns", n)
	}
	texts := make([]string, n)
	for i := range texts {
		if texts[i], err = a.decoder.text(); err != nil {
			return nil, err
		}
	}
	return texts, nil
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
