package influx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// inBatch reads the bars of a query as the second of three queries in a batch.
type inBatch struct{ next ports.BatchReader }

func (r inBatch) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		for piece, err := range r.next.ReadBatch(ctx, []ports.BarQuery{q, q, q}) {
			if (piece.Query == 1 || err != nil) && !yield(piece.Bars, err) {
				return
			}
		}
	})
}

// countBatch returns how many bars the result of each query has.
func countBatch(tb testing.TB, s ports.BatchReader, queries ...ports.BarQuery) (counts []int, readErr error) {
	tb.Helper()
	counts = make([]int, len(queries))
	for piece, err := range s.ReadBatch(tb.Context(), queries) {
		if readErr = err; err == nil {
			counts[piece.Query] += piece.Bars.Len()
		}
	}

	return counts, readErr
}

// statementsOf returns the statements of a request.
func statementsOf(tb testing.TB, r *http.Request) []string {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}

	form, err := url.ParseQuery(string(body))
	if err != nil {
		tb.Fatal(err)
	}

	if text := form.Get("q"); len(text) > 8<<10 {
		tb.Errorf("a query of %d bytes", len(text))
	}

	return strings.Split(form.Get("q"), "; ")
}

// TestBatchRequestCount counts the requests and the statements of a batch.
func TestBatchRequestCount(t *testing.T) {
	t.Parallel()
	day := domain.Range{Start: recordedStart, End: recordedStart.AddDate(0, 0, 1)} // 1440 bars
	year := domain.Range{Start: recordedStart, End: recordedStart.AddDate(1, 0, 0)}
	for name, c := range map[string]struct {
		query           ports.BarQuery
		queries         int
		least, requests int // the allowed numbers of requests
	}{
		"none":     {ports.BarQuery{Key: recordedKey, Range: day}, 0, 0, 0},
		"one":      {ports.BarQuery{Key: recordedKey, Range: day}, 1, 1, 1},
		"short":    {ports.BarQuery{Key: recordedKey, Range: day, Last: 500}, 500, 1, 25}, // limited by maxQueryText
		"long":     {ports.BarQuery{Key: recordedKey, Range: year}, 20, 20, 20},           // limited by maxRequestBars
		"tail":     {ports.BarQuery{Key: recordedKey, Range: year, Last: 10}, 20, 1, 1},
		"no_range": {ports.BarQuery{Key: recordedKey, Range: domain.Range{Start: day.Start, End: day.Start}}, 20, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests, statements := 0, 0
			s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
				requests++
				var results [][]byte
				for i, text := range statementsOf(t, r) {
					if !strings.HasPrefix(text, "SELECT ") {
						t.Errorf("%q", text)
					}
					statements++
					results = append(results, result(int64(i), false))
				}

				return response(r, http.StatusOK, document(results...)), nil
			})
			counts, err := countBatch(t, s, slices.Repeat([]ports.BarQuery{c.query}, c.queries)...)
			if err != nil || slices.ContainsFunc(counts, func(n int) bool { return n > 0 }) {
				t.Errorf("%v, %v", counts, err)
			}
			if requests < c.least || requests > c.requests || requests > 0 && statements != c.queries {
				t.Errorf("%d requests with %d statements; want %d to %d with %d",
					requests, statements, c.least, c.requests, c.queries)
			}
		})
	}
}

// threeResults encodes the response to a batch of three queries, with 3, 0 and 1 bars.
func threeResults() []byte {
	return slices.Concat(
		document(result(0, true, barTable(barColumns, barRow(0, nil), barRow(1, nil)))),
		document(result(0, false, barTable(barColumns, barRow(2, nil)))),
		document(result(1, false)),
		document(result(2, false, barTable(barColumns, barRow(0, nil)))),
	)
}

var threeQueries = []ports.BarQuery{recordedQuery, recordedQuery, recordedQuery}

