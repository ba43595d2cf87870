package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/ledgertest"
	"github.com/gal-friday/marketdata/tests/servers"
)

func newInflux(b *testing.B) (*influx.Store, influx.Config) {
	b.Helper()
	server := servers.Influx(b)
	cfg := influx.Config{URL: server.URL, Token: secret.New(server.Token), Database: server.Database}
	store, closeStore, err := influx.Open(b.Context(), cfg)
	check(err)
	b.Cleanup(closeStore)

	return store, cfg
}

func BenchmarkInfluxRead200k(b *testing.B) {
	const n = 200_000
	ctx := b.Context()
	store, cfg := newInflux(b)
	bars := gen.Walk("BTC/USD", n)
	must(ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace))
	report(b, n,
		way{name: "ours", run: func() { readAll(ctx, store, ports.BarQuery{Key: bars.Key(), Range: bars.Range()}, n) }},
		way{name: "floor", run: func() { discardAnswer(ctx, cfg, bars) }},
		way{name: "client", run: func() { readRecords(ctx, cfg, bars) }},
	)
}

// discardAnswer requests the same response as our store and decodes nothing.
func discardAnswer(ctx context.Context, cfg influx.Config, bars domain.Series) {
	form := url.Values{
		"db": {cfg.Database}, "epoch": {"ns"}, "chunked": {"true"}, "chunk_size": {fmt.Sprint(cfg.WithDefaults().ChunkSize)},
		"q": {fmt.Sprintf(`SELECT "open", "high", "low", "close", "volume", "trades", "exact", "symbol", "kind", "grid" FROM bars`+
			` WHERE symbol = '%s' AND "kind" = 'trade' AND grid = '1m' AND time >= %d AND time < %d`,
			bars.Key().Symbol, bars.Range().Start.UnixNano(), bars.Range().End.UnixNano())},
	}
	r := must(http.NewRequestWithContext(ctx, http.MethodPost, cfg.URL+"/query", strings.NewReader(form.Encode())))
	r.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/x-msgpack"}, "Accept-Encoding": {"identity"},
		"Authorization": {"Token " + cfg.Token.Reveal()},
	}
	response := must(http.DefaultClient.Do(r))
	defer response.Body.Close()
	if got := must(io.Copy(io.Discard, response.Body)); got < int64(bars.Len()) {
		panic(fmt.Sprintf("an answer of %d bytes", got)) // so short a one is an error
	}
}

// readRecords reads as the documentation of the client shows.
func readRecords(ctx context.Context, cfg influx.Config, bars domain.Series) {
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(),
		influxdb2.DefaultOptions().SetApplicationName("bench").SetHTTPRequestTimeout(300))
	defer client.Close()
	result := must(client.QueryAPI("").Query(ctx, fmt.Sprintf(`from(bucket: "%s/autogen") |> range(start: %s, stop: %s)`+
		` |> filter(fn: (r) => r._measurement == "bars" and r.symbol == "%s" and r._field != "exact")`+
		` |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`,
		cfg.Database, bars.Range().Start.Format(time.RFC3339), bars.Range().End.Format(time.RFC3339), bars.Key().Symbol)))
	count := 0
	for result.Next() {
		if _, ok := result.Record().ValueByKey("close").(float64); !ok {
			panic("a record without a close")
		}
		count++
	}

	check(result.Err())
	if count != bars.Len() {
		panic(fmt.Sprintf("%d records of %d", count, bars.Len()))
	}
}

// A closed minute of 10,000 symbols; a run appends one minute. M/s is millions of series a second.
func BenchmarkInfluxMinute10k(b *testing.B) {
	bars, _ := newInflux(b)
	report(b, minuteSymbols, minuteWay("ours", ingest.WithLedger(influx.Name, "", bars, ledgertest.NewMemory())))
}

// The same with the ledger of PostgreSQL, beside bars in PostgreSQL.
func BenchmarkInfluxMinutePostgres10k(b *testing.B) {
	bars, _ := newInflux(b)
	x := newPostgres(b)
	report(b, minuteSymbols, minuteWay("ours", ingest.WithLedger(influx.Name, "", bars, x.store)),
		minuteWay("postgres", x.store))
}

const minuteSymbols = 10_000

// minuteWay writes the next minute of each symbol in one batch.
func minuteWay(name string, store ports.BarWriter) way {
	minute := domain.Minute1.UTC().Floor(time.Now().Add(-12 * time.Hour))
	writes := make([]ports.BarWrite, minuteSymbols)
	prepare := func() {
		for i := range writes {
			key := domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("S%d/USD", i)), Grid: domain.Minute1.UTC()}
			series := must(domain.NewSeries(key, domain.Bar{OpenTime: minute, Trades: int64(i)}))
			writes[i] = ports.BarWrite{Bars: series, Coverage: series.Range()}
		}
		minute = minute.Add(time.Minute)
	}

	return way{name: name, before: prepare, run: func() {
		for _, result := range store.WriteBatch(context.Background(), writes) {
			check(result.Err)
		}
	}}
}
