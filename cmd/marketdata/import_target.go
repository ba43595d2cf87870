package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
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
	series  string    // its name, for messages
	zone    string    // the time zone of dates in --complete-from and --complete-until
	start   time.Time // of --complete-from, or zero
	end     time.Time // of --complete-until, or zero
	align   func(domain.Range) domain.Range
	batches func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error]
	declare func(ctx context.Context, md *app.Service, coverage domain.Range) error

	// coverage returns the stored coverage of the series, ascending.
	coverage func(ctx context.Context, md *app.Service) ([]domain.Range, error)
}

// batch is a run of rows of a file that is stored in one write.
type batch struct {
	rows, repeated, truncated int
	notClosed                 int          // newest rows that are not closed yet, which the write leaves out
	ends                      ingest.Ends  // of the file that trades or quotes reach
	span                      domain.Range // the coverage that the write declares; empty if there is nothing to write
	write                     func(context.Context, ingest.Ends) (ports.WriteReport, error)
	preview                   func(context.Context) (ingest.Preview, error) // the effect of write
	locate                    func(error) error                             // adds the line to an error about a row
}

// rowStore is where the rows of batches go.
type rowStore[S any] struct {
	// write stores rows with their coverage.
	write func(ctx context.Context, rows S, coverage domain.Range, ends ingest.Ends) (ports.WriteReport, error)

	// preview returns the effect of write.
	preview func(ctx context.Context, rows S) (ingest.Preview, error)
}

// newBatch returns a batch of the rows that end by closedBy, an edge of their grid. Rows that begin after now are left
// in it, and are refused when they are written.
func newBatch[S ingest.Rows[S]](
	rows S, coverage domain.Range, closedBy, now time.Time, to rowStore[S],
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
			return to.write(ctx, closed, coverage, ends)
		},
		preview: func(ctx context.Context) (ingest.Preview, error) { return to.preview(ctx, closed) },
		locate:  func(err error) error { return err },
	}
}

// newTargets returns the targets that the flags and the first file determine: one, or several for a bar file. Invalid
// rows, and those of a later time than now, go to rejected; without it they are errors.
func (o importOptions) newTargets(first *input, now time.Time, rejected *rejects) ([]target, error) {
	unit, err := file.ParseTimeUnit(o.timeUnit)
	if err != nil {
		return nil, fmt.Errorf("--time-unit: %w", err)
	}

	format := file.Format{Columns: o.columns, TimeUnit: unit, TimeZone: o.timeZone, Now: now}
	if rejected != nil {
		format.Reject = rejected.add
	}

	var targets []target
	switch first.kind {
	case file.KindTrades:
		targets, err = newTickTarget(o, first, format, tickSource[domain.Trade]{
			file.ReadTrades, parquet.ReadTrades, ingest.TradesOf, (*app.Service).IngestTrades,
		})
	case file.KindQuotes:
		targets, err = newTickTarget(o, first, format, tickSource[domain.Quote]{
			file.ReadQuotes, parquet.ReadQuotes, ingest.QuotesOf, (*app.Service).IngestQuotes,
		})
	default:
		targets, err = o.newBarTargets(first, format)
	}
	for i := range targets {
		if err == nil {
			targets[i].start, targets[i].end, err = o.complete.times(now, targets[i].zone)
		}
	}

	return targets, err
}

// newBarTargets returns a target for each series of a bar file, and one for another file.
func (o importOptions) newBarTargets(first *input, format file.Format) ([]target, error) {
	keys, err := o.keysOf(first)
	if err != nil {
		return nil, err
	}

	targets := make([]target, len(keys))
	for i, key := range keys {
		if targets[i], err = newBarTarget(key, format); err != nil {
			return nil, err
		}
	}

	return targets, nil
}

func newBarTarget(key domain.SeriesKey, format file.Format) (target, error) {
	cfg := file.Config{Key: key, Format: format}

	return target{
		kind: file.KindBars, series: key.String(), zone: key.Grid.Zone(), align: key.Grid.Align,
		batches: func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error] {
			newBarBatch := func(bars domain.Series, coverage domain.Range) batch {
				return newBatch(bars, coverage, key.Grid.Floor(j.closedBy), j.now, j.barStore(key))
			}
			switch {
			case in.bars != nil:
				return storedBars(in, key, counter, newBarBatch)
			case in.table != nil:
				return parquetBars(in, key, counter, newBarBatch)
			}

			cfg.Format = in.describe(cfg.Format, j)

			return mapBatches(file.ReadBars(in.countedRows(counter), cfg), func(b file.Batch) batch {
				next := newBarBatch(b.Bars, b.Range)
				next.repeated, next.locate = b.Repeated, b.Locate

				return next
			})
		},
		declare: func(ctx context.Context, md *app.Service, coverage domain.Range) error {
			_, err := md.Ingest(ctx, domain.EmptySeries(key), coverage, ports.ConflictFail)
			return err
		},
		coverage: func(ctx context.Context, md *app.Service) ([]domain.Range, error) {
			return ingest.BarsOf(md, key).Coverage(ctx)
		},
	}, cfg.Validate()
}

