package influx_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// outage passes requests to a server until its rest is used up; then it answers writes and deletions with 503. It passes
// every read.
type outage struct{ rest atomic.Int64 }

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	isChange := strings.HasSuffix(r.URL.Path, "/write") || strings.HasSuffix(r.URL.Path, "/delete")
	if r.URL.Path == "/query" && r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		isChange = strings.Contains(string(body), "DELETE")
	}
	if isChange && o.rest.Add(-1) < 0 {
		return response(r, http.StatusServiceUnavailable, nil), nil
	}

	return http.DefaultTransport.RoundTrip(r)
}

// TestOutageDuringAReplacement replaces bars on a server that fails after each number of changes. The range of a
// replacement that failed is not covered, and the same replacement again does it.
func TestOutageDuringAReplacement(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	transport := &outage{}
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(), influxdb2.DefaultOptions().
		SetApplicationName("test").SetHTTPClient(&http.Client{Transport: transport}))
	t.Cleanup(client.Close)
	s := ingest.WithLedger(influx.Name, "", newStore(t, client, influx.Config{
		Org: cfg.Org, Bucket: cfg.Bucket, Database: cfg.Database, BatchSize: 10,
	}), ledgertest.NewMemory())

	all := minuteBars(t, recordedKey, 58)
	some, changed := everyOther(t, all), all.Slice(0, 29)
	const enough = 1000
	for rest, done := int64(0), false; !done; rest++ {
		transport.rest.Store(enough)
		if _, err := s.ReplaceBars(t.Context(), all, all.Range()); err != nil {
			t.Fatal(err)
		}

		transport.rest.Store(rest)
		_, err := s.ReplaceBars(t.Context(), some, all.Range())
		if done = err == nil; !done && !errors.Is(err, ports.ErrOverloaded) {
			t.Fatal(err)
		}
		checkWhole(t, s, all.Range(), some, done)

		transport.rest.Store(enough)
		if _, err := s.ReplaceBars(t.Context(), changed, all.Range()); err != nil {
			t.Fatal(err)
		}
		checkWhole(t, s, all.Range(), changed, true)
	}
}

// everyOther returns every other bar with another volume, so that the replacement of all by them is of overwrites and of a
// deletion.
func everyOther(t *testing.T, all domain.Series) domain.Series {
	t.Helper()
	b := domain.NewSeriesBuilder(all.Key(), all.Len())
	for i, bar := range all.All() {
		if bar.Volume = domain.MustDecimal("7"); i%2 == 0 {
			if err := b.Append(bar); err != nil {
				t.Fatal(err)
			}
		}
	}

	some, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return some
}

// checkWhole reads r: it must have the bars if the replacement is done, and must not be covered otherwise.
func checkWhole(t *testing.T, s ports.BarReader, r domain.Range, want domain.Series, done bool) {
	t.Helper()
	var state *domain.SeriesState
	b := domain.NewSeriesBuilder(want.Key(), 0)
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: want.Key(), Range: r}) {
		if err != nil {
			t.Fatal(err)
		}
		if piece.State != nil {
			state = piece.State
		}
		if err := b.AppendSeries(piece.Rows); err != nil {
			t.Fatal(err)
		}
	}

	got, err := b.Series()
	switch {
	case err != nil:
		t.Fatal(err)
	case done && (!got.Equal(want) || !state.Covers(r)):
		t.Fatalf("got %v with the coverage %v, want %v", got, state.Coverage, want)
	case !done && state.Covers(r):
		t.Fatalf("a replacement that failed left %v covered", got)
	}
	for _, bar := range got.All() {
		if !state.Covers(domain.Range{Start: bar.OpenTime, End: bar.OpenTime.Add(1)}) {
			t.Fatalf("the bar at %s is not covered", bar.OpenTime)
		}
	}
}
