package influx_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

// gzipStream returns the text as one gzip stream.
func gzipStream(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}

	return b.Bytes()
}

// compressingServer returns a store that requests gzip, on a server that returns the response to every query.
func compressingServer(t *testing.T, text string) *influx.Store {
	t.Helper()
	return rawServer(t, influx.Config{Compress: true, MaxResponseBytes: 1 << 20}, func(c net.Conn) {
		_, _ = io.WriteString(c, text)
	})
}

func withLength(head string, body []byte) string {
	return fmt.Sprintf("%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

func withChunks(head string, body []byte) string {
	return fmt.Sprintf("%sConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		head, len(body), body)
}

const gzipHead = head + "Content-Encoding: gzip\r\n"

func TestCompressedResponse(t *testing.T) {
	t.Parallel()
	body := recordedResponse(t, "chunked_1.8")
	zipped := gzipStream(t, body)
	for name, text := range map[string]string{
		"length":           withLength(gzipHead, zipped),
		"chunks":           withChunks(gzipHead, zipped),
		"length_not_gzip":  withLength(head, body),
		"chunks_not_gzip":  withChunks(head, body),
		"several_streams":  withLength(gzipHead, append(gzipStream(t, body[:100]), gzipStream(t, body[100:])...)),
		"name_of_encoding": withLength(head+"Content-Encoding: GZIP\r\n", zipped),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, compressingServer(t, text), recordedQuery)
			if err != nil || got.Len() != 25 {
				t.Errorf("got %s, %v; want 25 bars", got, err)
			}
		})
	}
}

func TestIncompleteCompressedResponse(t *testing.T) {
	t.Parallel()
	body := recordedResponse(t, "chunked_1.8")
	zipped := gzipStream(t, body)
	cut := zipped[:len(zipped)-1]
	wrongChecksum := slices.Clone(zipped)
	wrongChecksum[len(zipped)-8] ^= 1
	huge := gzipStream(t, append(endlessResponse(), bytes.Repeat(barTable(barColumns), 1<<14)...))
	short := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", gzipHead, len(zipped), cut)
	for name, c := range map[string]struct {
		text string
		kind error
	}{
		"cut":                {withLength(gzipHead, cut), ports.ErrIncomplete},
		"cut_in_the_header":  {withLength(gzipHead, zipped[:5]), ports.ErrIncomplete},
		"cut_after_chunk":    {withChunks(gzipHead, cut), ports.ErrIncomplete},
		"length_short":       {short, ports.ErrIncomplete},
		"neither_length":     {gzipHead + "\r\n" + string(zipped), ports.ErrIncomplete},
		"no_last_chunk":      {strings.TrimSuffix(withChunks(gzipHead, zipped), "0\r\n\r\n"), ports.ErrIncomplete},
		"wrong_checksum":     {withLength(gzipHead, wrongChecksum), ports.ErrIncomplete},
		"trailing_bytes":     {withLength(gzipHead, append(slices.Clone(zipped), 1, 2)), ports.ErrIncomplete},
		"stream_of_half":     {withLength(gzipHead, gzipStream(t, body[:len(body)/2])), ports.ErrIncomplete},
		"not_gzip":           {withLength(gzipHead, body), ports.ErrIncomplete},
		"another_encoding":   {withLength(head+"Content-Encoding: br\r\n", body), ports.ErrIncomplete},
		"larger_than_limit":  {withLength(gzipHead, huge), ports.ErrTooLarge},
		"error_is_unzipped":  {withLength(unauthorized, gzipStream(t, []byte(`{"error":"spelled out"}`))), ports.ErrAuth},
		"error_of_no_length": {unauthorized + "\r\n" + string(cut), ports.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkErrorKind(t, compressingServer(t, c.text), c.kind)
			if name == "error_is_unzipped" && !strings.Contains(err.Error(), "spelled out") {
				t.Errorf("%v does not contain the message of the server", err)
			}
		})
	}
}

const unauthorized = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"

// TestDeleteWithoutResult deletes on servers that do not return a result for a DELETE: InfluxDB 2 returns an empty list
// of results, or no body where chunks are requested.
func TestDeleteWithoutResult(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		kind error
	}{
		"result":           {withLength(head, document(result(0, false))), nil},
		"no_results":       {withLength(head, document()), nil},
		"no_body":          {withLength(head, nil), nil},
		"no_chunk":         {head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nil},
		"closed":           {head + "\r\n", ports.ErrIncomplete},
		"no_last_chunk":    {head + "Transfer-Encoding: chunked\r\n\r\n", ports.ErrIncomplete},
		"shorter_than_its": {head + "Content-Length: 5\r\n\r\n", ports.ErrIncomplete},
		"cut":              {withLength(head, document(result(0, false))[:9]), ports.ErrIncomplete},
		"more_follows":     {withLength(head, document(result(0, true))), ports.ErrIncomplete},
		"error":            {withLength(head, document(errorDocument("engine is broken"))), ports.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, compress := range []bool{false, true} {
				report, err := deleteOneBar(t, c.text, compress)
				if !errors.Is(err, c.kind) || err == nil && report.Deleted != 1 {
					t.Errorf("compress %t: got %+v, %v; want %v", compress, report, err, c.kind)
				}
			}
		})
	}
}

// deleteOneBar replaces a range with one bar by nothing, on a server that returns the response to the DELETE.
func deleteOneBar(t *testing.T, text string, compress bool) (ports.WriteReport, error) {
	t.Helper()
	stored := withLength(head, bars(barRow(5, nil)))
	s := scriptedServer(t, influx.Config{Compress: compress}, func(statement string) string {
		if strings.HasPrefix(statement, "DELETE") {
			stored = withLength(head, document(result(0, false)))
			return text
		}

		return stored
	})

	return s.DeleteBars(t.Context(), recordedKey, recordedQuery.Range)
}

// scriptedServer returns a store on a server that returns the response of respond to every statement after Open.
func scriptedServer(t *testing.T, cfg influx.Config, respond func(statement string) string) *influx.Store {
	t.Helper()
	return rawServerWithRequest(t, cfg, func(c net.Conn, r *http.Request) {
		_, _ = io.WriteString(c, respond(r.PostForm.Get("q")))
	})
}
