package influx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
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

// inBatch reads what it is asked for in the middle of a batch.
type inBatch struct{ next ports.BatchReader }

func (r inBatch) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for piece, err := range r.next.ReadBatch(ctx, []ports.BarQuery{q, q, q}) {
			if (piece.Query == 1 || err != nil) && !yield(piece.Bars, err) {
				return
			}
		}
	}
}

// batch collects how many bars each answer has.
func batch(tb testing.TB, s ports.BatchReader, queries ...ports.BarQuery) (counts []int, failed error) {
	tb.Helper()
	counts = make([]int, len(queries))
	for piece, err := range s.ReadBatch(tb.Context(), queries) {
		if failed = err; err == nil {
			counts[piece.Query] += piece.Bars.Len()
		}
	}

	return counts, failed
}

// texts is what the statements of a request are.
func texts(tb testing.TB, r *http.Request) []string {
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

// TestBatchIsAFewRequests counts what goes over the wire.
func TestBatchIsAFewRequests(t *testing.T) {
	t.Parallel()
	day := domain.Range{Start: recordedStart, End: recordedStart.AddDate(0, 0, 1)} // 1440 bars
	year := domain.Range{Start: recordedStart, End: recordedStart.AddDate(1, 0, 0)}
	for name, c := range map[string]struct {
		query           ports.BarQuery
		queries         int
		least, requests int // at least and at most
	}{
		"none":     {ports.BarQuery{Key: recordedKey, Range: day}, 0, 0, 0},
		"one":      {ports.BarQuery{Key: recordedKey, Range: day}, 1, 1, 1},
		"short":    {ports.BarQuery{Key: recordedKey, Range: day, Last: 500}, 500, 1, 25}, // for the length of the text
		"long":     {ports.BarQuery{Key: recordedKey, Range: year}, 20, 20, 20},           // for the number of bars
		"tail":     {ports.BarQuery{Key: recordedKey, Range: year, Last: 10}, 20, 1, 1},
		"no_range": {ports.BarQuery{Key: recordedKey, Range: domain.Range{Start: day.Start, End: day.Start}}, 20, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests, statements := 0, 0
			s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
				requests++
				var results [][]byte
				for i, text := range texts(t, r) {
					if !strings.HasPrefix(text, "SELECT ") {
						t.Errorf("%q", text)
					}
					statements++
					results = append(results, result(int64(i), false))
				}

				return response(r, http.StatusOK, document(results...)), nil
			})
			counts, err := batch(t, s, slices.Repeat([]ports.BarQuery{c.query}, c.queries)...)
			if err != nil || slices.ContainsFunc(counts, func(n int) bool { return n > 0 }) {
				t.Errorf("%v, %v", counts, err)
			}
			if requests < c.least || requests > c.requests || requests > 0 && statements != c.queries {
				t.Errorf("%d requests with %d statements; want %d to %d with %d", requests, statements, c.least, c.requests, c.queries)
			}
		})
	}
}

// three is the answers to a batch of three queries, the second without bars.
func three() []byte {
	return slices.Concat(
		document(result(0, true, tableOf(barColumns, barRow(0, nil), barRow(1, nil)))),
		document(result(0, false, tableOf(barColumns, barRow(2, nil)))),
		document(result(1, false)),
		document(result(2, false, tableOf(barColumns, barRow(0, nil)))),
	)
}

var threeQueries = []ports.BarQuery{recordedQuery, recordedQuery, recordedQuery}

func TestBatchCutAnywhere(t *testing.T) {
	t.Parallel()
	body := three()
	cut := body
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusOK, cut), nil
	})
	if counts, err := batch(t, s, threeQueries...); err != nil || !slices.Equal(counts, []int{3, 0, 1}) {
		t.Fatalf("whole: %v, %v", counts, err)
	}

	for n := range body {
		cut = body[:n]
		if counts, err := batch(t, s, threeQueries...); !errors.Is(err, ports.ErrIncomplete) {
			t.Fatalf("cut to %d of %d bytes: %v, %v", n, len(body), counts, err)
		}
	}
}

func TestBatchRefusedAnswers(t *testing.T) {
	t.Parallel()
	rows := func(statement int64) []byte { return result(statement, false, tableOf(barColumns, barRow(0, nil))) }
	for name, c := range map[string]struct {
		body []byte
		kind error
	}{
		"one_missing_at_the_end":    {document(rows(0), rows(1)), ports.ErrIncomplete},
		"one_missing_in_between":    {document(rows(0), rows(2)), ports.ErrIncomplete},
		"one_too_many":              {document(rows(0), rows(1), rows(2), rows(3)), ports.ErrIncomplete},
		"out_of_order":              {document(rows(1), rows(0), rows(2)), ports.ErrIncomplete},
		"one_goes_on":               {document(rows(0), result(1, true), rows(2)), ports.ErrIncomplete},
		"one_comes_twice":           {document(rows(0), rows(0), rows(1)), ports.ErrIncomplete},
		"not_executed":              {document(rows(0), mpMap(mpText("statement_id"), mpInt(1), mpText("error"), mpText("not executed"))), ports.ErrInternal},
		"of_another_measurement":    {document(rows(0), result(1, false, mpMap(mpText("name"), mpText("other"), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray()))), ports.ErrIncomplete},
		"a_row_of_another_series":   {document(rows(0), result(1, false, tableOf(barColumns, barRow(0, map[int][]byte{9: mpText("ETH/USD")}))), rows(2)), ports.ErrCorruptData},
		"more_than_the_limit_of_it": {document(rows(0), rows(1), result(2, false, tableOf(barColumns, barRow(1, nil), barRow(0, nil)))), ports.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := recordedQuery
			last.Last = 1
			if counts, err := batch(t, answering(t, c.body), recordedQuery, recordedQuery, last); !errors.Is(err, c.kind) {
				t.Errorf("%v, %v; want %v", counts, err, c.kind)
			}
		})
	}
}

