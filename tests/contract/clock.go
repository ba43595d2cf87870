package contract

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// clockLaws say what a clock promises.
var clockLaws = []law[ports.Clock]{
	{
		name: "clock/now_is_utc",
		text: "now is an instant in UTC",
		check: func(_ context.Context, c ports.Clock) error {
			if now := c.Now(); now.Location() != time.UTC {
				return fmt.Errorf("now is %s, in the location %q", now, now.Location())
			}
			return nil
		},
	},
}
