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

// recordedKey and recordedRange are what the recorded answers are about: 25 bars, one of them with wide numbers.
var (
	recordedKey   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	recordedStart = time.Unix(1709163000, 0).UTC()
	recordedQuery = ports.BarQuery{Key: recordedKey, Range: domain.Range{Start: recordedStart, End: recordedStart.Add(time.Hour)}}
)

func recorded(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".msgpack"))
	if err != nil {
		tb.Fatal(err)
	}

	return b
}

// roundTrip is a server without a socket.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// response is a well-formed answer of the body, its length told.
func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-msgpack"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// fakeStore is a store whose every query but the first, that of Open, is answered by respond.
func fakeStore(tb testing.TB, cfg influx.Config, respond roundTrip) *influx.Store {
	tb.Helper()
	opened := false
	cfg.Client = influxdb2.NewClientWithOptions("http://influx.test", "", influxdb2.DefaultOptions().SetApplicationName("test").
		SetHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if !opened {
				opened = true
				return response(r, http.StatusOK, document(result(0, false))), nil
			}
			return respond(r)
		})}))

	return openStore(tb, cfg)
}

// answering is a store that answers every query with the body.
func answering(tb testing.TB, body []byte) *influx.Store {
	return fakeStore(tb, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusOK, body), nil
	})
}

// readAll collects an answer; the bars that came before an error are returned with it.
func readAll(tb testing.TB, s ports.BarReader, q ports.BarQuery) (domain.Series, error) {
	tb.Helper()
	whole := domain.NewSeriesBuilder(q.Key, 0)
	var failed error
	for piece, err := range s.ReadBars(tb.Context(), q) {
		if err != nil {
			failed = err
		} else if err := whole.AppendSeries(piece); err != nil {
			tb.Fatal(err)
		}
	}

	got, err := whole.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return got, failed
}

// A few words of msgpack, to say what no server of ours would.

func mpText(s string) []byte { return append([]byte{0xd9, byte(len(s))}, s...) }

func mpFloat(f float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0xcb}, math.Float64bits(f))
}

func mpInt(i int64) []byte { return binary.BigEndian.AppendUint64([]byte{0xd3}, uint64(i)) }

func mpArray(items ...[]byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(len(items))), slices.Concat(items...))
}

// mpMap takes keys and values by turns.
func mpMap(items ...[]byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32([]byte{0xdf}, uint32(len(items)/2)), slices.Concat(items...))
}

var (
	mpNil  = []byte{0xc0}
	mpTrue = []byte{0xc3}
)

func document(results ...[]byte) []byte { return mpMap(mpText("results"), mpArray(results...)) }

func failing(text string) []byte { return mpMap(mpText("error"), mpText(text)) }

func result(statement int64, partial bool, tables ...[]byte) []byte {
	items := [][]byte{mpText("statement_id"), mpInt(statement), mpText("series"), mpArray(tables...)}
	if partial {
		items = append(items, mpText("partial"), mpTrue)
	}
	return mpMap(items...)
}

var barColumns = []string{"time", "open", "high", "low", "close", "volume", "trades", "exact", "whole", "symbol", "kind", "grid"}

// tableOf is rows of bars.
func tableOf(columns []string, rows ...[]byte) []byte {
	return mpMap(mpText("name"), mpText("bars"), mpText("columns"), mpTexts(columns), mpText("values"), mpArray(rows...))
}

func mpTexts(texts []string) []byte {
	var all [][]byte
	for _, t := range texts {
		all = append(all, mpText(t))
	}
	return mpArray(all...)
}

// barRow is a good row at the n-th minute, its values replaced where change says so.
func barRow(n int, change map[int][]byte) []byte {
	values := [][]byte{
		mpInt(recordedStart.Add(time.Duration(n) * time.Minute).UnixNano()),
		mpFloat(1.5), mpFloat(2.5), mpFloat(1.25), mpFloat(2), mpFloat(100), mpInt(7), mpText(""), mpNil,
		mpText("BTC/USD"), mpText("trade"), mpText("1m"),
	}
	for i, v := range change {
		values[i] = v
	}

	return mpArray(values...)
}

// bars is a whole answer of the rows.
func bars(rows ...[]byte) []byte {
	return document(result(0, false, tableOf(barColumns, rows...)))
}
