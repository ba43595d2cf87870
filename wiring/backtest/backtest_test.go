package backtest_test

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

func TestNewRefusesABadConfig(t *testing.T) {
	t.Parallel()
	if _, err := backtest.New(memory.New(), clock.NewSimulated(time.Now()), app.Config{Timeout: -1}); err == nil {
		t.Error("no error")
	}
}
