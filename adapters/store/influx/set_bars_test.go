package influx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
	"github.com/gal-friday/marketdata/tests/servers"
)

func permitAll(context.Context) error { return nil }

// seriesKey returns the key of the nth of many series.
func seriesKey(n int) domain.SeriesKey {
	return domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("S%d/USD", n)), Grid: domain.Minute1.UTC()}
}

// countingClient returns a client that counts its requests by their path.
func countingClient(t *testing.T, cfg influx.Config) (client influxdb2.Client, reads, writes *atomic.Int64) {
	t.Helper()
	reads, writes = &atomic.Int64{}, &atomic.Int64{}
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/write") {
			writes.Add(1)
		} else {
			reads.Add(1)
		}

		return http.DefaultTransport.RoundTrip(r)
	})
	client = influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(), influxdb2.DefaultOptions().
		SetApplicationName("test").SetHTTPClient(&http.Client{Transport: transport}))
	t.Cleanup(client.Close)

	return client, reads, writes
}

// TestBatchWriteRequestCount writes the next minute of many series. The number of requests does not depend on the number
// of series: one write and one read back, and one request more for new series, which others may have written.
func TestBatchWriteRequestCount(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			client, reads, writes := countingClient(t, cfg)
			s := ingest.WithLedger(influx.Name, "", newStore(t, client, influx.Config{
				Org: cfg.Org, Bucket: cfg.Bucket, Database: cfg.Database,
			}), ledgertest.NewMemory())
			write(t, s, minuteBars(t, recordedKey, 1)) // the first write also sets the identity
			start := time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute)
			for m, wantReads := range []int64{2, 1, 1} {
				reads.Store(0)
				writes.Store(0)
				minute := domain.Range{Start: start.Add(time.Duration(m) * time.Minute)}
				minute.End = minute.Start.Add(time.Minute)
				batch := make([]ports.BarWrite, n)
				for i := range batch {
					bars, err := domain.NewSeries(seriesKey(i), domain.Bar{OpenTime: minute.Start, Trades: int64(i)})
					if err != nil {
						t.Fatal(err)
					}
					batch[i] = ports.BarWrite{Bars: bars, Coverage: minute}
				}
				for i, result := range s.WriteBatch(t.Context(), batch) {
					if result.Err != nil || result.Report != (ports.WriteReport{Inserted: 1}) {
						t.Fatalf("write %d: got %+v, %v", i, result.Report, result.Err)
					}
				}
				if reads.Load() != wantReads || writes.Load() != 1 {
					t.Errorf("minute %d: %d reads and %d writes, want %d and 1", m, reads.Load(), writes.Load(), wantReads)
				}
				for _, w := range []ports.BarWrite{batch[0], batch[n/2], batch[n-1]} {
					if got, err := readAll(t, s, queryOf(w.Bars)); err != nil || !got.Equal(w.Bars) {
						t.Errorf("%s: got %s, %v", w.Bars.Key(), got, err)
					}
				}
			}
		})
	}
}

// TestSetBarsOverStoredRows sets the bars of new ranges where rows are stored: a bar at another time, an overwritten bar,
// half a bar. Only the given bars remain.
func TestSetBarsOverStoredRows(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := openStore(t, cfg)
	sets := make([]ledger.BarSet, 5)
	for i := range sets {
		bars := minuteBars(t, seriesKey(i), 10)
		sets[i] = ledger.BarSet{Bars: bars, Range: bars.Range(), IsNew: true}
	}
	at := recordedStart.Add(3 * time.Minute)
	line := func(key domain.SeriesKey, fields string, at time.Time) string {
		return fmt.Sprintf("bars,grid=1m,kind=trade,symbol=%s %s %d", key.Symbol, fields, at.UnixNano())
	}
	if err := writeRaw(t.Context(), cfg,
		line(seriesKey(1), `open=1,high=4,low=1,close=2,volume=3,trades=1i,exact=""`, at.Add(time.Second)),
		line(seriesKey(2), `open=1,high=4,low=1,close=2,volume=3,trades=1i,exact=""`, at),
		line(seriesKey(3), `open=1,high=4`, at),
	); err != nil {
		t.Fatal(err)
	}

	if err := s.SetBars(t.Context(), sets, permitAll); err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		if got, err := readAll(t, s, queryOf(set.Bars)); err != nil || !got.Equal(set.Bars) {
			t.Errorf("%s: got %s, %v", set.Bars.Key(), got, err)
		}
	}
}

// setColumns are the columns of the result of a read of several series.
var setColumns = []string{
	"time", "symbol", "open", "high", "low", "close", "volume", "trades", "exact", "kind", "grid",
}

// setRow encodes a row of the symbol at minute n.
func setRow(symbol string, n int) []byte {
	return mpArray(
		mpInt(recordedStart.Add(time.Duration(n)*time.Minute).UnixNano()), mpText(symbol),
		mpFloat(1.5), mpFloat(2.5), mpFloat(1.25), mpFloat(2), mpFloat(100), mpInt(7), mpText(""),
		mpText("trade"), mpText("1m"),
	)
}

