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
	size  int64 // -1 of standard input
	holds file.Kind
	rows  io.Reader // the whole file; nil of Parquet
	table *os.File  // Parquet; nil of CSV
}

// openInput opens a file, or standard input for -, and looks at what it holds.
func (c *command) openInput(name string, columns map[string]string) (*input, error) {
	if name == "-" {
		in := &input{Closer: io.NopCloser(c.in), name: name, size: -1}
		in.holds, in.rows = file.Recognize(c.in, columns)
		return in, nil
	}

	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}

	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; name the files in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}

	in := &input{Closer: f, name: name, size: info.Size()}
	if isParquet(name) {
		in.holds, in.table = parquet.Recognize(f, in.size), f
		return in, nil
	}

	in.holds, in.rows = file.Recognize(f, columns)
	return in, nil
}

// target is the series that files go into.
type target struct {
	holds   file.Kind
	series  string // for messages
	zone    string // of dates in claims
	align   func(domain.Range) domain.Range
	batches func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error]
	claim   func(ctx context.Context, md *app.Service, r domain.Range) error
}

// batch is a run of rows of a file, on its way into the target.
type batch struct {
	rows, repeated, truncated int
	span                      domain.Range
	write                     func(context.Context) (ports.WriteReport, error)
	locate                    func(error) error // names the line of an error about a row
}

// target is where files like the first go, and their bad rows, unless aside is nil. It refuses what does not suffice to say so.
func (o importOptions) target(first *input, aside *rejects) (target, error) {
	unit, err := file.ParseTimeUnit(o.timeUnit)
	if err != nil {
		return target{}, fmt.Errorf("--time-unit: %w", err)
	}

	format := file.Format{Columns: o.columns, TimeUnit: unit, TimeZone: o.timeZone}
	if aside != nil {
		format.Reject = aside.add
	}
	switch first.holds {
	case file.Trades:
		return intoTicks(o, first, format, tickSource[domain.Trade]{file.ReadTrades, parquet.ReadTrades, (*app.Service).IngestTrades})
	case file.Quotes:
		return intoTicks(o, first, format, tickSource[domain.Quote]{file.ReadQuotes, parquet.ReadQuotes, (*app.Service).IngestQuotes})
	default:
		return o.intoBars(first, format)
	}
}

func (o importOptions) intoBars(first *input, format file.Format) (target, error) {
	key, err := o.key(first)
	if err != nil {
		return target{}, err
	}

	cfg := file.Config{Key: key, Format: format}
	return target{
		holds: first.holds, series: key.String(), zone: key.Grid.Zone(), align: key.Grid.Align,
		batches: func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error] {
			if in.table != nil {
				return parquetBars(md, in, key, counter)
			}

			cfg.Format.Name = in.name
			return each(file.ReadBars(io.TeeReader(in.rows, counter), cfg), func(b file.Batch) batch {
				return batch{
					rows: b.Bars.Len(), repeated: b.Repeated, span: b.Range, locate: b.Locate,
					write: func(ctx context.Context) (ports.WriteReport, error) { return md.Ingest(ctx, b.Bars, b.Range) },
				}
			})
		},
		claim: func(ctx context.Context, md *app.Service, r domain.Range) error {
			_, err := md.Ingest(ctx, domain.EmptySeries(key), r)
			return err
		},
	}, cfg.Validate()
}

// key is that of the bars of files like the first: the flags say it, or a Parquet file of ours.
func (o importOptions) key(first *input) (domain.SeriesKey, error) {
	if first.table != nil && o.symbol == "" && o.grid == "" && !o.priced {
		key, err := parquet.ReadKey(first.table, first.size)
		if err != nil {
			return key, userError{fmt.Errorf("%s: %w; add --symbol and --grid", first.name, err)}
		}

		return key, nil
	}
	if o.symbol == "" || o.grid == "" {
		return domain.SeriesKey{}, userError{errors.New(
			"--symbol and --grid are needed, like --symbol BTC/USD --grid 1m: a file does not hold them" + suggestion(first.name))}
	}

	return parseKey(o.symbol, o.grid, o.kind)
}

// symbolOf is that of the trades or quotes of files like the first: the flag says it, or a Parquet file of ours.
func (o importOptions) symbolOf(first *input) (domain.Symbol, error) {
	if o.symbol != "" {
		return domain.ParseSymbol(o.symbol)
	}
	if first.table == nil {
		return "", userError{fmt.Errorf("--symbol is needed, like --symbol BTC/USD: a file of %s does not hold it", first.holds)}
	}

	symbol, err := parquet.ReadSymbol(first.table, first.size)
	if err != nil {
		return "", userError{fmt.Errorf("%s: %w; add --symbol", first.name, err)}
	}

	return symbol, nil
}

// tickSource is how the trades or the quotes of files are read and stored.
type tickSource[T domain.Tick] struct {
	csv     func(io.Reader, file.TickConfig) iter.Seq2[file.TickBatch[T], error]
	parquet func(io.ReaderAt, int64, parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error]
	ingest  func(*app.Service, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
}

func intoTicks[T domain.Tick](o importOptions, first *input, format file.Format, from tickSource[T]) (target, error) {
	symbol, err := o.symbolOf(first)
	if err != nil {
		return target{}, err
	}
	if o.grid != "" || o.priced {
		return target{}, userError{fmt.Errorf("%s holds %s, by its columns; --grid and --kind are for bars", first.name, first.holds)}
	}

	none, err := domain.NewTicks[T](symbol)
	if err != nil {
		return target{}, err
	}

	cfg := file.TickConfig{Symbol: symbol, Format: format}
	return target{
		holds: first.holds, series: string(symbol), align: func(r domain.Range) domain.Range { return r },
		batches: func(md *app.Service, in *input, counter io.Writer) iter.Seq2[batch, error] {
			if in.table != nil {
				return parquetTicks(md, in, symbol, counter, from)
			}

			cfg.Format.Name = in.name
			return each(from.csv(io.TeeReader(in.rows, counter), cfg), func(b file.TickBatch[T]) batch {
				return batch{
					rows: b.Ticks.Len(), repeated: b.Repeated, truncated: b.Truncated, span: b.Range, locate: b.Locate,
					write: func(ctx context.Context) (ports.WriteReport, error) { return from.ingest(md, ctx, b.Ticks, b.Range) },
				}
			})
		},
		claim: func(ctx context.Context, md *app.Service, r domain.Range) error {
			_, err := from.ingest(md, ctx, none, r)
			return err
		},
	}, cfg.Validate()
}

// each is the sequence of what f makes of every item.
func each[A any](items iter.Seq2[A, error], f func(A) batch) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		for item, err := range items {
			if err != nil {
				yield(batch{}, err)
				return
			}
			if !yield(f(item), nil) {
				return
			}
		}
	}
}
