package barfile_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/domain"
)

func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}

	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "history.bars")

	day := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	price, volume := domain.MustDecimal("7424.91"), domain.MustDecimal("7.14")
	bars, err := domain.NewSeries(key,
		domain.Bar{OpenTime: day, Open: price, High: price, Low: price, Close: price, Volume: volume},
		domain.Bar{OpenTime: day.Add(2 * time.Hour), Open: price, High: price, Low: price, Close: price},
	)
	if err != nil {
		log.Fatal(err)
	}

	w, err := barfile.Create(path)
	if err != nil {
		log.Fatal(err)
	}

	defer w.Discard()
	if err := w.Write(bars, domain.Range{Start: day, End: day.AddDate(0, 0, 1)}); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	f, closeFile, err := barfile.Open(path)
	if err != nil {
		log.Fatal(err)
	}

	defer closeFile()
	for _, key := range f.Keys() {
		for s, err := range f.Bars(key, f.Range(key)) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(s)
		}
	}

	for _, e := range f.Extents() {
		fmt.Println("covered:", e.Key, e.Range)
	}
	// Output:
	// BTC/USD 1h: 2 bars [2018-04-04T00:00:00Z, 2018-04-04T03:00:00Z)
	// covered: BTC/USD 1h [2018-04-04T00:00:00Z, 2018-04-05T00:00:00Z)
}
