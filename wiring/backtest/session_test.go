package backtest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// movingAverages buys when the mean of the last 5 closes rises above that of the last 20, and sells when it falls.
func movingAverages(ctx context.Context, store backtest.Store, key domain.SeriesKey, history domain.Range) error {
	session, err := backtest.NewSession(store, []domain.SeriesKey{key}, history, backtest.Options{})
	if err != nil {
		return err
	}

	var closes []float64
	order, other := "buy", "sell"
	for _, err := range session.Steps(ctx) {
		if err != nil {
			return err
		}

		result, err := session.Market.Fetch(ctx, domain.DataRequest{Key: key, Last: 20})
		if err != nil {
			return err
		}
		closes = result.Series.Floats(domain.FieldClose, closes[:0])
		if len(closes) < 20 || (mean(closes[15:]) > mean(closes)) != (order == "buy") {
			continue
		}

		next, found, err := session.Future.Next(ctx, key) // an order is filled at the open of the next bar
		if err != nil {
			return err
		}
		if found {
			fmt.Println(next.OpenTime.Format(time.DateTime), order, "at", next.Open)
			order, other = other, order
		}
	}

	return nil
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}

	return sum
}

func ExampleSession() {
	ctx := context.Background()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	store, history, err := storeOf(ctx, key, wave(80)...)
	if err == nil {
		err = movingAverages(ctx, store, key, history)
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2024-03-05 14:00:00 buy at 129
	// 2024-03-06 10:00:00 sell at 131
	// 2024-03-07 06:00:00 buy at 129
}

// wave returns n prices that fall and rise by 20.
func wave(n int) []string {
	prices := make([]string, n)
	for i := range prices {
		prices[i] = strconv.Itoa(100 + max(i%40, 40-i%40))
	}

	return prices
}

// A strategy knows as many bars as have closed.
func TestSessionKnowsNoLaterBar(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	store, history, err := storeOf(t.Context(), key, "10", "11", "12")
	if err != nil {
		t.Fatal(err)
	}

	session, err := backtest.NewSession(store, []domain.SeriesKey{key}, history, backtest.Options{})
	if err != nil {
		t.Fatal(err)
	}

	seen := 0
	for event, err := range session.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}

		result, err := session.Market.Fetch(t.Context(), domain.DataRequest{Key: key, Last: 10})
		seen++
		if err != nil || result.Series.Len() != seen || !session.Clock.Now().Equal(event.At) {
			t.Fatalf("%d bars at %s, %v; the strategy knows %d", result.Series.Len(), event.At, err, seen)
		}
	}

	if bars := session.Quality()[key].Bars; seen != 3 || bars != 3 {
		t.Errorf("%d bars played, %d judged", seen, bars)
	}
}

func TestNewSessionRefuses(t *testing.T) {
	t.Parallel()
	start := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	r := domain.Range{Start: start, End: start.Add(time.Hour)}
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	if _, err := backtest.NewSession(memory.New(), nil, r, backtest.Options{}); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no series: %v", err)
	}

	_, err := backtest.NewSession(nil, []domain.SeriesKey{key}, r, backtest.Options{})
	if !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no store: %v", err)
	}

	reversed := domain.Range{Start: r.End, End: r.Start}
	_, err = backtest.NewSession(memory.New(), []domain.SeriesKey{key}, reversed, backtest.Options{})
	if !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("a reversed range: %v", err)
	}

	var opts backtest.Options
	opts.Replay.ChunkBars = -1
	if _, err := backtest.NewSession(memory.New(), []domain.SeriesKey{key}, r, opts); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("a chunk of -1 bars: %v", err)
	}
}

// A clock that is past the first bar cannot play it.
func TestSessionOfAClockThatIsLate(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	store, history, err := storeOf(t.Context(), key, "10", "11", "12")
	if err != nil {
		t.Fatal(err)
	}

	late := backtest.Options{Clock: clock.NewSimulated(history.End)}
	session, err := backtest.NewSession(store, []domain.SeriesKey{key}, history, late)
	if err != nil {
		t.Fatal(err)
	}

	for _, err = range session.Steps(t.Context()) {
	}
	if err == nil {
		t.Error("the bars were played though the clock is past them")
	}
}
