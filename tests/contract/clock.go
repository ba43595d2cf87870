package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// clockLaws are the laws of ports.Clock.
var clockLaws = []law[ports.Clock]{
	{
		name: "clock/now_is_utc",
		text: "now is an instant in UTC",
		check: func(_ context.Context, c ports.Clock) error {
			if now := c.Now(); now.IsZero() || now.Location() != time.UTC {
				return fmt.Errorf("Now got %s in the location %q, want UTC", now, now.Location())
			}
			return nil
		},
	},
	{
		name: "clock/never_goes_back",
		text: "now is never before a now that was seen before, by whichever goroutine",
		check: func(ctx context.Context, c ports.Clock) error {
			watch := func(context.Context) error {
				before := c.Now()
				for range 10_000 {
					now := c.Now()
					if now.Before(before) {
						return fmt.Errorf("Now got %s, want %s or later", now, before)
					}

					before = now
				}

				return nil
			}
			first := c.Now()
			if err := runAll(ctx, watch, watch, watch, watch); err != nil {
				return err
			}
			if c.Now().Before(first) {
				return errors.New("Now got a time before the first one, want it or later")
			}

			return nil
		},
	},
}
