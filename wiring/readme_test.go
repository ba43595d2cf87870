package wiring_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/backtest"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

func printCloses(ctx context.Context) error {
	cfg, err := wiring.Load("marketdata.yaml", slog.Default()) // variables MARKETDATA_... override it; "" reads no file
	if err != nil {
		return err
	}

	md, cleanup, err := embedded.Open(ctx, cfg, embedded.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}

	defer cleanup()
	key, err := domain.NewSeriesKey("COINBASE:BTC/USD", domain.Minute1.UTC(), domain.PriceTrade)
	if err != nil {
		return err
	}

	result, err := md.Fetch(ctx, domain.DataRequest{Key: key, Last: 200})
	if err != nil {
		return err
	}

	for _, bar := range result.Series.All() {
		fmt.Println(bar.OpenTime, bar.Close) // bar.Close is a domain.Decimal
	}

	return nil
}

func buyAfterRises(
	ctx context.Context, store backtest.Store, key domain.SeriesKey, year domain.Range,
) (record.Report, error) {
	session, err := backtest.NewSession(store, []domain.SeriesKey{key}, year, backtest.Options{})
	if err != nil {
		return record.Report{}, err
	}

	market := record.New(session.Market)     // keeps the requests of the strategy
	for _, err := range session.Steps(ctx) { // each instant at which bars closed
		if err != nil {
			return record.Report{}, err
		}

		result, err := market.Fetch(ctx, domain.DataRequest{Key: key, Last: 20})
		if err != nil {
			return record.Report{}, err
		}
		if bars := result.Series; bars.At(bars.Len()-1).Close.Cmp(bars.At(0).Close) <= 0 {
			continue
		}

		next, found, err := session.Future.Next(ctx, key) // the next bar, for the simulated exchange only
		if err != nil {
			return record.Report{}, err
		}
		if found {
			fmt.Println(next.OpenTime, "buy at", next.Open)
		}
	}

	return market.Report(), nil // Report.Diff lists requests that got other data than in an earlier run
}

// The statements that the documents show outside a function.
var (
	_ = func(
		ctx context.Context, md *app.Service, key domain.SeriesKey, start, end time.Time,
	) (domain.Result, error) {
		result, err := md.Fetch(ctx, domain.DataRequest{Key: key, Start: start, End: end})
		return result, err
	}
	_ = func(t *testing.T, open func(testing.TB) ports.Store) {
		contract.BarStore(t, func(tb testing.TB) contract.Store { return contract.Store{Bars: open(tb)} }, contract.Profile{})
	}
	_ = func(s *memory.Store) embedded.Options {
		options := embedded.Options{Stores: func(ours []app.Source) []app.Source {
			return append(ours, app.Source{Name: "mine", Bars: s, Catalog: s, Takes: domain.FrequencyRange{From: domain.Day1}})
		}}

		return options
	}
)

// Every Go block of README.md and of the how-tos is code of this file or of the test of the session, so that it
// compiles when it is copied.
func TestDocumentedCodeCompiles(t *testing.T) {
	t.Parallel()
	source := withoutIndent(readFile(t, "readme_test.go") + readFile(t, filepath.Join("backtest", "session_test.go")))
	documents, err := filepath.Glob(filepath.Join("..", "docs", "howto", "*.md"))
	if err != nil {
		t.Fatal(err)
	}

	blocks := 0
	for _, path := range append(documents, filepath.Join("..", "README.md")) {
		for _, block := range strings.Split(readFile(t, path), "```go\n")[1:] {
			code, _, _ := strings.Cut(block, "```")
			blocks++
			if !strings.Contains(source, "\n"+withoutIndent(code)) {
				t.Errorf("%s has other code than the tests:\n%s", path, code)
			}

			const limit = 35 // lines: a reader of README should see all of it
			if lines := strings.Count(code, "\n"); lines > limit && filepath.Base(path) == "README.md" {
				t.Errorf("README.md has a block of %d lines; want at most %d\n%s", lines, limit, code)
			}
		}
	}
	if blocks < 7 {
		t.Errorf("%d blocks found; want 7 or more", blocks)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

// withoutIndent returns the text with its lines trimmed.
func withoutIndent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}

	return b.String()
}

func TestReadmeCodeRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "sqlite:\n  path: " + filepath.Join(t.TempDir(), "market.db") + "\n"
	if err := os.WriteFile("marketdata.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := printCloses(t.Context()); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("an empty database: %v", err)
	}

	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	builder := domain.NewSeriesBuilder(key, 0)
	start := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	for i, price := range []string{"10", "11", "12"} {
		p := domain.MustDecimal(price)
		bar := domain.Bar{OpenTime: start.Add(time.Duration(i) * time.Hour), Open: p, High: p, Low: p, Close: p}
		if err := builder.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	bars, err := builder.Series()
	if err != nil {
		t.Fatal(err)
	}

	store := memory.New()
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	first, err := buyAfterRises(t.Context(), store, key, bars.Range())
	if err != nil {
		t.Fatal(err)
	}

	again, err := buyAfterRises(t.Context(), store, key, bars.Range())
	if err != nil || len(again.Diff(first)) > 0 {
		t.Errorf("a second run: %v, %v", again.Diff(first), err)
	}
}
