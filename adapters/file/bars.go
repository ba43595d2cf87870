package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sort"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
)

// DefaultBatchBars is the number of bars in a Batch unless Config sets another.
const DefaultBatchBars = 10_000

// Config describes a file of bars.
type Config struct {
	Format Format

	Key       domain.SeriesKey // of the bars
	BatchBars int              // the maximum number of bars in a Batch; defaults to DefaultBatchBars
}

// Validate returns all errors of the Config.
func (c Config) Validate() error {
	var batchErr error
	if c.BatchBars < 0 {
		batchErr = &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchBars), Reason: "give 1 bar or more"}
	}

	err := errors.Join(c.Key.Validate(), batchErr, c.Format.Validate())
	if err == nil {
		err = covered.Validate(c.Format.Coverage, c.Key.Grid)
	}

	return err
}

func (c Config) withDefaults() Config {
	if c.BatchBars == 0 {
		c.BatchBars = DefaultBatchBars
	}
	return c
}

// Batch is consecutive bars of a file.
type Batch struct {
	Bars domain.Series // at least one, except with Format.Coverage

	// Range extends from the end of the previous batch, or from the first bar of the file, to the end of the last bar.
	// The ranges of consecutive batches touch, so that declaring them covers the file from its first bar to its last. A
	// rejected row leaves a gap between them. With Format.Coverage, the ranges make up that coverage instead.
	Range domain.Range

	Repeated int // rows equal to the row before them, which are skipped

	file  string
	lines []int // of each bar
}

// Locate adds file and line to an error about one of the batch's bars. It returns any other error unchanged.
func (b Batch) Locate(err error) error {
	var rule *domain.RuleError
	if !errors.As(err, &rule) {
		return err
	}

	i := sort.Search(b.Bars.Len(), func(i int) bool { return !b.Bars.OpenTime(i).Before(rule.At) })
	if i == b.Bars.Len() || !b.Bars.OpenTime(i).Equal(rule.At) {
		return err
	}

	return &LineError{File: b.file, Line: b.lines[i], Err: err}
}

// part returns the bars of r as part i of the batch, with r as its Range. Part 0 has the counts of the batch.
func (b Batch) part(r domain.Range, i int) Batch {
	part := Batch{Bars: b.Bars.Clip(r), Range: r, file: b.file}
	if part.Bars.Len() > 0 {
		from := sort.Search(b.Bars.Len(), func(i int) bool { return !b.Bars.OpenTime(i).Before(r.Start) })
		part.lines = b.lines[from : from+part.Bars.Len()]
	}
	if i == 0 {
		part.Repeated = b.Repeated
	}

	return part
}

// ReadBars yields the bars of a CSV or NDJSON file in batches. The rows must be in order of time. Two consecutive rows
// of one time are one bar if they are equal, and an error if they differ. An error in a row is a *LineError, and the
// batch of that row is not yielded.
//
// The first line of CSV must name the columns, except for klines as Binance publishes them. A line of NDJSON must have
// the fields of domain.Bar as JSON, and may have a symbol; trades may be missing or null, which is an unknown count.
// Numbers are read exactly, from strings and from numbers. The sequence is lazy and may be used once; an error is its
// last pair.
func ReadBars(r io.Reader, cfg Config) iter.Seq2[Batch, error] {
	used := false
	return func(yield func(Batch, error) bool) {
		if used {
			yield(Batch{}, errors.New("read bars: the sequence was already used"))
			return
		}

		used = true
		cfg = cfg.withDefaults()
		read := func(f Format, rejected []domain.Range, yield func(Batch) bool) error {
			reader, err := newBarReader(r, Config{Format: f, Key: cfg.Key, BatchBars: cfg.BatchBars})
			if err != nil {
				return err
			}

			reader.table.rejected = rejected

			return reader.readBatches(yield)
		}
		fileReader[Batch]{in: r, format: cfg.Format, read: read, batch: covered.Batch[Batch]{
			Span: func(b Batch) domain.Range { return b.Range },
			Rows: func(b Batch) int { return b.Bars.Len() },
			Time: func(b Batch, i int) time.Time { return b.Bars.OpenTime(i) },
			Part: Batch.part,
			None: Batch{Bars: domain.EmptySeries(cfg.Key)},
		}}.readAll(yield)
	}
}

// rowStatus describes a row that was read without an error.
type rowStatus uint8

const (
	rowNew rowStatus = iota
	rowRepeated
	rowNone // the end of the file
)

type barReader struct {
	table *table
	cfg   Config

	last     domain.Bar // the newest bar before the current row
	lastLine int        // of last; 0 before the first bar
}

// newBarReader reads the header.
func newBarReader(r io.Reader, cfg Config) (*barReader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	t, err := newTable(r, cfg.Format, barSchema, cfg.Key.Grid)
	if err != nil {
		return nil, err
	}

	return &barReader{table: t, cfg: cfg}, nil
}

// readBatches passes the batches of the file to yield until it returns false.
func (b *barReader) readBatches(yield func(Batch) bool) error {
	for {
		batch, err := b.readBatch()
		if err != nil || batch.Bars.Len() == 0 || !yield(batch) {
			return err
		}
	}
}

