package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// operation is one call of a process by a user.
type operation struct {
	text string
	run  func(ctx context.Context, md *app.Service) error

	// wrote is the series that the call may have changed, in the range changed; zero for a call that reads.
	wrote   domain.SeriesKey
	changed domain.Range

	// verify compares the result with that of the model. It is called after a call without an error, unless another
	// process wrote within a lease.
	verify func() error
}

// traffic draws the operations of a month.
type traffic struct {
	random   *rand.Rand
	model    *model
	begin    time.Time
	recorded map[domain.SeriesKey]time.Time // end of what the recorder wrote
}

var (
	symbols = []domain.Symbol{"BTC/USD", "ETH/USD", "EUR/USD"}
	stored  = []domain.Grid{domain.Minute1.UTC(), domain.Hour1.UTC()}
	asked   = []domain.Grid{
		domain.Minute1.UTC(), domain.Minute1.UTC(), domain.Minute5.UTC(), domain.Hour1.UTC(), domain.Hour1.UTC(),
		domain.Day1.UTC(),
	}
)

// next draws an operation.
func (tr *traffic) next() operation {
	key := tr.storedKey()
	switch n := tr.random.IntN(20); {
	case n < 6:
		return tr.record(key)
	case n < 7:
		return tr.rewrite(key)
	case n < 8:
		return tr.remove(key)
	case n < 10:
		return tr.fetchMany()
	case n < 12:
		return tr.stream()
	case n < 13 && tr.random.IntN(5) == 0:
		return tr.describe(key.Symbol)
	}

	return tr.fetch(tr.request())
}

func (tr *traffic) storedKey() domain.SeriesKey {
	return domain.SeriesKey{Symbol: symbols[tr.random.IntN(len(symbols))], Grid: stored[tr.random.IntN(len(stored))]}
}

// record writes what closed since the last record of the series that was acknowledged.
func (tr *traffic) record(key domain.SeriesKey) operation {
	from, ok := tr.recorded[key]
	if !ok {
		from = tr.begin
	}
	r := domain.Range{Start: from, End: key.Grid.Floor(time.Now())}
	if r.Empty() {
		return tr.fetch(tr.request())
	}

	const tape = 0 // a record that is repeated has the same bars
	bars := makeBars(key, r, tape)

	return operation{
		text: fmt.Sprintf("record %s %s", key, r), wrote: key, changed: r,
		run: func(ctx context.Context, md *app.Service) error {
			_, err := md.Ingest(ctx, bars, r, ports.ConflictReplace)
			if err == nil {
				tr.recorded[key] = r.End
			}

			return err
		},
		verify: func() error { return tr.model.has(bars) },
	}
}

// rewrite replaces bars of the past by others.
func (tr *traffic) rewrite(key domain.SeriesKey) operation {
	r := tr.past(key.Grid, 300)
	bars := makeBars(key, r, tr.random.Uint64())
	if bars.Len() == 0 {
		return tr.fetch(tr.request())
	}

	return operation{
		text: fmt.Sprintf("replace %s %s", key, r), wrote: key, changed: r,
		run: func(ctx context.Context, md *app.Service) error {
			_, err := md.Replace(ctx, bars, r)
			return err
		},
		verify: func() error { return tr.model.hasOnly(bars, r) },
	}
}

// remove deletes bars of the past.
func (tr *traffic) remove(key domain.SeriesKey) operation {
	r := tr.past(key.Grid, 30)

	return operation{
		text: fmt.Sprintf("delete %s %s", key, r), wrote: key, changed: r,
		run: func(ctx context.Context, md *app.Service) error {
			_, err := md.Delete(ctx, key, r)
			return err
		},
		verify: func() error { return tr.model.hasOnly(domain.EmptySeries(key), r) },
	}
}

// past draws a range of at most so many bars that are closed.
func (tr *traffic) past(g domain.Grid, most int) domain.Range {
	size := g.Frequency().Nominal()
	closed := int64(g.Floor(time.Now()).Sub(tr.begin) / size)
	if closed < 1 {
		return domain.Range{Start: tr.begin, End: tr.begin}
	}

	n := 1 + tr.random.Int64N(min(int64(most), closed))
	from := tr.begin.Add(time.Duration(tr.random.Int64N(closed-n+1)) * size)

	return domain.Range{Start: from, End: from.Add(time.Duration(n) * size)}
}

