package contract

import (
	"context"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

type writing = func(next writer, ctx context.Context, b domain.Series, r domain.Range) (ports.WriteReport, error)

func writingBy(w writing) func() *faulty { return func() *faulty { return &faulty{write: w} } }

// alterBars returns a store that alters the bars that are written.
func alterBars(change func(*domain.Bar)) func() *faulty {
	return writingBy(func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
		var list []domain.Bar
		for _, bar := range b.All() {
			change(&bar)
			list = append(list, bar)
		}

		return next.WriteBars(ctx, series(b.Key(), list...), coverage)
	})
}

// alterReport returns a store that alters its reports.
func alterReport(change func(*ports.WriteReport)) func() *faulty {
	return writingBy(func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
		report, err := next.WriteBars(ctx, b, coverage)
		change(&report)
		return report, err
	})
}

// throughFloats rounds every number to the nearest float64.
func throughFloats(b *domain.Bar) {
	for _, d := range []*domain.Decimal{&b.Open, &b.High, &b.Low, &b.Close, &b.Volume} {
		f := must(strconv.ParseFloat(d.String(), 64))
		if rounded, err := domain.ParseDecimal(strconv.FormatFloat(f, 'f', -1, 64)); err == nil {
			*d = rounded
		}
	}
}

// isWide reports whether a bar has a number that no float64 represents.
func isWide(b domain.Bar) bool {
	rounded := b
	throughFloats(&rounded)
	return !rounded.Equal(b)
}

// sparing returns a store that does not overwrite a stored bar if keep returns true.
func sparing(keep func(there domain.Bar) bool) func() *faulty {
	return writingBy(func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
		there, err := read(ctx, Store{Bars: next}, ports.BarQuery{Key: b.Key(), Range: b.Range()})
		if err != nil {
			return ports.WriteReport{}, err
		}

		var list []domain.Bar
		for _, bar := range b.All() {
			for _, old := range there.All() {
				if old.OpenTime.Equal(bar.OpenTime) && keep(old) {
					bar = old
				}
			}
			list = append(list, bar)
		}

		return next.WriteBars(ctx, series(b.Key(), list...), coverage)
	})
}

func barByBar(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
	var sum ports.WriteReport
	for i := range b.Len() {
		one := b.Slice(i, i+1)
		report, err := next.WriteBars(ctx, one, one.Range())
		if err != nil {
			return sum, err
		}

		sum = sum.Add(report)
	}

	_, err := next.WriteBars(ctx, domain.EmptySeries(b.Key()), coverage)

	return sum, err
}

// underPolicy returns a store that writes under another conflict policy than it is told.
func underPolicy(change func(told ports.ConflictPolicy) ports.ConflictPolicy) func() *faulty {
	return writingBy(func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
		next.onConflict = change(next.onConflict)
		return next.WriteBars(ctx, b, coverage)
	})
}

// batching returns a store that alters the writes and the results of batches.
func batching(alter func(results []ports.WriteResult), change ...func([]ports.BarWrite)) func() *faulty {
	return func() *faulty {
		return &faulty{batch: func(next *memory.Store, ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
			writes = slices.Clone(writes)
			for _, f := range change {
				f(writes)
			}
			results := next.WriteBatch(ctx, writes)
			alter(results)

			return results
		}}
	}
}

// inOrder writes the series of a batch one after the other, also one that is there twice.
func inOrder(next *memory.Store, ctx context.Context, writes []ports.BarWrite) (results []ports.WriteResult) {
	for _, w := range writes {
		report, err := ports.WriteBars(ctx, next, w.Bars, w.Coverage, w.OnConflict)
		results = append(results, ports.WriteResult{Report: report, Err: err})
	}

	return results
}

