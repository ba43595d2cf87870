package contract

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// aggregator is a faulty ports.TradeAggregator over a correct one.
type aggregator struct {
	next ports.TradeAggregator
	make func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence
}

func (a aggregator) AggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range) ports.Sequence[domain.Series] {
	return ports.Unversioned(a.make(a.next, ctx, key, r))
}

// altered returns the sequence with every piece altered.
func altered(pieces sequence, change func(domain.Series) []domain.Bar) sequence {
	return func(yield func(domain.Series, error) bool) {
		for piece, err := range pieces {
			if err != nil {
				yield(piece, err)
				return
			}

			made, err := domain.NewSeries(piece.Key(), change(piece)...)
			if !yield(made, err) || err != nil {
				return
			}
		}
	}
}

func barsIn(s domain.Series) []domain.Bar {
	var list []domain.Bar
	for _, bar := range s.All() {
		list = append(list, bar)
	}

	return list
}

var aggregateFaults = []struct {
	name string
	make func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence
	laws []string
}{
	{"every day is a day of UTC", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		other := key
		other.Grid = key.Grid.Frequency().UTC()
		return func(yield func(domain.Series, error) bool) {
			for piece, err := range next.AggregateTrades(ctx, other, r).Rows() {
				if err == nil {
					piece, err = domain.NewSeries(key, barsIn(piece)...)
				}
				if !yield(piece, err) || err != nil {
					return
				}
			}
		}
	}, []string{"aggregate/equals_resampling", "aggregate/range_is_of_open_times"}},
	{"bars open as they close", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		return altered(next.AggregateTrades(ctx, key, r).Rows(), func(s domain.Series) []domain.Bar {
			list := barsIn(s)
			for i := range list {
				list[i].Open = list[i].Close
			}

			return list
		})
	}, []string{"aggregate/opens_and_closes", "aggregate/exact"}},
	{"the bar after repeats the one before", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		return altered(next.AggregateTrades(ctx, key, r).Rows(), func(s domain.Series) []domain.Bar {
			var list []domain.Bar
			for _, bar := range s.All() {
				empty := bar
				empty.OpenTime = key.Grid.Next(bar.OpenTime)
				list = append(list, bar, empty)
			}

			return list
		})
	}, []string{"aggregate/without_trades_is_absent"}},
	{"the end is in the range", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		r.End = r.End.Add(time.Microsecond)
		return next.AggregateTrades(ctx, key, r).Rows()
	}, []string{"aggregate/range_is_of_open_times"}},
	{"only two centuries", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		if r.Start.Year() < 1900 {
			r.End = r.Start
		}
		return next.AggregateTrades(ctx, key, r).Rows()
	}, []string{"aggregate/widest_range_is_everything"}},
	{"an error is the end", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		return func(yield func(domain.Series, error) bool) {
			for piece, err := range next.AggregateTrades(ctx, key, r).Rows() {
				if err != nil || !yield(piece, nil) {
					return
				}
			}
		}
	}, []string{"aggregate/overflow", "aggregate/of_trade_prices", "aggregate/cancelled"}},
	{"a range begins again", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		return func(yield func(domain.Series, error) bool) { next.AggregateTrades(ctx, key, r).Rows()(yield) }
	}, []string{"aggregate/single_use"}},
	{"deaf to its caller", func(next ports.TradeAggregator, ctx context.Context, key domain.SeriesKey, r domain.Range) sequence {
		return next.AggregateTrades(context.WithoutCancel(ctx), key, r).Rows()
	}, []string{"aggregate/cancelled"}},
}

func TestEveryAggregateLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{"aggregate/corrupt": true} // see TestAggregateOfCorruptTradesNotices
	for _, f := range aggregateFaults {
		for _, name := range f.laws {
			noticed[name] = true
			i := slices.IndexFunc(aggregateLaws, func(l law[Store]) bool { return l.name == name })
			if i < 0 {
				t.Errorf("%s: there is no law %s", f.name, name)
				continue
			}

			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := memory.New()
				if !isNoticed(t, aggregateLaws[i].run(t.Context(), Store{Ticks: s, Aggregator: aggregator{s, f.make}})) {
					t.Errorf("the law does not notice: %s", aggregateLaws[i].text)
				}
			})
		}
	}

	for _, l := range aggregateLaws {
		if !noticed[l.name] {
			t.Errorf("no fault breaks %s", l.name)
		}
	}
}

func TestAggregateOfCorruptTradesNotices(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(aggregateLaws, func(l law[Store]) bool { return l.name == "aggregate/corrupt" })
	s := memory.New()
	store := Store{Ticks: s, Aggregator: s}
	var na notApplicableError
	if err := aggregateLaws[i].run(t.Context(), store); !errors.As(err, &na) {
		t.Errorf("without a harness: got %v, want that it does not apply", err)
	}
	store.Corrupt = map[Defect]Plant{DefectTradeSize: func(context.Context, domain.SeriesKey, time.Time) error { return nil }}
	if err := aggregateLaws[i].run(t.Context(), store); !isNoticed(t, err) || errors.As(err, &na) {
		t.Errorf("a store that makes a bar of it nevertheless: %v", err)
	}
}
