package influx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
)

// allTime covers every time that InfluxDB can store.
var allTime = domain.Range{
	Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
}

func queryOf(s domain.Series) ports.BarQuery { return ports.BarQuery{Key: s.Key(), Range: s.Range()} }

// minuteBars returns n consecutive bars.
func minuteBars(tb testing.TB, key domain.SeriesKey, n int) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(key, n)
	for i := range n {
		price, err := domain.NewDecimal(int64(100_000+i%977), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{OpenTime: recordedStart.Add(time.Duration(i) * time.Minute),
			Open: price, High: price, Low: price, Close: price, Volume: price, Trades: int64(i)})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func write(tb testing.TB, s ports.BarWriter, b domain.Series) {
	tb.Helper()
	if _, err := ports.WriteBars(tb.Context(), s, b, b.Range(), ports.ConflictReplace); err != nil {
		tb.Fatal(err)
	}
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	for _, token := range []string{"nobody:wrong", "admin:canary-of-a-password", "canary-of-a-token", ""} {
		cfg.Token = secret.New(token)
		_, _, err := influx.Open(t.Context(), cfg)
		if !errors.Is(err, ports.ErrAuth) {
			t.Errorf("got %v", err)
		}
		if token != "" && err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), token) {
			t.Errorf("the error contains the token: %v", err)
		}
	}
}

// TestPrivileges opens, reads and writes as a user with the privilege to read and as a user without privileges.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	cfg := configOf(server)
	b := minuteBars(t, recordedKey, 3)
	write(t, openStore(t, cfg), b)
	refused := ports.ErrPermission
	if cfg.Org != "" {
		refused = ports.ErrSchema // because 2.x does not show the database to such a user
	}
	cfg.Token = secret.New(server.NewToken(t, false))
	if _, _, err := influx.Open(t.Context(), cfg); !errors.Is(err, refused) {
		t.Errorf("open without a privilege: got %v", err)
	}
	cfg.Token = secret.New(server.NewToken(t, true))
	s := openStore(t, cfg)
	if got, err := readAll(t, s, queryOf(b)); err != nil || !got.Equal(b) {
		t.Errorf("read: got %s, %v", got, err)
	}
	more := minuteBars(t, recordedKey, 5)
	if _, err := ports.WriteBars(t.Context(), s, more, more.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrPermission) {
		t.Errorf("write: got %v", err)
	}
	if _, err := s.DeleteBars(t.Context(), b.Key(), b.Range()); !errors.Is(err, ports.ErrPermission) {
		t.Errorf("delete: got %v", err)
	}
}

// TestRequestDestinations checks the parameters that 2.x needs: organisation and bucket of a write, database and policy
// of a query.
func TestRequestDestinations(t *testing.T) {
	t.Parallel()
	var requests []string
	cfg := influx.Config{Org: "desk", Bucket: "crypto", Database: "crypto_v1", RetentionPolicy: "forever"}
	s := fakeStore(t, cfg, func(r *http.Request) (*http.Response, error) {
		query := r.URL.Query()
		if r.URL.Path == "/query" {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}
			query = r.PostForm
		}

		parts := []any{r.URL.Path, " "}
		for _, name := range []string{"org", "bucket", "precision", "db", "rp"} {
			parts = append(parts, query.Get(name))
		}
		requests = append(requests, fmt.Sprint(parts...))
		if r.URL.Path == "/api/v2/buckets" {
			return response(r, http.StatusOK, []byte("{}")), nil
		}

		return response(r, http.StatusOK, document(result(0, false))), nil
	})
	b := minuteBars(t, recordedKey, 1)
	_, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace)
	want := []string{"/api/v2/buckets desk", "/query crypto_v1forever", "/api/v2/write deskcryptons"}
	if len(requests) < 3 || !slices.Equal(requests[:3], want) {
		t.Errorf("got %q, want %q", requests, want)
	}
	if !errors.Is(err, ports.ErrUnavailable) { // because this server stores nothing
		t.Errorf("a write that no read shows: got %v", err)
	}
}

func TestMissingDatabase(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Database = "missing"
	if _, _, err := influx.Open(t.Context(), cfg); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("open: got %v", err)
	}
	cfg = config(t)
	cfg.RetentionPolicy = "missing"
	if _, _, err := influx.Open(t.Context(), cfg); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("open with a missing retention policy: got %v", err)
	}
	cfg = config(t)
	cfg.Bucket = "missing"
	s := openStore(t, cfg)
	b := minuteBars(t, recordedKey, 3)
	if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("write: got %v", err)
	}
}

func TestUnexpectedFieldTypes(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	if err := writeRaw(t.Context(), cfg, `bars,symbol=X open="text" 0`); err != nil {
		t.Fatal(err)
	}

	_, _, err := influx.Open(t.Context(), cfg)
	if !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), "open") {
		t.Errorf("got %v", err)
	}
}