var writeFaults = []fault{
	{"conflicts are replaced", underPolicy(func(ports.ConflictPolicy) ports.ConflictPolicy { return ports.ConflictReplace }),
		[]string{"write/fails_on_conflict", "write/keeps_on_conflict"}},
	{"unknown policies replace", func() *faulty {
		return &faulty{batch: func(next *memory.Store, ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
			writes = slices.Clone(writes)
			for i, w := range writes {
				if w.OnConflict.Validate() != nil {
					writes[i].OnConflict = ports.ConflictReplace
				}
			}

			return next.WriteBatch(ctx, writes)
		}}
	}, []string{"write/knows_its_policy"}},
	{"conflicts are kept", underPolicy(func(ports.ConflictPolicy) ports.ConflictPolicy { return ports.ConflictKeep }),
		[]string{"write/fails_on_conflict", "write/last_wins"}},
	{"what is stored is a conflict", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			stored, err := read(ctx, Store{Bars: next}, ports.BarQuery{Key: b.Key(), Range: coverage})
			if err == nil && stored.Len() > 0 && next.onConflict == ports.ConflictFail {
				err = &ports.ConflictError{Rows: 1, First: stored.OpenTime(0)}
			}
			if err != nil {
				return ports.WriteReport{}, err
			}

			return next.WriteBars(ctx, b, coverage)
		}), []string{"write/fails_on_conflict"}},
	{"one failure fails the batch", batching(func(results []ports.WriteResult) {
		for i := range results {
			if results[i].Err != nil {
				for k := range results {
					results[k].Err = results[i].Err
				}
			}
		}
	}), []string{"write/batch_each_alone"}},
	{"results come in any order", batching(slices.Reverse[[]ports.WriteResult]), []string{"write/batch_each_alone"}},
	{"a batch has one coverage", batching(func([]ports.WriteResult) {}, func(writes []ports.BarWrite) {
		for i := range writes {
			if writes[0].Coverage.Covers(writes[i].Coverage) {
				writes[i].Coverage = writes[0].Coverage
			}
		}
	}), []string{"write/batch_each_alone"}},
	{"a series may be in a batch twice", func() *faulty { return &faulty{batch: inOrder} },
		[]string{"write/batch_a_series_once"}},
	{"large batches are cut", batching(func([]ports.WriteResult) {}, func(writes []ports.BarWrite) {
		for i := range writes {
			if i >= 50 {
				writes[i].Bars = domain.EmptySeries(writes[i].Bars.Key())
			}
		}
	}), []string{"write/batch_many_series"}},
	{"everything changed", alterReport(func(r *ports.WriteReport) { r.Changed, r.Unchanged = r.Changed+r.Unchanged, 0 }),
		[]string{"write/idempotent", "decimal/spelling_is_no_change"}},
	{"everything is new", alterReport(func(r *ports.WriteReport) { *r = ports.WriteReport{Inserted: r.Inserted + r.Changed + r.Unchanged} }),
		[]string{"write/reports_counts", "write/idempotent"}},
	{"first wins", sparing(func(domain.Bar) bool { return true }), []string{"write/last_wins"}},
	{"wide numbers stay", sparing(isWide), []string{"decimal/narrow_over_wide"}},
	{"no trade counts", alterBars(func(b *domain.Bar) { b.Trades = 0 }), []string{"write/every_field_is_set"}},
	{"trade counts have 32 bits", alterBars(func(b *domain.Bar) { b.Trades = min(b.Trades, math.MaxInt32) }),
		[]string{"trades/exact_round_trip"}},
	{"numbers are floats", alterBars(throughFloats), []string{"decimal/exact_round_trip", "decimal/signed_round_trip",
		"decimal/widest_round_trip", "decimal/smallest_round_trip", "decimal/mixed_widths", "decimal/exact_or_refused",
		"decimal/wide_over_narrow"}},
	{"claims grow over the bars", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			if !coverage.Covers(b.Range()) {
				coverage = b.Range()
			}
			return next.WriteBars(ctx, b, coverage)
		}), []string{"write/coverage_contains_the_bars", "catalog/refused_write_registers_nothing"}},
	{"batches are cut", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			return next.WriteBars(ctx, b.Slice(0, min(b.Len(), 10_000)), coverage)
		}), []string{"write/large_batch"}},
	{"bar by bar", writingBy(barByBar), []string{"write/whole_or_nothing", "write/cancelled_is_whole_or_nothing"}},
	{"a failed write is done", func() *faulty {
		var once sync.Once
		return &faulty{
			write: func(writer, context.Context, domain.Series, domain.Range) (report ports.WriteReport, err error) {
				once.Do(func() { err = context.DeadlineExceeded })
				return report, err
			},
		}
	}, []string{"write/retry_completes"}},
	{"writes are late by one", func() *faulty {
		var mu sync.Mutex
		var late []func() error
		return &faulty{
			write: func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
				mu.Lock()
				defer mu.Unlock()
				for _, w := range late {
					if err := w(); err != nil {
						return ports.WriteReport{}, err
					}
				}

				late = []func() error{func() error { return second(next.WriteBars(context.WithoutCancel(ctx), b, coverage)) }}

				return ports.WriteReport{Inserted: b.Len()}, nil
			},
		}
	}, []string{"concurrent/readers_and_writers", "concurrent/writers_of_one_series"}},
	{"nothing before 1970", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			b = b.Clip(always)
			return next.WriteBars(ctx, b, coverage)
		}), []string{"time/far_from_now", "history/across_1970", "history/calendars"}},
	{"writes into what was handed out", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			for piece, err := range next.ReadBars(ctx, ports.BarQuery{Key: b.Key(), Range: coverage}).Rows() {
				if err == nil {
					piece.Columns().Trades[0] = 0
				}
			}

			return next.WriteBars(ctx, b, coverage)
		}), []string{"caller/series_stay"}},
}

