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
	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
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

// The functions in README.md are those of this file, so that they compile when they are copied.
func TestReadmeShowsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}

	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}

	functions := 0
	for _, block := range strings.Split(string(readme), "```go\n")[1:] {
		code, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(code, "func ") {
			continue
		}

		functions++
		const limit = 35 // lines: a reader should see all of it
		if lines := strings.Count(code, "\n"); lines > limit || !strings.Contains(string(source), "\n"+code) {
			t.Errorf("README.md has other code than readme_test.go, or more than %d lines: %d\n%s", limit, lines, code)
		}
	}
	if functions != 2 {
		t.Errorf("%d functions in README.md; want 2", functions)
	}
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
