package influx_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

var update = flag.Bool("update", false, "rewrite the golden files of the statements")

// statementFolder holds one golden file per call of the store: all InfluxQL that the call sends, as it goes over the
// wire.
var statementFolder = filepath.Join("testdata", "statements")

// ethQuery reads a second series, so that a batch shows how the parameters of its statements are numbered.
var ethQuery = ports.BarQuery{
	Key:   domain.SeriesKey{Symbol: "KRAKEN:ETH/USD", Grid: domain.Second1.UTC(), PriceType: domain.PriceBid},
	Range: recordedQuery.Range,
	Last:  20,
}

// statementCalls are the calls that between them send every statement of query.go.
var statementCalls = map[string]struct {
	existing bool
	call     func(ctx context.Context, s *influx.Store) error
}{
	"open": {call: func(context.Context, *influx.Store) error { return nil }},
	"check": {call: func(ctx context.Context, s *influx.Store) error {
		return s.Check(ctx)
	}},
	"read_bars": {call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, recordedQuery)
	}},
	"read_bars_first": {call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, ports.BarQuery{Key: recordedKey, Range: recordedQuery.Range, First: 10})
	}},
	"read_bars_last": {call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, ports.BarQuery{Key: recordedKey, Range: recordedQuery.Range, Last: 10})
	}},
	"read_bars_existing": {existing: true, call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, recordedQuery)
	}},
	"read_batch": {call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, recordedQuery, ethQuery, recordedQuery)
	}},
	"read_batch_existing": {existing: true, call: func(ctx context.Context, s *influx.Store) error {
		return drain(ctx, s, recordedQuery, ports.BarQuery{
			Key:   domain.SeriesKey{Symbol: "KRAKEN:ETH/USD", Grid: recordedKey.Grid},
			Range: recordedQuery.Range,
		})
	}},
	"replace_bars": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := s.DeleteBars(ctx, recordedKey, recordedQuery.Range)
		return err
	}},
	"set_bars": {call: func(ctx context.Context, s *influx.Store) error {
		return s.SetBars(ctx, []ledger.BarSet{
			{Bars: domain.EmptySeries(recordedKey), Range: recordedQuery.Range},
			{Bars: domain.EmptySeries(ethQuery.Key), Range: ethQuery.Range},
			{Bars: domain.EmptySeries(seriesKey(1)), Range: recordedQuery.Range},
		}, permitAll)
	}},
	"identity": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := s.Identity(ctx)
		return err
	}},
	"retention": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := s.Retention(ctx)
		return err
	}},
	"extents": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
		return err
	}},
	"extents_of_symbols": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{"BTC/USD", "KRAKEN:ETH/USD"}}))
		return err
	}},
	"extents_existing": {existing: true, call: func(ctx context.Context, s *influx.Store) error {
		_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
		return err
	}},
	"extents_of_symbols_existing": {existing: true, call: func(ctx context.Context, s *influx.Store) error {
		_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{"BTC/USD", "KRAKEN:ETH/USD"}}))
		return err
	}},
	"symbols": {call: func(ctx context.Context, s *influx.Store) error {
		_, err := ports.Collect(s.Symbols(ctx, ports.SymbolQuery{}))
		return err
	}},
}

// drain reads the queries to their end: one alone by ReadBars, several by ReadBatch.
func drain(ctx context.Context, s *influx.Store, queries ...ports.BarQuery) error {
	if len(queries) == 1 {
		for _, err := range s.ReadBars(ctx, queries[0]).Rows() {
			if err != nil {
				return err
			}
		}

		return nil
	}

	for _, err := range s.ReadBatch(ctx, queries) {
		if err != nil {
			return err
		}
	}

	return nil
}

// wireRecorder is a server that logs every query. Its results are empty, except that every pair is on the exchange
// "kraken", that an existing measurement has the fields of a bar, and that the first SELECT of a replacement returns a
// corrupt bar where corrupt is set, because only then does the replacement count and delete.
type wireRecorder struct {
	log     bytes.Buffer
	corrupt bool
}