func replacingBy(w writing) func() *faulty { return func() *faulty { return &faulty{replace: w} } }

func removingBy(w func(next *memory.Store, ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error)) func() *faulty {
	return func() *faulty { return &faulty{remove: w} }
}

func deleteThenWrite(next writer, ctx context.Context, b domain.Series, r domain.Range) (ports.WriteReport, error) {
	report, err := next.DeleteBars(ctx, b.Key(), r)
	if err != nil {
		return report, err
	}

	runtime.Gosched() // lets a reader run in between, also on one core
	written, err := next.WriteBars(ctx, b, b.Range())

	return report.Add(written), err
}

var replaceFaults = []fault{
	{"a replacement is a write", replacingBy(writer.WriteBars), []string{"replace/puts_in_place", "replace/by_nothing"}},
	{"a deletion keeps the coverage", removingBy(
		func(next *memory.Store, ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
			report, err := next.DeleteBars(ctx, k, r)
			if err == nil && report.Deleted > 0 {
				_, err = ports.WriteBars(ctx, next, domain.EmptySeries(k), r, ports.ConflictFail)
			}

			return report, err
		}), []string{"delete/forgets_coverage"}},
	{"a deletion deletes nothing", removingBy(
		func(*memory.Store, context.Context, domain.SeriesKey, domain.Range) (report ports.WriteReport, err error) {
			return report, err
		}), []string{"delete/removes_bars", "delete/then_write_again"}},
	{"a replacement is a deletion and a write", replacingBy(deleteThenWrite),
		[]string{"replace/covers_its_range", "replace/reports_counts", "replace/whole_or_nothing"}},
	{"a replacement grows over its bars", replacingBy(
		func(next writer, ctx context.Context, b domain.Series, r domain.Range) (ports.WriteReport, error) {
			if !r.Covers(b.Range()) {
				r = b.Range()
			}
			return next.ReplaceBars(ctx, b, r)
		}), []string{"replace/bars_lie_in_the_range"}},
	{"deleting nothing is an error", removingBy(
		func(next *memory.Store, ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
			report, err := next.DeleteBars(ctx, k, r)
			if err == nil && report == (ports.WriteReport{}) {
				err = ports.ErrNotFound
			}

			return report, err
		}), []string{"delete/of_nothing"}},
}
