package clock_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

var start = time.Date(2024, 3, 10, 1, 59, 0, 0, time.FixedZone("EST", -5*60*60))

func TestContract(t *testing.T) {
	t.Parallel()
	t.Run("system", func(t *testing.T) {
		contract.Clock(t, func(testing.TB) ports.Clock { return clock.NewSystem() })
	})
	t.Run("simulated", func(t *testing.T) {
		contract.Clock(t, func(testing.TB) ports.Clock { return clock.NewSimulated(start) })
	})
}

func TestSystemFollowsMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewSystem()
		before := c.Now()
		time.Sleep(90 * time.Minute) // of the synctest bubble; returns at once
		if got := c.Now().Sub(before); got != 90*time.Minute {
			t.Errorf("advanced by %s, want 90m", got)
		}
	})
}

func TestSimulated(t *testing.T) {
	t.Parallel()
	c := clock.NewSimulated(start)
	checkNow := func(want time.Time) {
		t.Helper()
		if now := c.Now(); !now.Equal(want) || now.Location() != time.UTC {
			t.Errorf("got %s, want %s", now, want)
		}
	}
	checkNow(start)
	if err := c.Advance(time.Hour); err != nil {
		t.Error(err)
	}
	checkNow(start.Add(time.Hour))
	if err := c.Set(start.Add(2 * time.Hour)); err != nil {
		t.Error(err)
	}
	if err := c.Set(start.Add(2 * time.Hour)); err != nil {
		t.Errorf("set to the same instant: %v", err)
	}
	if err := c.Set(start); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("set to an earlier instant: %v", err)
	}
	if err := c.Advance(-1); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("advance by a negative duration: %v", err)
	}
	checkNow(start.Add(2 * time.Hour))
}

// TestSimulatedMovesWithoutAllocating counts allocations, because a backtest sets the clock at every instant and reads
// it at every request.
func TestSimulatedMovesWithoutAllocating(t *testing.T) {
	c := clock.NewSimulated(start)
	if n := testing.AllocsPerRun(100, func() {
		if err := c.Set(c.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per move", n)
	}
}

// TestSimulatedTruncatesToMicroseconds checks both ways to set the clock.
func TestSimulatedTruncatesToMicroseconds(t *testing.T) {
	t.Parallel()
	c := clock.NewSimulated(start.Add(1999))
	if now := c.Now(); !now.Equal(start.Add(1000)) {
		t.Errorf("got %s", now)
	}
	if err := c.Set(start.Add(1500)); err != nil {
		t.Error(err)
	}
	if now := c.Now(); !now.Equal(start.Add(1000)) {
		t.Errorf("got %s", now)
	}
}

func TestSystemStandsStillWhenMachineGoesBack(t *testing.T) {
	t.Parallel()
	c := clock.NewSystem()
	latest := c.NowAt(start)
	if got := c.NowAt(start.Add(-time.Hour)); !got.Equal(latest) {
		t.Errorf("went back to %s", got)
	}
	if got := c.NowAt(start.Add(time.Hour)); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("did not advance: %s", got)
	}
}

func ExampleSimulated() {
	c := clock.NewSimulated(time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC))
	fmt.Println(c.Advance(time.Minute), c.Now())
	fmt.Println(c.Advance(-time.Minute))
	// Output:
	// <nil> 2024-03-04 09:01:00 +0000 UTC
	// advance clock by -1m0s: it cannot go back: invalid
}