func (w *wireRecorder) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}

	text := r.PostForm.Get("q")
	if w.log.Len() > 0 {
		w.log.WriteByte('\n')
	}
	fmt.Fprintf(&w.log, "%s %s db=%s\n", r.Method, r.URL.Path, r.PostForm.Get("db"))
	fmt.Fprintf(&w.log, "%s\n", strings.ReplaceAll(text, "; ", ";\n"))
	for _, option := range []string{"params", "chunked"} {
		if value := r.PostForm.Get(option); value != "" {
			fmt.Fprintf(&w.log, "%s=%s\n", option, value)
		}
	}

	var results [][]byte
	for i, statement := range strings.Split(text, "; ") {
		switch {
		case strings.HasPrefix(statement, "SHOW FIELD KEYS") && strings.Contains(statement, "market_data"):
			var rows [][]byte
			for _, field := range []string{"open", "high", "low", "close", "volume"} {
				rows = append(rows, mpArray(mpText(field), mpText("float")))
			}
			results = append(results, result(int64(i), false, barTable([]string{"fieldKey", "fieldType"}, rows...)))
		case strings.HasPrefix(statement, "SHOW TAG VALUES"):
			kraken := barTable([]string{"key", "value"}, mpArray(mpText("exchange"), mpText("kraken")))
			results = append(results, result(int64(i), false, kraken))
		case w.corrupt && strings.HasPrefix(statement, `SELECT "open"`):
			w.corrupt = false
			negativeTrades := barTable(barColumns, barRow(0, map[int][]byte{6: mpInt(-1)}))
			results = append(results, result(int64(i), false, negativeTrades))
		default:
			results = append(results, result(int64(i), false))
		}
	}

	return response(r, http.StatusOK, document(results...)), nil
}

// TestStatementsAreGolden compares all InfluxQL that each call sends, and its parameters, with a golden file. Run the
// test with -update to rewrite the files, and read the difference: a deployment's server has to run these statements.
func TestStatementsAreGolden(t *testing.T) {
	for name, c := range statementCalls {
		t.Run(name, func(t *testing.T) {
			wire := &wireRecorder{corrupt: name == "replace_bars"}
			cfg := influx.Config{}
			if c.existing {
				cfg.Existing = influx.Existing{
					Frequency: domain.Minute1,
					Tags:      map[string]string{"data_type": "ohlcv", "source": "a'b"},
				}
			}

			s := newStore(t, fakeClient(wire), cfg)
			if name != "open" {
				wire.log.Reset()
			}
			if err := c.call(t.Context(), s); err != nil {
				t.Fatal(err)
			}

			compareGolden(t, filepath.Join(statementFolder, name+".influxql"), wire.log.Bytes())
		})
	}
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}

		return
	}

	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run the test with -update if the change is intended\ngot\n%s\nwant\n%s", path, got, want)
	}
}

// TestGoldenFilesHaveCalls fails on a golden file that no call writes any more.
func TestGoldenFilesHaveCalls(t *testing.T) {
	files, err := os.ReadDir(statementFolder)
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range files {
		if _, ok := statementCalls[strings.TrimSuffix(f.Name(), ".influxql")]; !ok {
			t.Errorf("%s belongs to no call; delete it", f.Name())
		}
	}
}

// queryLanguage finds InfluxQL and Flux in a string literal.
var queryLanguage = regexp.MustCompile(
	`\b(SELECT|SHOW|DELETE|CREATE|DROP|FROM|WHERE|GROUP BY|ORDER BY|LIMIT)\b|from\(bucket`)

// TestQueryTextIsInOneFile fails where a production file other than query.go holds query text.
func TestQueryTextIsInOneFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}

		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}

		var literals []string
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == gotoken.STRING && queryLanguage.MatchString(l.Value) {
				literals = append(literals, l.Value)
			}
			return true
		})
		if name == "query.go" {
			found = len(literals)
		} else if len(literals) > 0 {
			t.Errorf("%s holds query text: %s; it belongs in query.go", name, slices.Compact(literals))
		}
	}

	if found == 0 {
		t.Error("no query text found in query.go: the pattern of this test matches nothing")
	}
}
