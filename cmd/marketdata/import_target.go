package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// target is the series that the files are stored in.
type target struct {
	kind    file.Kind
	series  string // its name, for messages
	zone    string // the time zone of dates in --complete-from and --complete-until
	align   func(domain.Range) domain.Range
	batches func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error]
	declare func(ctx context.Context, md *app.Service, coverage domain.Range) error
}

// batch is a run of rows of a file that is stored in one write.
type batch struct {
	rows, repeated, truncated int
	notClosed                 int          // newest rows that are not closed yet, which the write leaves out
	ends                      ingest.Ends  // of the file that trades or quotes reach
	span                      domain.Range // the coverage that the write declares; empty if there is nothing to write
	write                     func(context.Context, ingest.Ends) (ports.WriteReport, error)
	locate                    func(error) error // adds the line to an error about a row
}

// writeRows stores the rows of a batch with their coverage.
type writeRows[S any] func(
	ctx context.Context, rows S, coverage domain.Range, ends ingest.Ends,
) (ports.WriteReport, error)

// newBatch returns a batch of the rows that end by closedBy, an edge of their grid. Rows that begin after now are left
// in it, and are refused when they are written.
func newBatch[S ingest.Rows[S]](
	rows S, coverage domain.Range, closedBy, now time.Time, write writeRows[S],
) batch {
	closed := rows
	hasFuture := func() bool { return rows.Clip(domain.Range{Start: now, End: coverage.End}).Len() > 0 }
	if coverage.End.After(closedBy) && !hasFuture() {
		coverage.End = closedBy
		closed = rows.Clip(coverage)
	}

	return batch{
		rows: closed.Len(), notClosed: rows.Len() - closed.Len(), span: coverage,
		write: func(ctx context.Context, ends ingest.Ends) (ports.WriteReport, error) {
			return write(ctx, closed, coverage, ends)
		},
		locate: func(err error) error { return err },
	}
}

// newTarget returns the target that the flags and the first file determine. Invalid rows, and those of a later time
// than now, go to rejected; without it they are errors.
func (o importOptions) newTarget(first *input, now time.Time, rejected *rejects) (target, error) {
	unit, err := file.ParseTimeUnit(o.timeUnit)
	if err != nil {
		return target{}, fmt.Errorf("--time-unit: %w", err)
	}

	format := file.Format{Columns: o.columns, TimeUnit: unit, TimeZone: o.timeZone, Now: now}
	if rejected != nil {
		format.Reject = rejected.add
	}
	switch first.kind {
	case file.Trades:
		return newTickTarget(o, first, format, tickSource[domain.Trade]{
			file.ReadTrades, parquet.ReadTrades, ingest.TradesOf, (*app.Service).IngestTrades,
		})
	case file.Quotes:
		return newTickTarget(o, first, format, tickSource[domain.Quote]{
			file.ReadQuotes, parquet.ReadQuotes, ingest.QuotesOf, (*app.Service).IngestQuotes,
		})
	default:
		return o.newBarTarget(first, format)
	}
}

func (o importOptions) newBarTarget(first *input, format file.Format) (target, error) {
	key, err := o.keyOf(first)
	if err != nil {
		return target{}, err
	}

	cfg := file.Config{Key: key, Format: format}

	return target{
		kind: first.kind, series: key.String(), zone: key.Grid.Zone(), align: key.Grid.Align,
		batches: func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error] {
			newBarBatch := func(bars domain.Series, coverage domain.Range) batch {
				return newBatch(bars, coverage, key.Grid.Floor(j.closedBy), j.now,
					func(ctx context.Context, bars domain.Series, r domain.Range, _ ingest.Ends) (ports.WriteReport, error) {
						return j.md.Ingest(ctx, bars, r, ports.ReplaceOnConflict)
					})
			}
			if in.table != nil {
				return parquetBars(in, key, counter, newBarBatch)
			}

			cfg.Format.Name, cfg.Format.Coverage = in.name, in.ranges()

			return mapBatches(file.ReadBars(in.countedRows(counter), cfg), func(b file.Batch) batch {
				next := newBarBatch(b.Bars, b.Range)
				next.repeated, next.locate = b.Repeated, b.Locate

				return next
			})
		},
		declare: func(ctx context.Context, md *app.Service, coverage domain.Range) error {
			_, err := md.Ingest(ctx, domain.EmptySeries(key), coverage, ports.ReplaceOnConflict)
			return err
		},
	}, cfg.Validate()
}

