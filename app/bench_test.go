package app_test

import (
	"strconv"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// lastBars is an application over one source with a day of minutes, and a request for the last 200.
func lastBars(t testing.TB, local bool) (*app.Service, domain.DataRequest) {
	const minutes = 1440
	store := memory.New()
	held := make([]domain.Bar, minutes)
	for m := range held {
		held[m] = bar(m)
		held[m].Trades = int64(m)
		held[m].Volume = domain.MustDecimal(strconv.Itoa(m + 1))
	}

	bars := series(t, held...)
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	source := app.Source{Name: "memory", Bars: store, Catalog: store, Local: local}

	return over(t, clock.NewSimulated(at(minutes)), nil, app.Config{}, source), domain.DataRequest{Key: key, Last: 200}
}

func BenchmarkFetchLast200(b *testing.B) {
	for name, local := range map[string]bool{"local": true, "waiting": false} {
		b.Run(name, func(b *testing.B) {
			md, request := lastBars(b, local)
			b.ReportAllocs()
			for b.Loop() {
				if r, err := md.Fetch(b.Context(), request); err != nil || r.Series.Len() != request.Last {
					b.Fatal(r.Series, err)
				}
			}
		})
	}
}

// A request costs few allocations, however many bars it returns.
func TestFetchAllocates(t *testing.T) {
	md, request := lastBars(t, true)
	const most = 10
	got := testing.AllocsPerRun(100, func() {
		if _, err := md.Fetch(t.Context(), request); err != nil {
			t.Error(err)
		}
	})
	if got > most {
		t.Errorf("%.0f allocations, at most %d", got, most)
	}
}
