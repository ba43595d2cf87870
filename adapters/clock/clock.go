// Package clock holds the clocks of business time: the system's, and a simulated one that a backtest drives. Timers and
// timeouts are not here; they use package time.
package clock

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// System is the machine's clock, in microseconds. Where the machine's clock is set back, it stands still until that has caught
// up. The zero value is ready.
type System struct {
	latest atomic.Int64 // microseconds since 1970
}

var _ ports.Clock = (*System)(nil)

// NewSystem returns the machine's clock.
func NewSystem() *System { return &System{} }

// Now is the current instant in UTC.
func (c *System) Now() time.Time { return c.notBefore(time.Now()) }

// notBefore is t, or the latest instant that was told, if that is later.
func (c *System) notBefore(t time.Time) time.Time {
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

// Simulated stands still until it is told to move, and never moves back: what was once visible in a backtest stays so. It tells
// microseconds, as all data does: what is finer is cut off. It is safe for concurrent use, and moving it allocates nothing.
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

// Now is where the clock stands, in UTC.
func (c *Simulated) Now() time.Time { return time.UnixMicro(c.now.Load()).UTC() }

// Set moves the clock to t. A t before Now is refused, and the clock stays.
func (c *Simulated) Set(t time.Time) error {
	next := t.UnixMicro()
	for {
		now := c.now.Load()
		if next < now {
			return fmt.Errorf("set clock to %s: it stands at %s and never goes back: %w",
				t.UTC().Format(time.RFC3339Nano), time.UnixMicro(now).UTC().Format(time.RFC3339Nano), ports.ErrInvalid)
		}
		if c.now.CompareAndSwap(now, next) {
			return nil
		}
	}
}

// Advance moves the clock on by d. A negative d is refused, and the clock stays.
func (c *Simulated) Advance(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("advance clock by %s: it never goes back: %w", d, ports.ErrInvalid)
	}

	c.now.Add(d.Microseconds())
	return nil
}
