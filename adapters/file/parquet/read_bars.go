package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/domain"
)

// DefaultBatchBars is how many bars a piece has where Config does not say.
const DefaultBatchBars = 16 << 10

// Config says what a file of bars is. The zero value reads a file that a BarWriter wrote.
type Config struct {
	Name      string           // of the file, for errors
	Key       domain.SeriesKey // of the bars; zero: the file names it. Where both do, they must agree
	BatchBars int              // the most bars in a piece; defaults to DefaultBatchBars
}

// Validate reports every fault.
func (c Config) Validate() error {
	var faults []error
	if c.Key != (domain.SeriesKey{}) {
		faults = append(faults, c.Key.Validate())
	}
	if c.BatchBars < 0 {
		faults = append(faults, &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchBars), Reason: "give 1 bar or more"})
	}

	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.BatchBars == 0 {
		c.BatchBars = DefaultBatchBars
	}
	return c
}

// ReadBars yields the bars of the Parquet file in r, of size bytes, piece by piece in the file's order, which has to be that of
// time. It reads what a BarWriter wrote and what notebooks write: columns in any order, times in milliseconds, microseconds or
// nanoseconds, decimals of other widths and scales, integers in their place, columns that could hold nulls but do not; trades
// may be absent. It refuses, before the first bar, a column it does not know, floats, times without a zone and a file without a
// key where Config has none; and with a *RowError a null, a time finer than a microsecond, off the grid or not after the one
// before, a number of more than 20 digits before the point, a negative trade count.
//
// A file that is damaged is an error, never a panic. Memory is bounded by the file's pages, not its length. The sequence is lazy
// and single use; an error is its last pair.
func ReadBars(r io.ReaderAt, size int64, cfg Config) iter.Seq2[domain.Series, error] {
	return sequence(cfg.Name, &barReader{in: r, size: size, cfg: cfg.withDefaults()})
}

// ReadKey is the key of the series that the Parquet file in r, of size bytes, names. A file that names none is an error.
func ReadKey(r io.ReaderAt, size int64) (key domain.SeriesKey, err error) {
	err = guard(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			key, err = keyOf(opened, domain.SeriesKey{})
		}
		return err
	})
	return key, err
}

// keyOf is the key that the file names, or the one that the caller gave.
func keyOf(opened *pq.File, given domain.SeriesKey) (domain.SeriesKey, error) {
	text, found := opened.Lookup(KeyName)
	if !found {
		if given == (domain.SeriesKey{}) {
			return given, fmt.Errorf("the file does not name its series (%s in its metadata): say of which symbol and grid it is", KeyName)
		}
		return given, nil
	}

	key, err := domain.ParseSeriesKey(text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", KeyName, err)
	}
	if given != (domain.SeriesKey{}) && given != key {
		return key, fmt.Errorf("the file holds %s, not %s", key, given)
	}

	return key, nil
}

// barReader is a file of bars.
type barReader struct {
	table

	in   io.ReaderAt
	size int64
	cfg  Config
	last int64 // the newest open time
}

func (b *barReader) open() error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}

	opened, err := openFile(b.in, b.size)
	if err != nil {
		return err
	}
	if err := b.begin(opened, b.cfg.Name, barForm); err != nil {
		return err
	}

	b.cfg.Key, err = keyOf(opened, b.cfg.Key)
	return err
}

// next reads the next rows, which are in one group.
func (b *barReader) next() (domain.Series, int, error) {
	n, err := b.available(b.cfg.BatchBars)
	if err != nil || n == 0 {
		return domain.Series{}, 0, err
	}

	var c domain.Columns
	if c.OpenMicros, err = b.openTimes(n); err != nil {
		return domain.Series{}, 0, err
	}

	prices, scale, err := b.decimals(n, 0, int(domain.FieldVolume))
	if err != nil {
		return domain.Series{}, 0, err
	}

	c.Open, c.High, c.Low, c.Close, c.PriceScale = prices[0], prices[1], prices[2], prices[3], scale
	volume, scale, err := b.decimals(n, int(domain.FieldVolume), len(b.numbers))
	if err != nil {
		return domain.Series{}, 0, err
	}

	c.Volume, c.VolumeScale = volume[0], scale
	if c.Trades, err = b.counts(n); err != nil {
		return domain.Series{}, 0, err
	}

	if c.Trades == nil {
		c.Trades = make([]int64, n)
	}
	times := c.OpenMicros
	s, err := domain.NewSeriesFromColumns(b.cfg.Key, c)
	var rule *domain.RuleError
	if errors.As(err, &rule) { // off the grid: each time is there once
		for i, t := range times {
			if time.UnixMicro(t).Equal(rule.At) {
				return s, 0, b.wrong(i, err)
			}
		}
	}

	b.passed(n)
	return s, n, err
}

// openTimes reads n times, each after the one before.
func (b *barReader) openTimes(n int) ([]int64, error) {
	times, err := b.times(n, nil)
	last, begun := b.last, b.row > 0
	for i, t := range times { // those before what is wrong come first
		if begun && t <= last {
			return nil, b.wrong(i, fmt.Errorf("the bar of %s comes after that of %s", stamp(t), stamp(last)))
		}
		last, begun = t, true
	}

	b.last = last
	return times, err
}

func stamp(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }
