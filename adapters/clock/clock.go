// Package clock has the clocks of business time: the clock of the system, and a simulated clock that a backtest drives.
// Timers and timeouts do not belong here; they use package time.
package clock

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// System is the clock of the machine, in microseconds. It never goes back: while the machine's clock is behind the
// latest instant that Now returned, Now returns that instant again. The zero value is ready for use. It is safe for
// concurrent use.
type System struct {
	latest atomic.Int64 // microseconds since 1970
}

var _ ports.Clock = (*System)(nil)

// NewSystem returns the clock of the machine.
func NewSystem() *System { return &System{} }

// Now returns the current instant in UTC.
func (c *System) Now() time.Time { return c.advanceTo(time.Now()) }

// advanceTo returns t, or the latest instant if that is later than t.
func (c *System) advanceTo(t time.Time) time.Time {
	now := t.UnixMicro()
	for {
		latest := c.latest.Load()
		if now <= latest {
			return time.UnixMicro(latest).UTC()
		}
		if c.latest.CompareAndSwap(latest, now) {
			return time.UnixMicro(now).UTC()
		}
	}
}

// Simulated is a clock that moves only by Set and Advance. It never goes back, because data that a backtest has seen
// must stay visible. It truncates instants to microseconds, the resolution of all data. It is safe for concurrent use,
// and moving it does not allocate.
type Simulated struct {
	now atomic.Int64 // microseconds since 1970
}

var _ ports.Clock = (*Simulated)(nil)

// NewSimulated returns a clock that stands at start.
func NewSimulated(start time.Time) *Simulated {
	c := &Simulated{}
	c.now.Store(start.UnixMicro())
	return c
}

// Now returns the instant at which the clock stands, in UTC.
func (c *Simulated) Now() time.Time { return time.UnixMicro(c.now.Load()).UTC() }

// Set moves the clock to t. It returns an error and does not move if t is before Now.
func (c *Simulated) Set(t time.Time) error {
	next := t.UnixMicro()
	for {
		now := c.now.Load()
		if next < now {
			return fmt.Errorf("set clock to %s: it stands at %s and cannot go back: %w",
				t.UTC().Format(time.RFC3339Nano), time.UnixMicro(now).UTC().Format(time.RFC3339Nano), ports.ErrInvalid)
		}
		if c.now.CompareAndSwap(now, next) {
			return nil
		}
	}
}

// Advance moves the clock forward by d. It returns an error and does not move if d is negative.
func (c *Simulated) Advance(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("advance clock by %s: it cannot go back: %w", d, ports.ErrInvalid)
	}

	c.now.Add(d.Microseconds())

	return nil
}
