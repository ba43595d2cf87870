package pgconfig_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres/pgconfig"
)

// The zero value of a field is its default, and no output shows the DSN.
func Example() {
	cfg := pgconfig.Config{DSN: secret.New("postgres://reader:secret@db/market"), MaxConns: 4}.WithDefaults()
	fmt.Println(cfg.DSN, cfg.MinConns, cfg.MaxConns, cfg.AcquireTimeout)

	cfg.MinConns, cfg.SlowQuery = 5, time.Microsecond
	fmt.Println(cfg.Validate())

	// Output:
	// (hidden) 4 4 250ms
	// min_conns 5, max_conns 4: must be 0 <= min <= max: invalid
	// slow_query 1µs: must be at least 1ms: invalid
}