// TestTypeConflictIsReported writes to a field of another type. The asynchronous API of the client drops such a write
// silently.
func TestTypeConflictIsReported(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := openStore(t, cfg)
	line := fmt.Sprintf(`bars,symbol=X volume="text" %d`, recordedStart.UnixNano())
	if err := writeRaw(t.Context(), cfg, line); err != nil {
		t.Fatal(err)
	}

	b := minuteBars(t, recordedKey, 3)
	if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("got %v", err)
	}
}

func TestInvalidCallsSendNoRequest(t *testing.T) {
	t.Parallel()
	s := fakeStore(t, influx.Config{}, func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("no")
	})
	day := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	for _, at := range []time.Time{
		time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2262, 5, 1, 0, 0, 0, 0, time.UTC),
	} {
		b, err := domain.NewSeries(day, domain.Bar{OpenTime: at})
		if err != nil {
			t.Fatal(err)
		}

		if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("write at %s: got %v", at, err)
		}
		if _, err := s.ReplaceBars(t.Context(), b, b.Range()); !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("replace at %s: got %v", at, err)
		}
		if got, err := readAll(t, s, queryOf(b)); err != nil || got.Len() != 0 {
			t.Errorf("read at %s: %s, %v", at, got, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.ReadBars(ctx, recordedQuery).Rows() {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("read with a cancelled context: got %v", err)
		}
	}
}

// TestFirstAndLastStorableTime writes and reads bars at both ends of the range that InfluxDB can store.
func TestFirstAndLastStorableTime(t *testing.T) {
	t.Parallel()
	s := openStore(t, config(t))
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	want, err := domain.NewSeries(key,
		domain.Bar{OpenTime: time.Date(1677, 9, 22, 0, 0, 0, 0, time.UTC)},
		domain.Bar{OpenTime: time.Date(2262, 4, 11, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}

	write(t, s, want)
	if got, err := readAll(t, s, ports.BarQuery{Key: key, Range: allTime}); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestReplaceRepairsCorruptBars replaces a range with a corrupt bar, by bars and by nothing.
func TestReplaceRepairsCorruptBars(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 0} {
		cfg := config(t)
		s := openStore(t, cfg)
		b := minuteBars(t, recordedKey, 10)
		write(t, s, b)
		line := fmt.Sprintf("bars,grid=1m,kind=trade,symbol=BTC/USD,host=b open=1 %d",
			recordedStart.Add(5*time.Minute).UnixNano())
		if err := writeRaw(t.Context(), cfg, line); err != nil {
			t.Fatal(err)
		}
		if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrCorruptData) {
			t.Fatalf("write: got %v", err)
		}

		report, err := gen.ReplaceOrDelete(t.Context(), s, b.Slice(0, n), b.Range())
		if want := (ports.WriteReport{Inserted: n, Deleted: 11}); err != nil || report != want {
			t.Fatalf("replace: got %+v, %v; want %+v", report, err, want)
		}

		if got, err := readAll(t, s, queryOf(b)); err != nil || !got.Equal(b.Slice(0, n)) {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

func TestBatchesAndChunks(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.BatchSize, cfg.ChunkSize, cfg.Compress = 7, 10, true
	s := openStore(t, cfg)
	b := minuteBars(t, recordedKey, 50)
	write(t, s, b)
	pieces := 0
	for piece, err := range s.ReadBars(t.Context(), queryOf(b)).Rows() {
		if err != nil || piece.Len() != 10 {
			t.Fatalf("piece %d: %s, %v", pieces, piece, err)
		}
		pieces++
	}

	if pieces != 5 {
		t.Errorf("got %d pieces, want 5", pieces)
	}
}

func TestInferredExtentsAndCatalog(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := openStore(t, cfg)
	day := domain.SeriesKey{
		Symbol: "KRAKEN:ETH/USD", Grid: mustGrid(t, "1d@America/New_York"), PriceType: domain.PriceBid,
	}
	at := time.Date(2024, 3, 9, 5, 0, 0, 0, time.UTC)
	b, err := domain.NewSeries(day, domain.Bar{OpenTime: at}, domain.Bar{OpenTime: at.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}

	write(t, s, b)
	write(t, s, minuteBars(t, recordedKey, 5))

	err = writeRaw(t.Context(), cfg,
		"bars,grid=1m,kind=trade,symbol=(lower) open=1 0", "bars,grid=60m,kind=trade,symbol=X open=1 0")
	if err != nil {
		t.Fatal(err)
	}

	want := []domain.Extent{
		{Key: recordedKey, Range: minuteBars(t, recordedKey, 5).Range(), Inferred: true},
		{
			Key:      day, // its last day has 23 hours
			Range:    domain.Range{Start: at, End: time.Date(2024, 3, 11, 4, 0, 0, 0, time.UTC)},
			Inferred: true,
		},
	}
	many := []domain.Symbol{"BTC/USD", "KRAKEN:ETH/USD"}
	for i := range 100 {
		many = append(many, domain.Symbol(fmt.Sprintf("COIN%d/USD", i)))
	}
	for _, symbols := range [][]domain.Symbol{nil, {"BTC/USD", "KRAKEN:ETH/USD"}, many} {
		if got, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: symbols})); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("extents of %d symbols: got %v, %v; want %v", len(symbols), got, err, want)
		}
	}

	for _, c := range []struct {
		q    ports.SymbolQuery
		want string
	}{
		{ports.SymbolQuery{}, "BTC/USD KRAKEN:ETH/USD X"},
		{ports.SymbolQuery{Limit: 1}, "BTC/USD"},
		{ports.SymbolQuery{Pattern: "*:E?H*"}, "KRAKEN:ETH/USD"},
		{ports.SymbolQuery{Pattern: "B.*"}, ""},
		{ports.SymbolQuery{Pattern: "\xff*"}, ""},
		{ports.SymbolQuery{Symbols: []domain.Symbol{"X", "BTC/USD", "NO/SUCH"}}, "BTC/USD X"},
	} {
		got, err := ports.Collect(s.Symbols(t.Context(), c.q))
		var names []string
		for _, m := range got {
			names = append(names, string(m.Symbol))
		}
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%+v: got %q, %v; want %q", c.q, names, err, c.want)
		}
	}
}

