package redisconfig_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/adapters/secret"
)

// The zero value of a field is its default, and no output shows the URL.
func Example() {
	cfg := redisconfig.Config{URL: secret.New("redis://u:secret@cache:6379/0")}.WithDefaults()
	fmt.Println(cfg.URL, cfg.Prefix, cfg.Timeout)

	cfg.URL, cfg.Timeout = secret.New("http://u:secret@cache"), time.Microsecond
	fmt.Println(cfg.Validate())

	// Output:
	// (hidden) marketdata: 25ms
	// url: use one like redis://user:password@host:6379/0, or rediss:// for TLS: invalid
	// timeout 1µs: must be at least 1ms: invalid
}