func TestBatchResponseCutAtAnyByte(t *testing.T) {
	t.Parallel()
	body := threeResults()
	cut := body
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusOK, cut), nil
	})
	if counts, err := countBatch(t, s, threeQueries...); err != nil || !slices.Equal(counts, []int{3, 0, 1}) {
		t.Fatalf("complete response: %v, %v", counts, err)
	}

	for n := range body {
		cut = body[:n]
		if counts, err := countBatch(t, s, threeQueries...); !errors.Is(err, ports.ErrIncomplete) {
			t.Fatalf("cut to %d of %d bytes: %v, %v", n, len(body), counts, err)
		}
	}
}

func TestBatchMalformedResponses(t *testing.T) {
	t.Parallel()
	rows := func(statement int64) []byte { return result(statement, false, barTable(barColumns, barRow(0, nil))) }
	notExecuted := mpMap(mpText("statement_id"), mpInt(1), mpText("error"), mpText("not executed"))
	otherMeasurement := mpMap(
		mpText("name"), mpText("other"), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray())
	otherSeries := barTable(barColumns, barRow(0, map[int][]byte{8: mpText("ETH/USD")}))
	twoBars := barTable(barColumns, barRow(1, nil), barRow(0, nil))
	for name, c := range map[string]struct {
		body []byte
		kind error
	}{
		"one_missing_at_the_end":    {document(rows(0), rows(1)), ports.ErrIncomplete},
		"one_missing_in_between":    {document(rows(0), rows(2)), ports.ErrIncomplete},
		"one_too_many":              {document(rows(0), rows(1), rows(2), rows(3)), ports.ErrIncomplete},
		"out_of_order":              {document(rows(1), rows(0), rows(2)), ports.ErrIncomplete},
		"one_is_continued":          {document(rows(0), result(1, true), rows(2)), ports.ErrIncomplete},
		"one_comes_twice":           {document(rows(0), rows(0), rows(1)), ports.ErrIncomplete},
		"not_executed":              {document(rows(0), notExecuted), ports.ErrInternal},
		"of_another_measurement":    {document(rows(0), result(1, false, otherMeasurement)), ports.ErrIncomplete},
		"a_row_of_another_series":   {document(rows(0), result(1, false, otherSeries), rows(2)), ports.ErrCorruptData},
		"more_than_the_limit_of_it": {document(rows(0), rows(1), result(2, false, twoBars)), ports.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := recordedQuery
			last.Last = 1
			counts, err := countBatch(t, storeReturning(t, c.body), recordedQuery, recordedQuery, last)
			if !errors.Is(err, c.kind) {
				t.Errorf("%v, %v; want %v", counts, err, c.kind)
			}
		})
	}
}

// TestBatchSizeLimitAppliesToEachResult reads results that exceed the limit together, but not one by one.
func TestBatchSizeLimitAppliesToEachResult(t *testing.T) {
	t.Parallel()
	const n = 2000 // rows a result, more than the buffer of the decoder
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = barRow(i, nil)
	}
	long := recordedQuery
	long.Range.End = recordedStart.Add(n * time.Minute)
	body := document(result(0, false, barTable(barColumns, rows...)), result(1, false, barTable(barColumns, rows...)))
	respond := func(r *http.Request) (*http.Response, error) { return response(r, http.StatusOK, body), nil }

	each := int64(len(body)) / 2
	s := fakeStore(t, influx.Config{MaxResponseBytes: each + 128<<10}, respond)
	if counts, err := countBatch(t, s, long, long); err != nil || counts[1] != n {
		t.Errorf("%v, %v", counts, err)
	}
	s = fakeStore(t, influx.Config{MaxResponseBytes: each / 2}, respond)
	if counts, err := countBatch(t, s, long, long); !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("%v, %v", counts, err)
	}
}