// keyOf returns the series key of the bars. The flags name it; without them, a file that export wrote does.
func (o importOptions) keyOf(first *input) (domain.SeriesKey, error) {
	if first.table != nil && o.symbol == "" && o.frequency == "" && !o.priceSet {
		key, err := parquet.ReadKey(first.table, first.size)
		if err != nil {
			return key, userErrorf("%s: %w; add --symbol and --frequency", first.name, err)
		}

		return key, nil
	}
	if first.coverage != nil && o.symbol == "" && o.frequency == "" && !o.priceSet {
		return domain.ParseSeriesKey(first.coverage.Series)
	}
	if o.symbol == "" || o.frequency == "" {
		return domain.SeriesKey{}, userErrorf("--symbol and --frequency are required, like --symbol BTC/USD "+
			"--frequency 1m, because the file does not name them%s", suggestFlags(first.name))
	}

	return parseKey(o.symbol, o.frequency, o.price)
}

// symbolOf returns the symbol of the trades or quotes. The flag names it; without it, a file that export wrote does.
func (o importOptions) symbolOf(first *input) (domain.Symbol, error) {
	if o.symbol != "" {
		return domain.ParseSymbol(o.symbol)
	}
	if first.coverage != nil {
		return domain.ParseSymbol(first.coverage.Series)
	}
	if first.table == nil {
		return "", userErrorf("--symbol is required, like --symbol BTC/USD, because a file of %s does not name it",
			first.kind)
	}

	symbol, err := parquet.ReadSymbol(first.table, first.size)
	if err != nil {
		return "", userErrorf("%s: %w; add --symbol", first.name, err)
	}

	return symbol, nil
}

// tickSource says how the trades or the quotes of files are read and stored.
type tickSource[T domain.Tick] struct {
	csv     func(io.Reader, file.TickConfig) iter.Seq2[file.TickBatch[T], error]
	parquet func(io.ReaderAt, int64, parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error]
	dataset func(ingest.Service, domain.Symbol) ingest.Dataset[domain.Ticks[T]]
	ingest  func(
		*app.Service, context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy,
	) (ports.WriteReport, error)
}

// write stores ticks of a file; positional ones are numbered so that they continue the stored ones.
func (s tickSource[T]) write(md *app.Service, positional bool) writeRows[domain.Ticks[T]] {
	return func(
		ctx context.Context, ticks domain.Ticks[T], coverage domain.Range, ends ingest.Ends,
	) (ports.WriteReport, error) {
		if positional {
			var err error
			if ticks, err = ingest.ContinueTicks(ctx, s.dataset(md, ticks.Symbol()), ticks, ends); err != nil {
				return ports.WriteReport{}, err
			}
		}

		return s.ingest(md, ctx, ticks, coverage, ports.ReplaceOnConflict)
	}
}

func newTickTarget[T domain.Tick](
	o importOptions, first *input, format file.Format, from tickSource[T],
) (target, error) {
	symbol, err := o.symbolOf(first)
	if err != nil {
		return target{}, err
	}
	if o.frequency != "" || o.priceSet {
		return target{}, userErrorf("%s has %s, by its columns; --frequency and --price are for bars",
			first.name, first.kind)
	}

	none, err := domain.NewTicks[T](symbol)
	if err != nil {
		return target{}, err
	}

	cfg := file.TickConfig{Symbol: symbol, Format: format}

	return target{
		kind: first.kind, series: string(symbol), align: func(r domain.Range) domain.Range { return r },
		batches: func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error] {
			newTickBatch := func(ticks domain.Ticks[T], coverage domain.Range, positional bool) batch {
				return newBatch(ticks, coverage, j.closedBy, j.now, from.write(j.md, positional))
			}
			if in.table != nil {
				return markEnds(parquetTicks(in, symbol, counter, from, newTickBatch))
			}

			cfg.Format.Name, cfg.Format.Coverage = in.name, in.ranges()

			return markEnds(mapBatches(from.csv(in.countedRows(counter), cfg), func(b file.TickBatch[T]) batch {
				next := newTickBatch(b.Ticks, b.Range, b.Positional)
				next.repeated, next.truncated, next.locate = b.Repeated, b.Truncated, b.Locate

				return next
			}))
		},
		declare: func(ctx context.Context, md *app.Service, coverage domain.Range) error {
			_, err := from.ingest(md, ctx, none, coverage, ports.ReplaceOnConflict)
			return err
		},
	}, cfg.Validate()
}

// mapBatches yields the batch of each item.
func mapBatches[A any](items iter.Seq2[A, error], newBatch func(A) batch) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		for item, err := range items {
			if err != nil {
				yield(batch{}, err)
				return
			}
			if !yield(newBatch(item), nil) {
				return
			}
		}
	}
}

// markEnds sets the ends of the batches of a file. Rows that are not closed yet are not an end: more follow later.
func markEnds(batches iter.Seq2[batch, error]) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		var before *batch
		for next, err := range batches {
			if before != nil && !yield(*before, nil) {
				return
			}
			if err != nil {
				yield(batch{}, err)
				return
			}

			next.ends.First = before == nil
			before = &next
		}

		if before != nil {
			before.ends.Last = before.notClosed == 0
			yield(*before, nil)
		}
	}
}
