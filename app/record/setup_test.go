package record_test

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

var noon = time.Date(2024, 3, 9, 12, 0, 0, 0, time.UTC)

// write stores the bars, and declares coverage from the first to the last.
func write(t testing.TB, store *memory.Store, bars domain.Series) {
	t.Helper()
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// threeSeries returns a store with so many one-minute bars from noon on of each of three symbols.
func threeSeries(t testing.TB, bars int) *memory.Store {
	t.Helper()
	store := memory.New()
	for _, symbol := range []domain.Symbol{"CCC/USD", "AAA/USD", "BBB/USD"} {
		write(t, store, gen.FlatBars(gen.MinuteKey(symbol), noon, bars))
	}

	return store
}
