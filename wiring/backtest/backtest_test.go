package backtest_test

import (
	"context"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

func TestNewRefusesABadConfig(t *testing.T) {
	t.Parallel()
	if _, err := backtest.New(memory.New(), clock.NewSimulated(time.Now()), app.Config{Timeout: -1}); err == nil {
		t.Error("no error")
	}
}

// decorated is a memory store in a decorator that records the stack of each read.
type decorated struct {
	*memory.Store
	stack string
}

func (d *decorated) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	d.stack = string(debug.Stack())
	return d.Store.ReadBars(ctx, q)
}

// A decorated memory store keeps the fast path: its calls run on the goroutine of the caller.
func TestADecoratedStoreKeepsTheFastPath(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	open := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	one := domain.MustDecimal("1")
	bars, err := domain.NewSeries(key, domain.Bar{OpenTime: open, Open: one, High: one, Low: one, Close: one, Volume: one})
	if err != nil {
		t.Fatal(err)
	}

	store := &decorated{Store: memory.New()}
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	md, err := backtest.New(store, clock.NewSimulated(open.Add(time.Hour)), app.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); err != nil {
		t.Fatal(err)
	}

	if !strings.Contains(store.stack, "TestADecoratedStoreKeepsTheFastPath") {
		t.Errorf("the read ran on another goroutine:\n%s", store.stack)
	}
}
