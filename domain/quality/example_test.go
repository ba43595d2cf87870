package quality_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
)

func ExampleValidator() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	one, two := domain.MustDecimal("1"), domain.MustDecimal("2")
	s, _ := domain.NewSeries(key, domain.Bar{
		OpenTime: time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC), Open: one, High: one, Low: one, Close: two, Volume: one,
	})
	v := quality.NewValidator(s.Range(), time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)).Check(s)
	fmt.Println(v.Err(key))
	fmt.Println(s.Drop(v.Fatal))
	// Output:
	// BTC/USD 1m at 2018-04-04T00:00:00Z: high is below open or close (high_below_open_or_close)
	// BTC/USD 1m: no bars
}