// TestBatchResumesAtIncompleteBar reads a batch whose second result has an incomplete bar at first: the first query is
// not sent again, the second one is sent from that bar on, and the third one as it was.
func TestBatchResumesAtIncompleteBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := func(rows ...[]byte) []byte { return barTable(barColumns, rows...) }
		incomplete := barRow(1, map[int][]byte{4: mpNil})
		responses := [][]byte{
			document(result(0, false, table(barRow(0, nil))), result(1, false, table(barRow(0, nil), incomplete))),
			document(result(0, false, table(incomplete))),
			document(result(0, false, table(barRow(1, nil), barRow(2, nil))), result(1, false, table(barRow(0, nil)))),
		}
		var statements []int // of each request
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			statements = append(statements, len(statementsOf(t, r)))
			body := responses[0]
			responses = responses[1:]
			return response(r, http.StatusOK, body), nil
		})

		counts, err := countBatch(t, s, threeQueries...)
		if err != nil || !slices.Equal(counts, []int{1, 3, 1}) || !slices.Equal(statements, []int{3, 2, 2}) {
			t.Errorf("%v, %v, requests with %v statements", counts, err, statements)
		}
	})
}

// TestBatchOfAnExistingLayout reads the exchanges in one request and the bars in another.
func TestBatchOfAnExistingLayout(t *testing.T) {
	t.Parallel()
	cfg := existing(t)
	s := openStore(t, cfg)
	minute := domain.Minute1.UTC()
	of := func(symbol domain.Symbol) ports.BarQuery {
		return ports.BarQuery{Key: domain.SeriesKey{Symbol: symbol, Grid: minute}, Range: allTime}
	}
	hours := of("ETH/USD")
	hours.Key.Grid = domain.Hour1.UTC()
	limited := of("KRAKEN:BTC/USD")
	limited.Last = 2
	queries := []ports.BarQuery{
		of("NO/SUCH"), of("ETH/USD"), of("COINBASE:BTC/USD"), hours, of("BINANCE:BTC/USD"), limited,
	}
	counts, err := countBatch(t, s, queries...)
	if err != nil || !slices.Equal(counts, []int{0, 3, 3, 0, 0, 2}) {
		t.Errorf("%v, %v", counts, err)
	}

	_, err = countBatch(t, s, of("ETH/USD"), of("BTC/USD"))
	if !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "coinbase, kraken") {
		t.Errorf("got %v, want an error that names both exchanges", err)
	}
}

func TestBatchErrorsNameTheBatch(t *testing.T) {
	t.Parallel()
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusServiceUnavailable, nil), nil
	})
	for n, want := range []string{"", "read batch BTC/USD 1m: ", "read batch BTC/USD 1m and 1 more: "} {
		_, err := countBatch(t, s, slices.Repeat([]ports.BarQuery{recordedQuery}, n)...)
		switch {
		case n == 0 && err == nil:
		case n > 0 && errors.Is(err, ports.ErrOverloaded) && strings.Contains(err.Error(), want):
		default:
			t.Errorf("%d queries: %v", n, err)
		}
	}
}

// FuzzBatchResponse decodes random responses to a batch. The read must return an error or results that keep the
// contract of ports.BatchReader, and must not panic.
func FuzzBatchResponse(f *testing.F) {
	body := threeResults()
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add(bytes.ReplaceAll(body, mpText("statement_id"), mpText("statement_if")))
	f.Add(document(result(0, false), result(1, false), result(2, false)))
	f.Fuzz(func(t *testing.T, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			current := 0
			var previous domain.Series
			for piece, err := range storeReturning(t, body).ReadBatch(t.Context(), threeQueries) {
				if err != nil {
					return
				}
				if piece.Query < current || piece.Query >= len(threeQueries) || piece.Bars.Len() == 0 {
					t.Fatalf("a piece of query %d, %s, after one of %d", piece.Query, piece.Bars, current)
				}
				if piece.Query == current && previous.Len() > 0 && previous.Range().End.After(piece.Bars.OpenTime(0)) {
					t.Fatal("pieces overlap")
				}

				current, previous = piece.Query, piece.Bars
			}
		})
	})
}