// makeBars returns bars of a few prices in r, in nine of ten slots. The slot and the seed fix each.
func makeBars(key domain.SeriesKey, r domain.Range, seed uint64) domain.Series {
	b := domain.NewSeriesBuilder(key, 0)
	for at := r.Start; at.Before(r.End); at = key.Grid.Next(at) {
		random := rand.New(rand.NewPCG(seed, uint64(at.Unix())))
		if random.IntN(10) == 0 {
			continue
		}

		price := domain.MustDecimal(fmt.Sprint(100 + random.IntN(10)))
		err := b.Append(domain.Bar{
			OpenTime: at, Open: price, High: price, Low: price, Close: price, Volume: price, Trades: 1,
		})
		if err != nil {
			panic(err)
		}
	}

	bars, err := b.Series()
	if err != nil {
		panic(err)
	}

	return bars
}

// request draws a request near the present, now and then with an end in the future, or with a limit.
func (tr *traffic) request() domain.DataRequest {
	g := asked[tr.random.IntN(len(asked))]
	r := domain.DataRequest{Key: domain.SeriesKey{Symbol: symbols[tr.random.IntN(len(symbols))], Grid: g}}
	if tr.random.IntN(4) == 0 {
		r.Last = 1 + tr.random.IntN(500)
		return r
	}

	within := tr.past(g, 2000)
	r.Start, r.End = within.Start, within.End
	switch tr.random.IntN(6) {
	case 0:
		r.First = 1 + tr.random.IntN(100)
	case 1:
		r.Start, r.End = g.Floor(time.Now().Add(-6*time.Hour)), time.Now().Add(time.Hour)
	case 2:
		r.Fresh = true
	case 3:
		r.MaxStale = time.Duration(tr.random.Int64N(int64(time.Hour)))
	}

	return r
}

// requestNear draws a request for bars in r and around it, of the grid of the key or of a coarser one.
func (tr *traffic) requestNear(key domain.SeriesKey, r domain.Range) domain.DataRequest {
	if tr.random.IntN(3) == 0 {
		key.Grid = domain.Hour1.UTC()
	}

	return domain.DataRequest{Key: key, Start: r.Start.Add(-time.Hour), End: r.End.Add(time.Hour)}
}

func (tr *traffic) fetch(request domain.DataRequest) operation {
	var result domain.Result

	return operation{
		text: "fetch " + request.String(),
		run: func(ctx context.Context, md *app.Service) (err error) {
			result, err = md.Fetch(ctx, request)
			return err
		},
		verify: func() error { return tr.model.compare(request, result) },
	}
}

func (tr *traffic) fetchMany() operation {
	requests := []domain.DataRequest{tr.request(), tr.request(), tr.request()}
	var results []ports.BatchResult

	return operation{
		text: fmt.Sprintf("fetch %s and two others", requests[0]),
		run: func(ctx context.Context, md *app.Service) error {
			results = md.FetchMany(ctx, requests)
			var errs []error
			for _, r := range results {
				errs = append(errs, r.Err)
			}

			return errors.Join(errs...)
		},
		verify: func() error {
			var errs []error
			for i, r := range results {
				errs = append(errs, tr.model.compare(requests[i], r.Result))
			}

			return errors.Join(errs...)
		},
	}
}

func (tr *traffic) stream() operation {
	request := tr.request()
	var result domain.Result

	return operation{
		text: "stream " + request.String(),
		run: func(ctx context.Context, md *app.Service) error {
			pieces, finish := md.Stream(ctx, request)
			b := domain.NewSeriesBuilder(request.Key, 0)
			for piece, err := range pieces {
				if err == nil {
					err = b.AppendSeries(piece)
				}
				if err != nil {
					return err
				}
			}

			result = finish()
			var err error
			result.Series, err = b.Series()

			return err
		},
		verify: func() error { return tr.model.compare(request, result) },
	}
}

func (tr *traffic) describe(symbol domain.Symbol) operation {
	var got ports.Description
	var now time.Time

	return operation{
		text: "describe " + string(symbol),
		run: func(ctx context.Context, md *app.Service) (err error) {
			now = time.Now()
			got, err = md.Describe(ctx, symbol)
			return err
		},
		verify: func() error {
			tr.model.now = got.Statistics.Window.End
			want, err := tr.model.Describe(context.Background(), symbol)
			if err != nil || got.Statistics.Bars != want.Statistics.Bars ||
				!slices.EqualFunc(got.Uncovered, want.Uncovered, domain.Range.Equal) {
				return fmt.Errorf("at %s: got %+v, want %+v (%w)", now, got, want, err)
			}

			return nil
		},
	}
}
