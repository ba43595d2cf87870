package influxconfig_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx/influxconfig"
)

// The zero value of a field is its default, and no output shows the token.
func Example() {
	cfg := influxconfig.Config{URL: "http://db:8086", Token: secret.New("user:secret")}.WithDefaults()
	fmt.Println(cfg.Token, cfg.Database, cfg.Measurement, cfg.ChunkSize)

	cfg.URL, cfg.SlowQuery = "db:8086", -time.Second
	fmt.Println(cfg.Validate())

	// Output:
	// (hidden) marketdata bars 10000
	// url: use one like http://127.0.0.1:8086: invalid
	// slow_query -1s: must not be negative: invalid
}
