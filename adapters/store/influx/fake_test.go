package influx_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// recordedQuery is the query of the recorded responses, whose result is 25 bars, one of them with a number that no
// float stores.
var (
	recordedKey   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	recordedStart = time.Unix(1709163000, 0).UTC()
	recordedQuery = ports.BarQuery{
		Key:   recordedKey,
		Range: domain.Range{Start: recordedStart, End: recordedStart.Add(time.Hour)},
	}
)

func recordedResponse(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".msgpack"))
	if err != nil {
		tb.Fatal(err)
	}

	return b
}

// roundTrip is a transport that is a function: a server without a socket.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// response returns a well-formed response with the body and its length.
func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-msgpack"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// fakeClient returns a client whose requests go to the transport.
func fakeClient(transport http.RoundTripper) influxdb2.Client {
	return influxdb2.NewClientWithOptions("http://influx.test", "",
		influxdb2.DefaultOptions().SetApplicationName("test").SetHTTPClient(&http.Client{Transport: transport}))
}

// fakeStore returns a store whose requests go to respond, except the first one, which Open sends.
func fakeStore(tb testing.TB, cfg influx.Config, respond roundTrip) *influx.Store {
	tb.Helper()
	opened := false
	client := fakeClient(roundTrip(func(r *http.Request) (*http.Response, error) {
		if !opened {
			opened = true
			return response(r, http.StatusOK, document(result(0, false))), nil
		}

		return respond(r)
	}))

	return newStore(tb, client, cfg)
}

// storeReturning returns a store that receives the body as the response to every query.
func storeReturning(tb testing.TB, body []byte) *influx.Store {
	return fakeStore(tb, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusOK, body), nil
	})
}

// readAll returns the bars of the query. If the read fails, it returns the error and the bars before it.
func readAll(tb testing.TB, s ports.BarReader, q ports.BarQuery) (domain.Series, error) {
	tb.Helper()
	b := domain.NewSeriesBuilder(q.Key, 0)
	var readErr error
	for piece, err := range s.ReadBars(tb.Context(), q).Rows() {
		if err != nil {
			readErr = err
		} else if err := b.AppendSeries(piece); err != nil {
			tb.Fatal(err)
		}
	}

	got, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return got, readErr
}

// The functions below encode msgpack, for responses that a real server does not send.

func mpText(s string) []byte { return append([]byte{0xd9, byte(len(s))}, s...) }

func mpFloat(f float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0xcb}, math.Float64bits(f))
}

func mpInt(i int64) []byte { return binary.BigEndian.AppendUint64([]byte{0xd3}, uint64(i)) }

func mpArray(items ...[]byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(len(items))), slices.Concat(items...))
}

// mpMap encodes a map of alternating keys and values.
func mpMap(items ...[]byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32([]byte{0xdf}, uint32(len(items)/2)), slices.Concat(items...))
}

var (
	mpNil   = []byte{0xc0}
	mpFalse = []byte{0xc2}
	mpTrue  = []byte{0xc3}
)

// document encodes a response with the results.
func document(results ...[]byte) []byte { return mpMap(mpText("results"), mpArray(results...)) }

// errorDocument encodes a response with an error.
func errorDocument(text string) []byte { return mpMap(mpText("error"), mpText(text)) }

// result encodes a result of the statement. partial announces another result of the same statement.
func result(statement int64, partial bool, tables ...[]byte) []byte {
	items := [][]byte{mpText("statement_id"), mpInt(statement), mpText("series"), mpArray(tables...)}
	if partial {
		items = append(items, mpText("partial"), mpTrue)
	}

	return mpMap(items...)
}

// endlessResponse encodes the beginning of a response with 4,294,967,295 tables; each must be a barTable.
func endlessResponse() []byte {
	return slices.Concat([]byte{0xdf, 0, 0, 0, 1}, mpText("results"), []byte{0xdd, 0, 0, 0, 1},
		[]byte{0xdf, 0, 0, 0, 2}, mpText("statement_id"), mpInt(0), mpText("series"), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
}

// barColumns are the columns of a result with bars.
var barColumns = []string{
	"time", "open", "high", "low", "close", "volume", "trades", "exact", "symbol", "kind", "grid",
}

// barTable encodes a table of the measurement bars.
func barTable(columns []string, rows ...[]byte) []byte {
	return mpMap(
		mpText("name"), mpText("bars"), mpText("columns"), mpTexts(columns), mpText("values"), mpArray(rows...))
}

func mpTexts(texts []string) []byte {
	var all [][]byte
	for _, t := range texts {
		all = append(all, mpText(t))
	}

	return mpArray(all...)
}

// barRow encodes a valid row at minute n, with the values of the columns in change replaced.
func barRow(n int, change map[int][]byte) []byte {
	values := [][]byte{
		mpInt(recordedStart.Add(time.Duration(n) * time.Minute).UnixNano()),
		mpFloat(1.5), mpFloat(2.5), mpFloat(1.25), mpFloat(2), mpFloat(100), mpInt(7), mpText(""),
		mpText("BTC/USD"), mpText("trade"), mpText("1m"),
	}
	for i, v := range change {
		values[i] = v
	}

	return mpArray(values...)
}

// bars encodes a complete response with the rows.
func bars(rows ...[]byte) []byte {
	return document(result(0, false, barTable(barColumns, rows...)))
}
