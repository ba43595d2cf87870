package clock

import "time"

// NowAt returns Now with the machine's clock at t.
func (c *System) NowAt(t time.Time) time.Time { return c.advanceTo(t) }
