package fingerprint_test

import (
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
)

// Series with equal bars have equal digests, however the numbers are written.
func ExampleOfSeries() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	digest := func(price string) fingerprint.Digest {
		p := domain.MustDecimal(price)
		series, _ := domain.NewSeries(key, domain.Bar{Open: p, High: p, Low: p, Close: p})

		return fingerprint.OfSeries(series)
	}

	fmt.Println(digest("1.5") == digest("1.50"), digest("1.5") == digest("1.51"))
	// Output: true false
}