// barStore returns where the bars of the key go.
func (j *importJob) barStore(key domain.SeriesKey) rowStore[domain.Series] {
	return rowStore[domain.Series]{
		write: func(
			ctx context.Context, bars domain.Series, coverage domain.Range, _ ingest.Ends,
		) (ports.WriteReport, error) {
			return j.md.Ingest(ctx, bars, coverage, j.o.onConflict.policy)
		},
		preview: func(ctx context.Context, bars domain.Series) (ingest.Preview, error) {
			return ingest.PreviewBars(ctx, ingest.BarsOf(j.md, key), bars)
		},
	}
}

// keysOf returns the keys of the bars. A bar file may have several, of which the flags select.
func (o importOptions) keysOf(first *input) ([]domain.SeriesKey, error) {
	if first.bars != nil {
		return o.selectKeys(first)
	}

	key, err := o.keyOf(first)

	return []domain.SeriesKey{key}, err
}

// selectKeys returns the series of a bar file that the flags select, at least one.
func (o importOptions) selectKeys(in *input) ([]domain.SeriesKey, error) {
	var grid domain.Grid
	if o.frequency != "" {
		var err error
		if grid, err = domain.ParseGrid(o.frequency); err != nil {
			return nil, err
		}
	}

	price, err := domain.ParsePriceType(o.price)
	if err != nil {
		return nil, err
	}

	selected := slices.DeleteFunc(slices.Clone(in.bars.Keys()), func(key domain.SeriesKey) bool {
		return o.symbol != "" && o.symbol != string(key.Symbol) || o.frequency != "" && grid != key.Grid ||
			o.priceSet && price != key.PriceType
	})
	if len(selected) == 0 {
		return nil, userErrorf("%s has no bars that --symbol, --frequency and --price select; it has %s", in.name,
			strings.Join(seriesNames(in.bars.Keys()), ", "))
	}

	return selected, nil
}

func seriesNames(keys []domain.SeriesKey) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.String()
	}

	return names
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
	text    func(io.Reader, file.TickConfig) iter.Seq2[file.TickBatch[T], error]
	parquet func(io.ReaderAt, int64, parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error]
	dataset func(ingest.Service, domain.Symbol) ingest.Dataset[domain.Ticks[T]]
	ingest  func(
		*app.Service, context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy,
	) (ports.WriteReport, error)
}

// store returns where the ticks of the symbol go. Positional ones are numbered so that they continue the stored ones. A
// preview of these leaves out the first and the last instant, whose numbers depend on the stored ones.
func (s tickSource[T]) store(j *importJob, symbol domain.Symbol, positional bool) rowStore[domain.Ticks[T]] {
	dataset := s.dataset(j.md, symbol)

	return rowStore[domain.Ticks[T]]{
		write: func(
			ctx context.Context, ticks domain.Ticks[T], coverage domain.Range, ends ingest.Ends,
		) (ports.WriteReport, error) {
			if positional {
				var err error
				if ticks, err = ingest.ContinueTicks(ctx, dataset, ticks, ends); err != nil {
					return ports.WriteReport{}, err
				}
			}

			return s.ingest(j.md, ctx, ticks, coverage, j.o.onConflict.policy)
		},
		preview: func(ctx context.Context, ticks domain.Ticks[T]) (ingest.Preview, error) {
			if positional && ticks.Len() > 0 {
				first, last := ticks.Time(0), ticks.Time(ticks.Len()-1)
				ticks = ticks.Clip(domain.Range{Start: first.Add(time.Microsecond), End: last})
			}

			return ingest.PreviewTicks(ctx, dataset, ticks)
		},
	}
}

// newTickTarget returns the only target of trades or quotes.
func newTickTarget[T domain.Tick](
	o importOptions, first *input, format file.Format, from tickSource[T],
) ([]target, error) {
	symbol, err := o.symbolOf(first)
	if err != nil {
		return nil, err
	}
	if o.frequency != "" || o.priceSet {
		return nil, userErrorf("%s has %s, by its columns; --frequency and --price are for bars",
			first.name, first.kind)
	}

	none, err := domain.NewTicks[T](symbol)
	if err != nil {
		return nil, err
	}

	cfg := file.TickConfig{Symbol: symbol, Format: format}

	return []target{{
		kind: first.kind, series: string(symbol), align: func(r domain.Range) domain.Range { return r },
		batches: func(j *importJob, in *input, counter io.Writer) iter.Seq2[batch, error] {
			newTickBatch := func(ticks domain.Ticks[T], coverage domain.Range, positional bool) batch {
				return newBatch(ticks, coverage, j.closedBy, j.now, from.store(j, symbol, positional))
			}
			if in.table != nil {
				return markEnds(parquetTicks(in, symbol, counter, from, newTickBatch))
			}

			cfg.Format = in.describe(cfg.Format, j)

			return markEnds(mapBatches(from.text(in.countedRows(counter), cfg), func(b file.TickBatch[T]) batch {
				next := newTickBatch(b.Ticks, b.Range, b.Positional)
				next.repeated, next.truncated, next.locate = b.Repeated, b.Truncated, b.Locate

				return next
			}))
		},
		declare: func(ctx context.Context, md *app.Service, coverage domain.Range) error {
			_, err := from.ingest(md, ctx, none, coverage, ports.ConflictFail)
			return err
		},
		coverage: func(ctx context.Context, md *app.Service) ([]domain.Range, error) {
			return from.dataset(md, symbol).Coverage(ctx)
		},
	}}, cfg.Validate()
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
