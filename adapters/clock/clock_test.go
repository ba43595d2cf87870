package clock_test

import (
	"errors"
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

func TestSystemFollowsTheMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewSystem()
		before := c.Now()
		time.Sleep(90 * time.Minute) // in the bubble's time
		if got := c.Now().Sub(before); got != 90*time.Minute {
			t.Errorf("moved on by %s", got)
		}
	})
}

func TestSimulated(t *testing.T) {
	t.Parallel()
	c := clock.NewSimulated(start)
	stands := func(want time.Time) {
		t.Helper()
		if now := c.Now(); !now.Equal(want) || now.Location() != time.UTC {
			t.Errorf("stands at %s, want %s", now, want)
		}
	}
	stands(start)
	if err := c.Advance(time.Hour); err != nil {
		t.Error(err)
	}
	stands(start.Add(time.Hour))
	if err := c.Set(start.Add(2 * time.Hour)); err != nil {
		t.Error(err)
	}
	if err := c.Set(start.Add(2 * time.Hour)); err != nil {
		t.Errorf("standing still: %v", err)
	}
	if err := c.Set(start); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("set back: %v", err)
	}
	if err := c.Advance(-1); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("advance by less than nothing: %v", err)
	}
	stands(start.Add(2 * time.Hour))
}

// A backtest sets the clock at every instant that it plays, and reads it at every request.
func TestSimulatedMovesWithoutAllocating(t *testing.T) {
	c := clock.NewSimulated(start)
	if n := testing.AllocsPerRun(100, func() {
		if err := c.Set(c.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a move", n)
	}
}

// What is finer than any data says nothing, and makes nothing visible.
func TestSimulatedTellsMicroseconds(t *testing.T) {
	t.Parallel()
	c := clock.NewSimulated(start.Add(1999))
	if now := c.Now(); !now.Equal(start.Add(1000)) {
		t.Errorf("stands at %s", now)
	}
	if err := c.Set(start.Add(1500)); err != nil {
		t.Error(err)
	}
	if now := c.Now(); !now.Equal(start.Add(1000)) {
		t.Errorf("stands at %s", now)
	}
}

func TestSystemStandsStillWhenTheMachineIsSetBack(t *testing.T) {
	t.Parallel()
	c := clock.NewSystem()
	told := c.NowAt(start)
	if got := c.NowAt(start.Add(-time.Hour)); !got.Equal(told) {
		t.Errorf("went back to %s", got)
	}
	if got := c.NowAt(start.Add(time.Hour)); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("did not go on: %s", got)
	}
}
