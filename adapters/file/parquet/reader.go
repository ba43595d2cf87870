package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/adapters/codec"
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
	used := false
	return func(yield func(domain.Series, error) bool) {
		if used {
			yield(domain.Series{}, errors.New("read parquet: the sequence was used before"))
			return
		}
		used = true
		var b reader
		err := guard(func() error { return b.open(r, size, cfg.withDefaults()) })
		defer func() { _ = guard(b.close) }() // what was only read has nothing to lose
		for err == nil {
			var piece domain.Series
			err = guard(func() (err error) { piece, err = b.next(); return err })
			if err != nil || piece.Len() == 0 || !yield(piece, nil) {
				break
			}
		}
		if err == nil {
			return
		}
		var at *RowError
		if !errors.As(err, &at) && cfg.Name != "" {
			err = fmt.Errorf("%s: %w", cfg.Name, err)
		}
		yield(domain.Series{}, err)
	}
}

// guard turns a panic of the library, which trusts what a file says of itself, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the file is damaged: %v", cause)
		}
	}()
	return f()
}

// reader reads a file row group by row group, each in pieces.
type reader struct {
	cfg     Config
	layout  layout
	groups  []pq.RowGroup // not yet begun
	left    int64         // rows of the current group that are not yet read
	columns []*column     // of the current group: time, the fields in their order, trades unless the file lacks them
	row     int64         // read so far
	last    int64         // the newest open time
}

func (b *reader) open(r io.ReaderAt, size int64, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	file, err := openFile(r, size)
	if err != nil {
		return err
	}
	if cfg.Key, err = keyOf(file, cfg.Key); err != nil {
		return err
	}
	if b.layout, err = newLayout(file.Root()); err != nil {
		return err
	}
	b.cfg, b.groups = cfg, file.RowGroups()
	return nil
}

func openFile(r io.ReaderAt, size int64) (*pq.File, error) {
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	file, err := pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("not a Parquet file, or a damaged one: %w", err)
	}
	return file, nil
}

// ReadKey is the key of the series that the Parquet file in r, of size bytes, names. A file that names none is an error.
func ReadKey(r io.ReaderAt, size int64) (key domain.SeriesKey, err error) {
	err = guard(func() error {
		file, err := openFile(r, size)
		if err == nil {
			key, err = keyOf(file, domain.SeriesKey{})
		}
		return err
	})
	return key, err
}

// checkFooter refuses a file whose footer cannot be as long as it says; the library would make room for it first.
func checkFooter(r io.ReaderAt, size int64) error {
	const tail, least = 8, 12 // length and magic number behind the footer; another magic number before all
	var b [tail]byte
	if size < least {
		return errors.New("not a Parquet file: it is too short")
	}
	if _, err := r.ReadAt(b[:], size-tail); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(b[4:]) != "PAR1" {
		return errors.New("not a Parquet file, or one that is cut: its last four bytes are not PAR1")
	}
	if length := int64(binary.LittleEndian.Uint32(b[:4])); length > size-least {
		return fmt.Errorf("the file is damaged: a footer of %d bytes in a file of %d", length, size)
	}
	return nil
}

