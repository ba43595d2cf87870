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

	"github.com/gal-friday/marketdata/domain"
)

// DefaultBatchBars is how many bars a Batch has where Config does not say.
const DefaultBatchBars = 10_000

// Config says what a file of bars is.
type Config struct {
	Format

	Key       domain.SeriesKey // of the bars
	BatchBars int              // the most bars in a Batch; defaults to DefaultBatchBars
}

// Validate reports every fault.
func (c Config) Validate() error {
	var batch error
	if c.BatchBars < 0 {
		batch = &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchBars), Reason: "give 1 bar or more"}
	}
	return errors.Join(c.Key.Validate(), batch, c.Format.Validate())
}

func (c Config) withDefaults() Config {
	if c.BatchBars == 0 {
		c.BatchBars = DefaultBatchBars
	}
	return c
}

// Batch is a run of bars of a file.
type Batch struct {
	Bars domain.Series // at least one

	// Range is from the end of the batch before, or from the first bar of all, to the end of the last bar. The batches' ranges
	// touch: to claim each is to claim the file, from its first bar to its last.
	Range domain.Range

	Repeated int // rows that said the same as the row before them, and were left out

	file  string
	lines []int // of each bar
}

// Locate adds file and line to an error about one of the batch's bars; another error is returned as it is.
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

// ReadBars yields the bars of a CSV file batch by batch, in the file's order, which has to be that of time. What is wrong with
// a row is a *LineError, and nothing of the batch it stands in is yielded. Two rows of one time that say the same are one bar;
// two that differ are an error.
//
// The first line names the columns; klines as Binance publishes them need no header. Numbers are taken to the digit. The
// sequence is lazy and single use; an error is its last pair.
func ReadBars(r io.Reader, cfg Config) iter.Seq2[Batch, error] {
	used := false
	return func(yield func(Batch, error) bool) {
		if used {
			yield(Batch{}, errors.New("read bars: the sequence was used before"))
			return
		}

		used = true
		reader, err := newReader(r, cfg.withDefaults())
		for err == nil {
			var batch Batch
			if batch, err = reader.batch(); err != nil || batch.Bars.Len() == 0 || !yield(batch, nil) {
				break
			}
		}

		if err != nil {
			yield(Batch{}, err)
		}
	}
}

type reader struct {
	*table

	cfg Config
	end time.Time

	last     domain.Bar // the newest of all, before the current row
	lastLine int        // 0 before the first
}

// newReader reads the header.
func newReader(r io.Reader, cfg Config) (*reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	t, err := newTable(r, cfg.Format, barForm, cfg.Key.Grid)
	if err != nil {
		return nil, err
	}

	return &reader{table: t, cfg: cfg}, nil
}

// batch reads the next batch, an empty one at the end of the file.
func (b *reader) batch() (Batch, error) {
	builder := domain.NewSeriesBuilder(b.cfg.Key, b.cfg.BatchBars)
	batch := Batch{file: b.rows.file, lines: make([]int, 0, b.cfg.BatchBars)}
	start, rejected := b.end, false
	for !rejected {
		more, err := b.next()
		if err == nil && !more {
			break
		}

		var bar domain.Bar
		var repeated bool
		if err == nil {
			bar, repeated, err = b.row()
		}
		switch {
		case err != nil:
			if err := b.reject(err); err != nil {
				return Batch{}, err
			}

			start, rejected = b.over(start, builder.Len())
			continue
		case repeated:
			batch.Repeated++
			continue
		}
		if builder.Len() == b.cfg.BatchBars {
			b.pending = true
			break
		}
		if err := builder.Append(bar); err != nil {
			return Batch{}, b.rows.wrong(err)
		}

		batch.lines = append(batch.lines, b.rows.line)
		b.last, b.lastLine = bar, b.rows.line
	}

	var err error
	if batch.Bars, err = builder.Series(); err != nil || batch.Bars.Len() == 0 {
		return Batch{}, err
	}

	batch.Range = batch.Bars.Range()
	if !start.IsZero() {
		batch.Range.Start = start
	}
	b.end = batch.Range.End
	if rejected {
		b.end = time.Time{}
	}

	return batch, nil
}

// row reads the current row, and whether it only repeats the one before it.
func (b *reader) row() (bar domain.Bar, repeated bool, err error) {
	if bar, err = b.bar(); err == nil {
		repeated, err = b.repeats(bar)
	}
	if err == nil && b.onBad != nil {
		err = b.sound(bar)
	}
	if err != nil {
		return domain.Bar{}, false, b.rows.wrong(err)
	}

	return bar, repeated, nil
}

// sound refuses a bar that no store would take, whenever it is asked.
func (b *reader) sound(bar domain.Bar) error {
	s, err := domain.NewSeries(b.cfg.Key, bar)
	if err != nil {
		return err
	}

	return domain.NewValidator(s.Range(), s.Range().End).Check(s).Err(b.cfg.Key)
}

// repeats reports whether the bar, of the current row, is the one before it once more.
func (b *reader) repeats(bar domain.Bar) (bool, error) {
	switch at := bar.OpenTime; {
	case b.lastLine == 0 || at.After(b.last.OpenTime):
		return false, nil
	case at.Before(b.last.OpenTime):
		return false, fmt.Errorf("%s comes after %s of line %d; sort the rows by time, the oldest first",
			at.Format(time.RFC3339Nano), b.last.OpenTime.Format(time.RFC3339Nano), b.lastLine)
	case !bar.Equal(b.last):
		return false, fmt.Errorf("a second bar of %s, which differs from line %d; keep the right one of the two",
			at.Format(time.RFC3339Nano), b.lastLine)
	}
	return true, nil
}

// bar reads the current row.
func (b *reader) bar() (domain.Bar, error) {
	cells, at := b.rows.cells, b.layout.column
	var bar domain.Bar
	var err error
	if bar.OpenTime, err = b.times.parse(cells[at[0]]); err != nil {
		return domain.Bar{}, err
	}
	if g := b.cfg.Key.Grid; !g.Aligned(bar.OpenTime) {
		return domain.Bar{}, fmt.Errorf("%s is not where a bar of %s opens (%s and %s are); are the bars of another grid?",
			bar.OpenTime.Format(time.RFC3339Nano), g,
			g.Floor(bar.OpenTime).Format(time.RFC3339Nano), g.Next(bar.OpenTime).Format(time.RFC3339Nano))
	}

	for i, number := range [...]*domain.Decimal{&bar.Open, &bar.High, &bar.Low, &bar.Close, &bar.Volume} {
		if *number, err = domain.ParseDecimalBytes(cells[at[i+1]]); err != nil {
			return domain.Bar{}, fmt.Errorf("%s: %w", barForm.columns[i+1], err)
		}
	}

	if i := at[len(at)-1]; i >= 0 {
		if bar.Trades, err = parseCount(cells[i]); err != nil {
			return domain.Bar{}, fmt.Errorf("%s: %w", ColumnTrades, err)
		}
	}

	return bar, nil
}

// parseCount reads a whole number from 0; an empty cell is 0, which is an unknown count. Programs that hold counts as floats
// write 12.0.
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