func mustGrid(tb testing.TB, text string) domain.Grid {
	tb.Helper()
	g, err := domain.ParseGrid(text)
	if err != nil {
		tb.Fatal(err)
	}

	return g
}

// TestConcurrentFirstQueries is for the race detector, because the query API of the client has a data race in its first
// queries.
func TestConcurrentFirstQueries(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	write(t, openStore(t, cfg), minuteBars(t, recordedKey, 100))
	s := openStore(t, cfg)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := readAll(t, s, ports.BarQuery{Key: recordedKey, Range: allTime})
			if err != nil || got.Len() != 100 {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}

	wg.Wait()
}

func TestNewUsesTheClient(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(),
		influxdb2.DefaultOptions().SetApplicationName("test"))
	defer client.Close()
	cfg.URL, cfg.Token, cfg.CAFile = "not used", secret.New("not used"), "not used"

	s := newStore(t, client, cfg)
	b := minuteBars(t, recordedKey, 5)
	write(t, s, b)
	if got, err := readAll(t, s, queryOf(b)); err != nil || !got.Equal(b) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	noSymbolTag := influx.Existing{Frequency: 255, SymbolTag: "a b"}
	badTagKey := influx.Existing{Frequency: domain.Minute1, Tags: map[string]string{`"`: ""}}
	for name, c := range map[string]struct {
		cfg  influx.Config
		want []string
	}{
		"empty":       {influx.Config{}, []string{"url: missing"}},
		"credentials": {influx.Config{URL: "http://u:canary@h:1"}, []string{"contains credentials"}},
		"not_a_url":   {influx.Config{URL: "http://u:canary@h:x"}, []string{"cannot be parsed"}},
		"scheme":      {influx.Config{URL: "ftp://h"}, []string{"use one like"}},
		"several": {
			influx.Config{Measurement: `a"b`, BatchSize: -1, SlowQuery: -1},
			[]string{"url", "measurement", "batch_size -1", "slow_query"},
		},
		"existing":         {influx.Config{URL: "http://h", Existing: noSymbolTag}, []string{"frequency", `"a b"`}},
		"existing_tag_key": {influx.Config{URL: "http://h", Existing: badTagKey}, []string{"existing: name"}},
		"ca_file":          {influx.Config{URL: "https://h", CAFile: "absent.pem"}, []string{"ca_file", "absent.pem"}},
	} {
		_, _, err := influx.Open(t.Context(), c.cfg)
		wantFaults(t, name, err, c.want...)
	}

	inSeconds := influxdb2.NewClientWithOptions("http://x", "",
		influxdb2.DefaultOptions().SetApplicationName("test").SetPrecision(time.Second))
	_, err := influx.New(t.Context(), inSeconds, influx.Config{Measurement: `a"b`})
	wantFaults(t, "client", err, "must be 1ns", "measurement")
}

// wantFaults checks that the error is invalid, contains the faults and does not contain the password.
func wantFaults(t *testing.T, name string, err error, faults ...string) {
	t.Helper()
	if !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("%s: got %v", name, err)
		return
	}

	for _, want := range faults {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v does not contain %q, or contains the password", name, err, want)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := influx.Config{URL: "http://h", Token: secret.New("canary")}
	s := storeReturning(t, document(result(0, false)))
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("open", "config", cfg, "pointer", &cfg)
	text, err := json.Marshal(influx.Config{Token: cfg.Token, Existing: influx.Existing{Frequency: domain.Minute1}})
	if err != nil {
		t.Fatal(err)
	}

	nested := struct{ Influx influx.Config }{cfg}
	for _, printed := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", &cfg), fmt.Sprintf("%+v", nested),
		fmt.Sprintf("%+v %#v", s, s), logged.String(), string(text),
	} {
		if strings.Contains(printed, "canary") {
			t.Errorf("printed: %s", printed)
		}
	}

	if printed := fmt.Sprintf("%+v", cfg); !strings.Contains(printed, "URL:http://h Token:(hidden)") {
		t.Errorf("the other fields are missing: %s", printed)
	}
}