// TestBatchLimitIsOnEachAnswer has answers that are too long together and not one by one.
func TestBatchLimitIsOnEachAnswer(t *testing.T) {
	t.Parallel()
	const n = 2000 // rows an answer, more than the decoder reads ahead
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = barRow(i, nil)
	}
	long := recordedQuery
	long.Range.End = recordedStart.Add(n * time.Minute)
	body := document(result(0, false, tableOf(barColumns, rows...)), result(1, false, tableOf(barColumns, rows...)))
	respond := func(r *http.Request) (*http.Response, error) { return response(r, http.StatusOK, body), nil }
	each := int64(len(body)) / 2
	if counts, err := batch(t, fakeStore(t, influx.Config{MaxResponseBytes: each + 128<<10}, respond), long, long); err != nil || counts[1] != n {
		t.Errorf("%v, %v", counts, err)
	}
	if counts, err := batch(t, fakeStore(t, influx.Config{MaxResponseBytes: each / 2}, respond), long, long); !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("%v, %v", counts, err)
	}
}

// TestBatchReadsOnFromAnUnsettledBar has a bar that is half there at first, in the second answer: the first is not asked for again,
// the second from that bar on, and the third as it was.
func TestBatchReadsOnFromAnUnsettledBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		half := barRow(1, map[int][]byte{4: mpNil})
		answers := [][]byte{
			document(result(0, false, tableOf(barColumns, barRow(0, nil))), result(1, false, tableOf(barColumns, barRow(0, nil), half))),
			document(result(0, false, tableOf(barColumns, half))),
			document(result(0, false, tableOf(barColumns, barRow(1, nil), barRow(2, nil))), result(1, false, tableOf(barColumns, barRow(0, nil)))),
		}
		var asked []int
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			asked = append(asked, len(texts(t, r)))
			body := answers[0]
			answers = answers[1:]
			return response(r, http.StatusOK, body), nil
		})
		counts, err := batch(t, s, threeQueries...)
		if err != nil || !slices.Equal(counts, []int{1, 3, 1}) || !slices.Equal(asked, []int{3, 2, 2}) {
			t.Errorf("%v, %v, asked for %v", counts, err, asked)
		}
	})
}

// TestBatchOfAnExistingLayout asks for venues in one request, and for bars in another.
func TestBatchOfAnExistingLayout(t *testing.T) {
	t.Parallel()
	cfg := existing(t)
	s := openStore(t, cfg)
	minute := domain.Minute1.UTC()
	of := func(symbol domain.Symbol) ports.BarQuery {
		return ports.BarQuery{Key: domain.SeriesKey{Symbol: symbol, Grid: minute}, Range: always}
	}
	hours := of("ETH/USD")
	hours.Key.Grid = domain.Hour1.UTC()
	queries := []ports.BarQuery{of("NO/SUCH"), of("ETH/USD"), of("COINBASE:BTC/USD"), hours, of("BINANCE:BTC/USD"), of("KRAKEN:BTC/USD")}
	queries[5].Last = 2
	counts, err := batch(t, s, queries...)
	if err != nil || !slices.Equal(counts, []int{0, 3, 3, 0, 0, 2}) {
		t.Errorf("%v, %v", counts, err)
	}
	if _, err := batch(t, s, of("ETH/USD"), of("BTC/USD")); !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "coinbase, kraken") {
		t.Errorf("got %v, want an error that names both exchanges", err)
	}
}

func TestBatchErrorsNameTheBatch(t *testing.T) {
	t.Parallel()
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusServiceUnavailable, nil), nil
	})
	for n, want := range []string{"", "read batch BTC/USD 1m: ", "read batch BTC/USD 1m and 1 more: "} {
		_, err := batch(t, s, slices.Repeat([]ports.BarQuery{recordedQuery}, n)...)
		if n == 0 && err != nil || n > 0 && (!errors.Is(err, ports.ErrOverloaded) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d queries: %v", n, err)
		}
	}
}

// FuzzBatchAnswer feeds anything as the answer to a batch: an error, or answers in the form of ports.BatchReader; never a panic.
func FuzzBatchAnswer(f *testing.F) {
	body := three()
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add(bytes.ReplaceAll(body, mpText("statement_id"), mpText("statement_if")))
	f.Add(document(result(0, false), result(1, false), result(2, false)))
	f.Fuzz(func(t *testing.T, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			current := 0
			var before domain.Series
			for piece, err := range answering(t, body).ReadBatch(t.Context(), threeQueries) {
				if err != nil {
					return
				}
				if piece.Query < current || piece.Query >= len(threeQueries) || piece.Bars.Len() == 0 {
					t.Fatalf("a piece of query %d, %s, after one of %d", piece.Query, piece.Bars, current)
				}
				if piece.Query == current && before.Len() > 0 && before.Range().End.After(piece.Bars.OpenTime(0)) {
					t.Fatal("pieces overlap")
				}

				current, before = piece.Query, piece.Bars
			}
		})
	})
}
