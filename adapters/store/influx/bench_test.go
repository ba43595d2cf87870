package influx_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

const benchBars = 200_000

// BenchmarkRead reads the bars into Series, the same body into nothing, and the same bars through the client's records, by turns. It
// reports the medians in bars a second and our ratio to the other two.
func BenchmarkRead(b *testing.B) {
	cfg := config(b)
	s := openStore(b, cfg)
	series := minutes(b, recordedKey, benchBars)
	write(b, s, series)
	q := queryOf(series)
	ways := []func() error{
		func() error { return readBench(b.Context(), s, q) },
		func() error { return discard(b.Context(), cfg, q) },
		func() error { return records(b.Context(), cfg, q) },
	}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	var rate [3]float64
	for i := range took {
		slices.Sort(took[i])
		rate[i] = benchBars / took[i][len(took[i])/2].Seconds()
	}
	b.ReportMetric(rate[0], "bars/s")
	b.ReportMetric(rate[1], "floor-bars/s")
	b.ReportMetric(rate[0]/rate[1], "of-floor")
	b.ReportMetric(rate[0]/rate[2], "times-client")
}

func readBench(ctx context.Context, s *influx.Store, q ports.BarQuery) error {
	n := 0
	for piece, err := range s.ReadBars(ctx, q) {
		if err != nil {
			return err
		}
		n += piece.Len()
	}
	return counted(n)
}

func counted(n int) error {
	if n != benchBars {
		return fmt.Errorf("got %d bars", n)
	}
	return nil
}

// discard asks for the same answer and decodes nothing.
func discard(ctx context.Context, cfg influx.Config, q ports.BarQuery) error {
	form := url.Values{
		"db": {cfg.Database}, "epoch": {"ns"}, "chunked": {"true"}, "chunk_size": {fmt.Sprint(influx.DefaultChunkSize)},
		"q": {fmt.Sprintf(`SELECT "open", "high", "low", "close", "volume", "trades", "exact", "symbol", "kind", "grid" FROM bars WHERE symbol = '%s' AND "kind" = 'trade' AND grid = '1m'`+
			` AND time >= %d AND time < %d`, q.Key.Symbol, q.Range.Start.UnixNano(), q.Range.End.UnixNano())},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, cfg.URL+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/x-msgpack"}, "Accept-Encoding": {"identity"},
		"Authorization": {"Token " + cfg.Token},
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var first strings.Builder // an answer this short is an error
	if _, err := io.CopyN(&first, response.Body, 4096); err != nil {
		return fmt.Errorf("got %q: %w", first.String(), err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// records is the way of the client's documentation.
func records(ctx context.Context, cfg influx.Config, q ports.BarQuery) error {
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token, influxdb2.DefaultOptions().SetApplicationName("test").SetHTTPRequestTimeout(300))
	defer client.Close()
	result, err := client.QueryAPI("").Query(ctx, fmt.Sprintf(`from(bucket: "%s/autogen") |> range(start: %s, stop: %s)`+
		` |> filter(fn: (r) => r._measurement == "bars" and r.symbol == "%s" and r._field != "exact")`+
		` |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`,
		cfg.Database, q.Range.Start.Format(time.RFC3339), q.Range.End.Format(time.RFC3339), q.Key.Symbol))
	if err != nil {
		return err
	}
	n := 0
	for result.Next() {
		for _, field := range []string{"open", "high", "low", "close", "volume"} {
			if _, ok := result.Record().ValueByKey(field).(float64); !ok {
				return fmt.Errorf("record %d has no %s", n, field)
			}
		}
		n++
	}
	if result.Err() != nil {
		return result.Err()
	}
	return counted(n)
}
