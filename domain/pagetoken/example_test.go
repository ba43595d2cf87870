package pagetoken_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
)

func ExampleToken() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	request := domain.DataRequest{Key: key, Start: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), First: 1000, Paged: true}
	token, _ := pagetoken.New(request, time.Date(2018, 1, 1, 16, 40, 0, 0, time.UTC), "") // the Next of its first page
	page, _ := token.Resume(request)
	fmt.Println(page)
	request.Fill = domain.FillPrevious
	_, err := token.Resume(request)
	fmt.Println(err)
	// Output:
	// BTC/USD 1m [2018-01-01T16:40:00Z, now) first 1000
	// page token "Airh3ybtq7itANgZorlhBQCbO2NH": it is of another request; repeat that request: series, range, quality, fill, resample
}
