package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// input is an open file.
type input struct {
	io.Closer

	name  string
	size  int64 // in bytes; -1 for standard input
	kind  file.Kind
	rows  io.Reader // the whole file; nil for Parquet
	table *os.File  // nil for CSV
}

// openInput opens a file, or standard input for -, and recognizes the kind of its rows.
func (c *command) openInput(name string, columns map[string]string) (*input, error) {
	if name == "-" {
		in := &input{Closer: io.NopCloser(c.in), name: name, size: -1}
		in.kind, in.rows = file.Recognize(c.in, columns)
		return in, nil
	}

	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}

	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name the files in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}

	in := &input{Closer: f, name: name, size: info.Size()}
	if isParquet(name) {
		in.kind, in.table = parquet.Recognize(f, in.size), f
		return in, nil
	}

	in.kind, in.rows = file.Recognize(f, columns)

	return in, nil
}

// target is the series that the files are stored in.
type target struct {
	kind    file.Kind
	series  string // its name, for messages
	zone    string // the time zone of dates in --complete-from and --complete-until
	align   func(domain.Range) domain.Range
	batches func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error]
	declare func(ctx context.Context, md *app.Service, coverage domain.Range) error
}

// batch is a run of rows of a file that is stored in one write.
type batch struct {
	rows, repeated, truncated int
	span                      domain.Range // the coverage that the write declares
	write                     func(context.Context) (ports.WriteReport, error)
	locate                    func(error) error // adds the line to an error about a row
}

// newTarget returns the target that the flags and the first file determine. Invalid rows go to rejected; without it
// they are errors.
func (o importOptions) newTarget(first *input, rejected *rejects) (target, error) {
	unit, err := file.ParseTimeUnit(o.timeUnit)
	if err != nil {
		return target{}, fmt.Errorf("--time-unit: %w", err)
	}

	format := file.Format{Columns: o.columns, TimeUnit: unit, TimeZone: o.timeZone}
	if rejected != nil {
		format.Reject = rejected.add
	}
	switch first.kind {
	case file.Trades:
		return newTickTarget(o, first, format, tickSource[domain.Trade]{
			file.ReadTrades, parquet.ReadTrades, (*app.Service).IngestTrades,
		})
	case file.Quotes:
		return newTickTarget(o, first, format, tickSource[domain.Quote]{
			file.ReadQuotes, parquet.ReadQuotes, (*app.Service).IngestQuotes,
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
		batches: func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error] {
			if in.table != nil {
				return parquetBars(md, in, key, counter)
			}

			cfg.Format.Name = in.name

			return mapBatches(file.ReadBars(io.TeeReader(in.rows, counter), cfg), func(b file.Batch) batch {
				return batch{
					rows: b.Bars.Len(), repeated: b.Repeated, span: b.Range, locate: b.Locate,
					write: func(ctx context.Context) (ports.WriteReport, error) {
						return md.Ingest(ctx, b.Bars, b.Range, ports.ReplaceOnConflict)
					},
				}
			})
		},
		declare: func(ctx context.Context, md *app.Service, coverage domain.Range) error {
			_, err := md.Ingest(ctx, domain.EmptySeries(key), coverage, ports.ReplaceOnConflict)
			return err
		},
	}, cfg.Validate()
}

// keyOf returns the series key of the bars. The flags name it; without them, a Parquet file that export wrote does.
func (o importOptions) keyOf(first *input) (domain.SeriesKey, error) {
	if first.table != nil && o.symbol == "" && o.frequency == "" && !o.priceSet {
		key, err := parquet.ReadKey(first.table, first.size)
		if err != nil {
			return key, userErrorf("%s: %w; add --symbol and --frequency", first.name, err)
		}

		return key, nil
	}
	if o.symbol == "" || o.frequency == "" {
		return domain.SeriesKey{}, userErrorf("--symbol and --frequency are required, like --symbol BTC/USD "+
			"--frequency 1m, because the file does not name them%s", suggestFlags(first.name))
	}

	return parseKey(o.symbol, o.frequency, o.price)
}

// symbolOf returns the symbol of the trades or quotes. The flag names it; without it, a Parquet file that export wrote
// does.
func (o importOptions) symbolOf(first *input) (domain.Symbol, error) {
	if o.symbol != "" {
		return domain.ParseSymbol(o.symbol)
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
	ingest  func(
		*app.Service, context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy,
	) (ports.WriteReport, error)
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
		batches: func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error] {
			if in.table != nil {
				return parquetTicks(md, in, symbol, counter, from)
			}

			cfg.Format.Name = in.name

			return mapBatches(from.csv(io.TeeReader(in.rows, counter), cfg), func(b file.TickBatch[T]) batch {
				return batch{
					rows: b.Ticks.Len(), repeated: b.Repeated, truncated: b.Truncated, span: b.Range, locate: b.Locate,
					write: func(ctx context.Context) (ports.WriteReport, error) {
						return from.ingest(md, ctx, b.Ticks, b.Range, ports.ReplaceOnConflict)
					},
				}
			})
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
