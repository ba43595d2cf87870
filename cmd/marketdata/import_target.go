package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// standardInput is the name of standard input among the files.
const standardInput = "-"

// input is an open file.
type input struct {
	io.Closer

	name  string
	size  int64 // in bytes; -1 for standard input
	kind  file.Kind
	rows  io.Reader // the whole file; nil for Parquet
	table *os.File  // nil for CSV

	coverage *file.Coverage // of the coverage file; nil without one
}

// openInput opens a file, or standard input for -, and recognizes the kind of its rows.
func (c *command) openInput(name string, o importOptions) (*input, error) {
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}

		return newInput(name, f, f, o)
	}

	if o.rejects == "" {
		in := &input{Closer: io.NopCloser(c.in), name: name, size: -1}
		in.kind, in.rows = file.Recognize(c.in, o.columns)
		return in, nil
	}

	f, err := copyToTemporary(c.in)
	if err != nil {
		return nil, err
	}

	return newInput(name, f.File, f, o)
}

// newInput returns the input of an open file, which it closes with closer if that fails.
func newInput(name string, f *os.File, closer io.Closer, o importOptions) (*input, error) {
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name the files in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}

	in := &input{Closer: closer, name: name, size: info.Size()}
	if isParquet(name) {
		in.kind, in.table = parquet.Recognize(f, in.size), f
		return in, nil
	}

	in.kind, in.rows = file.Recognize(f, o.columns)
	if in.coverage, err = readCoverage(name, f); err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	if !in.isReadTwice(o) {
		return in, nil
	}

	in.rows = f // which is an io.Seeker
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, closer.Close())
	}

	return in, nil
}

// isReadTwice reports whether the rows of CSV are read twice, see file.Format.
func (in *input) isReadTwice(o importOptions) bool { return o.rejects != "" || in.coverage != nil }

// bytesToRead returns how many bytes a reading of the rows reads; -1 if that is unknown.
func (in *input) bytesToRead(o importOptions) int64 {
	if in.table == nil && in.size > 0 && in.isReadTwice(o) {
		return 2 * in.size
	}

	return in.size
}

// readCoverage returns the coverage in the coverage file of the file f, or nil if there is no coverage file. It leaves
// the position in f as it is.
func readCoverage(name string, f *os.File) (*file.Coverage, error) {
	path := name + file.CoverageSuffix
	if name == standardInput {
		return nil, nil //nolint:nilnil // documented
	}

	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}

	defer in.Close()
	position, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}

	coverage, err := file.ReadCoverage(in)
	if err == nil {
		if _, err = f.Seek(0, io.SeekStart); err == nil {
			err = coverage.Verify(f)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\nexport %s again, or delete %s: then its first to its last row are declared covered",
			path, err, name, path)
	}

	_, err = f.Seek(position, io.SeekStart)

	return &coverage, err
}

// ranges returns the coverage of the coverage file, or nil without one.
func (in *input) ranges() []domain.Range {
	if in.coverage == nil {
		return nil
	}

	return in.coverage.Ranges
}

// checkSeries returns an error if the coverage file is of other rows than those of the target.
func (in *input) checkSeries(to target) error {
	if in.coverage == nil || in.coverage.Kind == to.kind && in.coverage.Series == to.series {
		return nil
	}

	return userErrorf("%s%s is of %s of %s, not of %s of %s", in.name, file.CoverageSuffix,
		in.coverage.Kind, in.coverage.Series, to.kind, to.series)
}

// temporaryFile is a file that is removed when it is closed.
type temporaryFile struct{ *os.File }

// copyToTemporary copies the whole input to a temporary file, and returns it at its start.
func copyToTemporary(in io.Reader) (temporaryFile, error) {
	file, err := os.CreateTemp("", "marketdata-*.csv")
	if err != nil {
		return temporaryFile{}, err
	}

	f := temporaryFile{file}
	_, err = io.Copy(f, in)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return temporaryFile{}, errors.Join(fmt.Errorf("copy standard input: %w", err), f.Close())
	}

	return f, nil
}

// Close closes and removes the file.
func (f temporaryFile) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

// countedRows returns the rows of a CSV file, which count sees as they are read.
func (in *input) countedRows(count io.Writer) io.Reader {
	rows := io.TeeReader(in.rows, count)
	if seeker, ok := in.rows.(io.Seeker); ok {
		return struct {
			io.Reader
			io.Seeker
		}{rows, seeker}
	}

	return rows
}

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
	future := rows.Clip(domain.Range{Start: now, End: coverage.End})
	if coverage.End.After(closedBy) && future.Len() == 0 {
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
