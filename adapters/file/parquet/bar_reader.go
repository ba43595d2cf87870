package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

// DefaultBatchBars is the maximum number of bars in a batch unless Config sets another.
const DefaultBatchBars = 16 << 10

// Config describes a file of bars. The zero value reads a file that a BarWriter wrote.
type Config struct {
	Name      string           // of the file, for errors
	Key       domain.SeriesKey // of the bars; if zero, the file must name it; if both do, they must agree
	BatchBars int              // the maximum number of bars in a batch; defaults to DefaultBatchBars
}

// Validate returns all errors of the Config.
func (c Config) Validate() error {
	var errs []error
	if c.Key != (domain.SeriesKey{}) {
		errs = append(errs, c.Key.Validate())
	}
	if c.BatchBars < 0 {
		errs = append(errs, &domain.InvalidError{
			What: "batch", Value: strconv.Itoa(c.BatchBars), Reason: "give 1 bar or more",
		})
	}

	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.BatchBars == 0 {
		c.BatchBars = DefaultBatchBars
	}
	return c
}

// Batch is consecutive bars of a file.
type Batch struct {
	Bars domain.Series // at least one, unless the file declares its coverage

	// Range extends from the end of the previous batch, or from the first bar of the file, to the end of the last bar, so
	// that declaring the ranges covers the file from its first bar to its last. If the file declares its coverage, the
	// ranges make up that coverage instead: each lies in one covered range, and a batch without bars has a Range in which
	// nothing traded.
	Range domain.Range
}

// part returns the bars of r.
func (b Batch) part(r domain.Range, _ int) Batch { return Batch{b.Bars.Clip(r), r} }

// ReadBars yields the bars of the Parquet file in r, of size bytes, in batches. The rows must be in order of time.
// ReadBars accepts files of a BarWriter and those of notebooks: columns in any order, times in milliseconds,
// microseconds or nanoseconds, decimals of other widths and scales, integers instead of decimals, nullable columns
// without nulls, and no column of trades, or one with nulls, which are unknown counts.
//
// It rejects, before the first bar, unknown columns, floats, times without a zone, and a file without a key if Config
// has none. It rejects with a *RowError another null, a time that is finer than a microsecond, off the grid or not
// after the previous one, a number of more than 20 digits before the point, and a negative trade count.
//
// Coverage in the metadata of the file is an error before the first batch if it is invalid, of another number of rows,
// or contradicted by a row outside of it.
//
// A damaged file is an error, never a panic. Memory depends on the size of the file's pages, not on its length. The
// sequence is lazy and may be used once; an error is its last pair.
func ReadBars(r io.ReaderAt, size int64, cfg Config) iter.Seq2[Batch, error] {
	return batches(cfg.Name, &barReader{in: r, size: size, cfg: cfg.withDefaults()})
}

// barReader reads a file of bars.
type barReader struct {
	table table
	in    io.ReaderAt
	size  int64
	cfg   Config
	last  domain.Micros // the newest open time

	declared []domain.Range // the coverage; nil if the file does not declare it
	end      time.Time      // of the previous batch; zero before the first
}

func (b *barReader) open() error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}

	opened, err := openFile(b.in, b.size)
	if err != nil {
		return err
	}
	if err := b.table.init(opened, b.cfg.Name, barSchema); err != nil {
		return err
	}

	if b.cfg.Key, err = fileKey(opened, b.cfg.Key); err != nil {
		return err
	}

	b.declared, err = fileCoverage(opened, b.table.layout, b.cfg.Key.Grid)

	return err
}

func (b *barReader) coverage() ([]domain.Range, covered.Batch[Batch]) {
	return b.declared, covered.Batch[Batch]{
		Span: func(b Batch) domain.Range { return b.Range },
		Rows: func(b Batch) int { return b.Bars.Len() },
		Time: func(b Batch, i int) time.Time { return b.Bars.OpenTime(i) },
		Part: Batch.part,
		None: Batch{Bars: domain.EmptySeries(b.cfg.Key)},
	}
}

func (b *barReader) close() error { return b.table.close() }

// readBatch reads the next rows, which are in one row group.
func (b *barReader) readBatch() (Batch, int, error) {
	n, err := b.table.nextRows(b.cfg.BatchBars)
	if err != nil || n == 0 {
		return Batch{}, 0, err
	}

	c, err := b.readColumns(n)
	if err != nil {
		return Batch{}, 0, err
	}

	s, err := domain.NewSeriesFromColumns(b.cfg.Key, c)
	var rule *domain.RuleError
	if errors.As(err, &rule) { // off the grid, since readOpenTimes verified the order
		for i, t := range c.OpenMicros {
			if domain.Micros(t).Time().Equal(rule.At) {
				return Batch{}, 0, b.table.rowError(i, err)
			}
		}
	}

	b.table.advance(n)
	r := s.Range()
	if !b.end.IsZero() {
		r.Start = b.end
	}
	b.end = r.End

	return Batch{s, r}, n, err
}

// readColumns reads all columns of the next n rows.
func (b *barReader) readColumns(n int) (c domain.Columns, err error) {
	if c.OpenMicros, err = b.readOpenTimes(n); err != nil {
		return c, err
	}

	prices, scale, err := b.table.readDecimals(n, 0, int(domain.FieldVolume))
	if err != nil {
		return c, err
	}

	c.Open, c.High, c.Low, c.Close, c.PriceScale = prices[0], prices[1], prices[2], prices[3], scale
	volume, scale, err := b.table.readDecimals(n, int(domain.FieldVolume), len(b.table.decimals))
	if err != nil {
		return c, err
	}

	c.Volume, c.VolumeScale = volume[0], scale
	if c.Trades, err = b.table.readCounts(n); c.Trades == nil {
		c.Trades = make([]int64, n)
	}

	return c, err
}

// readOpenTimes reads n times, each of which must be after the previous one.
func (b *barReader) readOpenTimes(n int) ([]int64, error) {
	times, err := b.table.readTimes(n, nil)
	last, hasLast := b.last, b.table.row > 0
	for i := range times { // an error in the order of the times comes before err
		t := domain.Micros(times[i])
		if hasLast && t <= last {
			return nil, b.table.rowError(i, fmt.Errorf("the bar of %s comes after that of %s",
				formatMicros(t), formatMicros(last)))
		}
		last, hasLast = t, true
	}

	b.last = last

	return times, err
}

func formatMicros(m domain.Micros) string { return m.Time().Format(time.RFC3339Nano) }