// keyOf is the key that the file names, or the one that the caller gave.
func keyOf(file *pq.File, given domain.SeriesKey) (domain.SeriesKey, error) {
	text, found := file.Lookup(KeyName)
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

// next reads the next piece; an empty one is the end of the file.
func (b *reader) next() (domain.Series, error) {
	for b.left == 0 {
		if err := b.endGroup(); err != nil {
			return domain.Series{}, err
		}
		if len(b.groups) == 0 {
			return domain.EmptySeries(b.cfg.Key), nil
		}
		group := b.groups[0]
		b.groups = b.groups[1:]
		b.left = group.NumRows()
		b.columns = b.layout.columns(group)
	}
	if b.left < 0 {
		return domain.Series{}, fmt.Errorf("the file is damaged: a row group of %d rows", b.left)
	}
	return b.piece(int(min(b.left, int64(b.cfg.BatchBars))))
}

// piece reads the next n rows, which are in one group.
func (b *reader) piece(n int) (domain.Series, error) {
	c := domain.Columns{PriceScale: b.layout.priceScale, VolumeScale: b.layout.volumeScale}
	var err error
	if c.Time, err = b.times(n); err != nil {
		return domain.Series{}, err
	}
	var numbers [len(fields)]domain.Column
	for i, f := range fields {
		_, scale := c.Field(f)
		if numbers[i], err = b.numbers(i, n, scale); err != nil {
			return domain.Series{}, err
		}
	}
	c.PriceScale = codec.Shrink(numbers[:domain.FieldVolume], c.PriceScale)
	c.VolumeScale = codec.Shrink(numbers[domain.FieldVolume:], c.VolumeScale)
	c.Open, c.High, c.Low, c.Close, c.Volume = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
	if c.Trades, err = b.trades(n); err != nil {
		return domain.Series{}, err
	}
	first := b.row
	times := c.Time
	b.row += int64(n)
	b.left -= int64(n)
	b.last = times[n-1]
	s, err := domain.NewSeriesFromColumns(b.cfg.Key, c)
	var rule *domain.RuleError
	if errors.As(err, &rule) { // off the grid: each time is there once
		for i, t := range times {
			if time.UnixMicro(t).Equal(rule.At) {
				return s, b.wrong(first+int64(i), err)
			}
		}
	}
	return s, err
}

// wrong is the error of row i of the file, counted from 0.
func (b *reader) wrong(i int64, err error) error {
	return &RowError{File: b.cfg.Name, Row: i + 1, Err: err}
}

func (b *reader) times(n int) ([]int64, error) {
	times := make([]int64, 0, n)
	last, begun := b.last, b.row > 0
	err := b.each(b.columns[0], n, func(v pq.Value) error {
		t, err := b.layout.time(v.Int64())
		if err != nil {
			return err
		}
		if begun && t <= last {
			return fmt.Errorf("the bar of %s comes after that of %s", stamp(t), stamp(last))
		}
		last, begun = t, true
		times = append(times, t)
		return nil
	})
	return times, err
}

func stamp(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }

// numbers reads n values of the field at place i, spelled with scale digits after the point.
func (b *reader) numbers(i, n int, scale uint8) (domain.Column, error) {
	column := b.columns[1+i]
	c := domain.Column{Lo: make([]int64, 0, n), Hi: make([]int64, 0, n)}
	read := column.decimals(scale)
	err := b.each(column, n, func(v pq.Value) error {
		hi, lo, ok := read(v)
		if !ok {
			return fmt.Errorf("%s: more than %d digits before the point", column.name, domain.MaxIntegerDigits)
		}
		c.Hi, c.Lo = append(c.Hi, hi), append(c.Lo, lo)
		return nil
	})
	return c, err
}

func (b *reader) trades(n int) ([]int64, error) {
	if len(b.columns) == 1+len(fields) { // the file lacks them
		return make([]int64, n), nil
	}
	trades := make([]int64, 0, n)
	column := b.columns[1+len(fields)]
	err := b.each(column, n, func(v pq.Value) error {
		count := column.integer(v)
		if count < 0 {
			return fmt.Errorf("%s: %d is not a count", columnTrades, count)
		}
		trades = append(trades, count)
		return nil
	})
	return trades, err
}

// each calls use with the next n values of the column, none of them null.
func (b *reader) each(c *column, n int, use func(pq.Value) error) error {
	for i := 0; i < n; {
		values, err := c.read(n - i)
		if err != nil {
			return fmt.Errorf("row %d: %s: %w", b.row+int64(i)+1, c.name, err)
		}
		for _, v := range values {
			if v.IsNull() {
				return b.wrong(b.row+int64(i), fmt.Errorf("%s is null", c.name))
			}
			if err := use(v); err != nil {
				return b.wrong(b.row+int64(i), err)
			}
			i++
		}
	}
	return nil
}

// endGroup wants the columns of the group to be at their ends.
func (b *reader) endGroup() error {
	for _, c := range b.columns {
		switch _, err := c.read(1); {
		case err == nil:
			return fmt.Errorf("the file is damaged: %s goes on behind row %d, the last of its group", c.name, b.row)
		case !errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("behind row %d: %s: %w", b.row, c.name, err)
		}
	}
	return b.close()
}

func (b *reader) close() error {
	var faults []error
	for _, c := range b.columns {
		faults = append(faults, c.close())
	}
	b.columns = nil
	return errors.Join(faults...)
}