// TestSetBarsReadsBack sets the bars of two series on servers that answer the read back in several ways.
func TestSetBarsReadsBack(t *testing.T) {
	t.Parallel()
	table := func(rows ...[]byte) []byte { return document(result(0, false, barTable(setColumns, rows...))) }
	whole := table(setRow("S0/USD", 0), setRow("S1/USD", 0), setRow("S0/USD", 1), setRow("S1/USD", 1))
	sets := make([]ledger.BarSet, 2)
	for i := range sets {
		price := func(text string) domain.Decimal { return domain.MustDecimal(text) }
		bar := domain.Bar{Open: price("1.5"), High: price("2.5"), Low: price("1.25"), Close: price("2"), Volume: price("100")}
		bar.OpenTime, bar.Trades = recordedStart, 7
		next := bar
		next.OpenTime = recordedStart.Add(time.Minute)
		bars, err := domain.NewSeries(seriesKey(i), bar, next)
		if err != nil {
			t.Fatal(err)
		}
		sets[i] = ledger.BarSet{Bars: bars, Range: bars.Range(), IsNew: true}
	}

	cases := map[string]struct {
		body   []byte
		kind   error
		writes int
	}{
		"whole":        {whole, nil, 1},
		"other symbol": {table(setRow("S0/USD", 0), setRow("S2/USD", 0)), ports.ErrIncomplete, 1},
		"other order":  {table(setRow("S0/USD", 1), setRow("S0/USD", 0)), ports.ErrIncomplete, 1},
		"rows missing": {table(setRow("S0/USD", 0), setRow("S1/USD", 1)), ports.ErrUnavailable, 3},
		"no series":    {document(result(0, false)), ports.ErrUnavailable, 3},
		"columns":      {bars(barRow(0, nil)), ports.ErrIncomplete, 1},
	}
	for n := range whole {
		cases[fmt.Sprintf("cut to %d bytes", n)] = struct {
			body   []byte
			kind   error
			writes int
		}{whole[:n], ports.ErrIncomplete, 1}
	}
	for name, c := range cases {
		writes := 0
		s := fakeStore(t, influx.Config{RetentionPolicy: "forever"}, func(r *http.Request) (*http.Response, error) {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}

			switch {
			case r.URL.Path != "/query":
				writes++
				return response(r, http.StatusNoContent, nil), nil
			case r.PostForm.Get("q") == "SHOW RETENTION POLICIES":
				return response(r, http.StatusOK, policies("forever", "0s")), nil
			}

			return response(r, http.StatusOK, c.body), nil
		})
		if err := s.SetBars(t.Context(), sets, permitAll); !errors.Is(err, c.kind) || writes != c.writes {
			t.Errorf("%s: got the error %v after %d writes, want %v after %d", name, err, writes, c.kind, c.writes)
		}
	}
}

// TestSetBarsIsPermitted fails the permit before each request: nothing is sent then, and the error is the permit's.
func TestSetBarsIsPermitted(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	client, reads, writes := countingClient(t, cfg)
	s := newStore(t, client, influx.Config{Org: cfg.Org, Bucket: cfg.Bucket, Database: cfg.Database, BatchSize: 5})
	var sets []ledger.BarSet
	for i := range 3 {
		bars := minuteBars(t, seriesKey(i), 10)
		sets = append(sets, ledger.BarSet{Bars: bars, Range: bars.Range(), IsNew: true})
	}
	for allowed := range int64(6) { // 30 bars in requests of 5
		writes.Store(0)
		permitted := int64(0)
		err := s.SetBars(t.Context(), sets, func(context.Context) error {
			if permitted++; permitted > allowed {
				return ledger.ErrIntentLost
			}
			return nil
		})
		if !errors.Is(err, ledger.ErrIntentLost) || writes.Load() != allowed {
			t.Errorf("%d permits: got the error %v after %d writes", allowed, err, writes.Load())
		}
	}
	reads.Store(0)
	if err := s.SetBars(t.Context(), sets, permitAll); err != nil || reads.Load() == 0 {
		t.Error(err, reads.Load())
	}
}

// TestExtentsOfManySymbols lists the extents of more symbols than one statement names, of which some are stored.
func TestExtentsOfManySymbols(t *testing.T) {
	t.Parallel()
	for _, stored := range []int{0, 3, 150} {
		cfg := config(t)
		client, reads, _ := countingClient(t, cfg)
		s := newStore(t, client, influx.Config{Org: cfg.Org, Bucket: cfg.Bucket, Database: cfg.Database})
		var symbols []domain.Symbol
		var results []ports.BarWrite
		for i := range 200 {
			if i < stored || i >= 190 {
				bars := minuteBars(t, seriesKey(i), 2)
				results = append(results, ports.BarWrite{Bars: bars, Coverage: bars.Range()})
			}
			if i < 190 {
				symbols = append(symbols, seriesKey(i).Symbol)
			}
		}
		for _, result := range s.WriteBatch(t.Context(), results) {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}

		reads.Store(0)
		extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: symbols}))
		if err != nil || len(extents) != stored {
			t.Errorf("%d stored symbols: got %d extents, %v", stored, len(extents), err)
		}
		if want := min(int64(stored), 1) + 1; reads.Load() != want {
			t.Errorf("%d stored symbols: %d requests, want %d", stored, reads.Load(), want)
		}
	}
}

// TestIdentity sets the identity of a database, which every store on it reads, also under a finite retention policy.
func TestIdentity(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	server.SetRetention(t, 24*time.Hour)
	s := openStore(t, configOf(server))
	if id, err := s.Identity(t.Context()); err != nil || id != "" {
		t.Fatalf("a new database has the identity %q, %v", id, err)
	}
	for _, want := range []string{"first", "second"} {
		if err := s.SetIdentity(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if id, err := openStore(t, configOf(server)).Identity(t.Context()); err != nil || id != want {
			t.Errorf("got the identity %q, %v, want %q", id, err, want)
		}
	}

	other := configOf(server)
	other.Measurement = "other"
	if id, err := openStore(t, other).Identity(t.Context()); err != nil || id != "" {
		t.Errorf("another measurement has the identity %q, %v", id, err)
	}
	if extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{})); err != nil || len(extents) > 0 {
		t.Errorf("the identity has the extents %v, %v", extents, err)
	}
}
