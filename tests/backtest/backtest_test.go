package backtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/backtest"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	wiring "github.com/gal-friday/marketdata/wiring/backtest"
)

var nine = time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)

const minutes = 600

// market returns the history of three symbols, the same random walks at every call, in which some minutes have no
// trade. Prices have two significant digits after the point, and are written with the given number of digits.
func market(digits uint8) ([]domain.Series, domain.Range) {
	scale := int64(1)
	for range digits - 2 {
		scale *= 10
	}
	var all []domain.Series
	for i, symbol := range []domain.Symbol{"BTC/USD", "ETH/USD", "XRP/USD"} {
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}, minutes)
		price := int64(100_000)
		for m := range minutes {
			open := price + rng.Int64N(21) - 10
			price = open + rng.Int64N(401) - 200
			if rng.IntN(20) == 0 {
				continue
			}

			number := func(cents int64) domain.Decimal { return must(domain.NewDecimal(cents*scale, digits)) }
			check(b.Append(domain.Bar{
				OpenTime: nine.Add(time.Duration(m) * time.Minute),
				Open:     number(open), High: number(max(open, price) + 5), Low: number(min(open, price) - 5), Close: number(price),
				Volume: number(1 + rng.Int64N(1000)), Trades: 1 + rng.Int64N(9),
			}))
		}

		all = append(all, must(b.Series()))
	}

	return all, domain.Range{Start: nine, End: nine.Add(minutes * time.Minute)}
}

// fill writes the series, with r as their coverage, and returns their keys.
func fill(ctx context.Context, store ports.BarWriter, all []domain.Series, r domain.Range) []domain.SeriesKey {
	var keys []domain.SeriesKey
	for _, s := range all {
		must(ports.WriteBars(ctx, store, s, r, ports.ConflictReplace))
		keys = append(keys, s.Key())
	}

	return keys
}

// stores are the stores that the strategy runs on.
var stores = map[string]func(testing.TB) wiring.Store{
	"sqlite": func(tb testing.TB) wiring.Store {
		s, closeStore, err := sqlite.Open(tb.Context(), sqlite.Config{Path: filepath.Join(tb.TempDir(), "market.db")})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(closeStore)

		return s
	},
	"postgres": func(tb testing.TB) wiring.Store {
		s, closeStore, err := postgres.Open(tb.Context(), postgres.Config{
			DSN: secret.New(migrated.Postgres(tb)), MinConns: 1, MaxConns: 2, BatchRows: 10_000,
			AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
		})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(closeStore)

		return s
	},
	"memory, numbers with more digits": func(testing.TB) wiring.Store { return memory.New() },
}

// The strategy gets the same results from every store, to the digit, and so makes the same fills.
func TestEqualFillsOnEveryStore(t *testing.T) {
	t.Parallel()
	all, within := market(2)
	reference := memory.New()
	keys := fill(t.Context(), reference, all, within)
	want, wantReport, err := backtest.Run(t.Context(), reference, keys, within)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 10 {
		t.Fatalf("only %d fills: the example shows nothing", len(want))
	}

	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			longer, _ := market(6)
			fill(t.Context(), store, longer, within)
			got, report, err := backtest.Run(t.Context(), store, keys, within)
			if err != nil {
				t.Fatal(err)
			}

			if !slices.EqualFunc(got, want, sameFill) {
				t.Errorf("got %v\nwant %v", got, want)
			}
			for _, d := range report.Diff(wantReport) {
				t.Error(d)
			}
		})
	}
}

func sameFill(a, b backtest.Fill) bool {
	return a.Symbol == b.Symbol && a.Side == b.Side &&
		a.Given.Equal(b.Given) && a.At.Equal(b.At) && a.Price.Equal(b.Price)
}

// Bars after the replayed range do not change the fills in it, and no order is filled before it was given.
func TestFillsDoNotDependOnTheFuture(t *testing.T) {
	t.Parallel()
	all, whole := market(2)
	store := memory.New()
	keys := fill(t.Context(), store, all, whole)
	long, _, err := backtest.Run(t.Context(), store, keys, whole)
	if err != nil {
		t.Fatal(err)
	}

	half := domain.Range{Start: whole.Start, End: whole.Start.Add(minutes / 2 * time.Minute)}
	short, _, err := backtest.Run(t.Context(), store, keys, half)
	if err != nil {
		t.Fatal(err)
	}

	if len(short) == 0 || !slices.EqualFunc(short, long[:len(short)], sameFill) {
		t.Errorf("short %v\nlong %v", short, long)
	}
	for _, f := range long {
		if f.At.Before(f.Given) {
			t.Errorf("%s: filled before it was given", f)
		}
	}
}

// The report differs in each result that contains a revised bar.
func TestRevisionShowsInTheReport(t *testing.T) {
	t.Parallel()
	all, within := market(2)
	store := memory.New()
	keys := fill(t.Context(), store, all, within)
	_, before, err := backtest.Run(t.Context(), store, keys, within)
	if err != nil {
		t.Fatal(err)
	}

	revised := all[1].At(300)
	revised.Volume = domain.MustDecimal("12345")
	s := must(domain.NewSeries(keys[1], revised))
	must(ports.WriteBars(t.Context(), store, s, s.Range(), ports.ConflictReplace))
	_, after, err := backtest.Run(t.Context(), store, keys, within)
	if err != nil {
		t.Fatal(err)
	}

	differences := after.Diff(before)
	if len(differences) != 20 { // it is one of the last twenty bars so many times
		t.Errorf("%d differences", len(differences))
	}
	for _, d := range differences {
		if len(d.Fields) != 1 || d.Fields[0].Name != "fingerprint" || d.Request.Bars.Key != keys[1] {
			t.Error(d)
		}
	}
}

func ExampleRun() {
	ctx := context.Background()
	all, within := market(2)
	store := memory.New()
	keys := fill(ctx, store, all, within)
	fills, _, err := backtest.Run(ctx, store, keys, within)
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, f := range fills[:3] {
		fmt.Println(f)
	}
	// Output:
	// 2024-03-04T09:20:00Z buy BTC/USD at 1004.67, given 2024-03-04T09:20:00Z
	// 2024-03-04T09:22:00Z buy ETH/USD at 1000.62, given 2024-03-04T09:22:00Z
	// 2024-03-04T09:30:00Z sell ETH/USD at 995.95, given 2024-03-04T09:30:00Z
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