// readBatch reads the next batch. It returns a batch without bars at the end of the file.
func (b *barReader) readBatch() (Batch, error) {
	builder := domain.NewSeriesBuilder(b.cfg.Key, b.cfg.BatchBars)
	batch := Batch{file: b.table.rows.file, lines: make([]int, 0, b.cfg.BatchBars)}
	rejected := false
	for !rejected {
		bar, status, err := b.readRow()
		if err != nil {
			if rejected, err = b.table.reject(err, builder.Len()); err != nil {
				return Batch{}, err
			}
			continue
		}

		if status == rowRepeated {
			batch.Repeated++
			continue
		}
		if status == rowNone {
			break
		}
		slot := domain.Range{Start: bar.OpenTime, End: b.cfg.Key.Grid.Next(bar.OpenTime)}
		if rejected = b.table.endsBefore(slot, builder.Len()); rejected || builder.Len() == b.cfg.BatchBars {
			b.table.unread()
			break
		}
		if err := builder.Append(bar); err != nil {
			return Batch{}, b.table.rows.lineError(err)
		}

		batch.lines = append(batch.lines, b.table.rows.line)
		b.last, b.lastLine = bar, b.table.rows.line
	}

	var err error
	if batch.Bars, err = builder.Series(); err != nil || batch.Bars.Len() == 0 {
		return Batch{}, err
	}

	batch.Range = b.table.batchRange(batch.Bars.Range(), rejected)

	return batch, nil
}

// readRow reads the next row.
func (b *barReader) readRow() (domain.Bar, rowStatus, error) {
	more, err := b.table.next()
	if err != nil || !more {
		return domain.Bar{}, rowNone, err
	}

	bar, err := b.parseBar()
	status := rowNew
	if err == nil {
		status, err = b.compare(bar)
	}
	if err == nil && b.table.onReject != nil {
		err = b.validate(bar)
	}
	if err != nil {
		return domain.Bar{}, rowNone, b.table.rows.lineError(err)
	}

	return bar, status, nil
}

// validate returns an error for a bar that every store rejects, at whatever time.
func (b *barReader) validate(bar domain.Bar) error {
	s, err := domain.NewSeries(b.cfg.Key, bar)
	if err != nil {
		return err
	}

	return quality.NewValidator(s.Range(), s.Range().End).Check(s).Err(b.cfg.Key)
}

// compare compares the bar of the current row with the bar before it.
func (b *barReader) compare(bar domain.Bar) (rowStatus, error) {
	switch at := bar.OpenTime; {
	case b.lastLine == 0 || at.After(b.last.OpenTime):
		return rowNew, nil
	case at.Before(b.last.OpenTime):
		return rowNone, fmt.Errorf("%s comes after %s of line %d; sort the rows by time, oldest first",
			at.Format(time.RFC3339Nano), b.last.OpenTime.Format(time.RFC3339Nano), b.lastLine)
	case !bar.Equal(b.last):
		return rowNone, fmt.Errorf("a second bar of %s, which differs from line %d; keep only the correct one",
			at.Format(time.RFC3339Nano), b.lastLine)
	}

	return rowRepeated, nil
}

// parseBar parses the current row.
func (b *barReader) parseBar() (domain.Bar, error) {
	cells, columns := b.table.rows.cells, b.table.layout.columns
	var bar domain.Bar
	var err error
	if bar.OpenTime, err = b.table.times.parse(cells[columns[0]]); err != nil {
		return domain.Bar{}, err
	}
	if g := b.cfg.Key.Grid; !g.Aligned(bar.OpenTime) {
		return domain.Bar{}, fmt.Errorf("%s is not an open time of %s bars (%s and %s are); check the frequency",
			bar.OpenTime.Format(time.RFC3339Nano), g,
			g.Floor(bar.OpenTime).Format(time.RFC3339Nano), g.Next(bar.OpenTime).Format(time.RFC3339Nano))
	}

	for i, number := range [...]*domain.Decimal{&bar.Open, &bar.High, &bar.Low, &bar.Close, &bar.Volume} {
		if *number, err = domain.ParseDecimalBytes(cells[columns[i+1]]); err != nil {
			return domain.Bar{}, fmt.Errorf("%s: %w", barSchema.columns[i+1], err)
		}
	}

	if cell := columns[len(columns)-1]; cell >= 0 {
		if bar.Trades, err = parseCount(cells[cell]); err != nil {
			return domain.Bar{}, fmt.Errorf("%s: %w", ColumnTrades, err)
		}
	}

	return bar, nil
}

// parseCount parses a whole number of 0 or more. An empty cell is 0, which is an unknown count. A fraction of zeros is
// accepted, because programs that store counts as floats write 12.0.
func parseCount(cell []byte) (int64, error) {
	if whole, fraction, found := bytes.Cut(cell, []byte(".")); found && len(bytes.Trim(fraction, "0")) == 0 {
		cell = whole
	}
	if len(cell) == 0 {
		return 0, nil
	}

	n, err := strconv.ParseUint(string(cell), 10, 63)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("%.40q is not a count", cell)
	}

	return int64(n), nil
}
