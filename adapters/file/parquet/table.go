package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// table reads the rows of a file: row group by row group, each a few rows at a time, column by column.
type table struct {
	name   string // of the file, for errors
	layout layout
	groups []pq.RowGroup // not yet begun
	left   int64         // rows of the current group that are not yet read
	row    int64         // read so far

	// Of the current group; nil where the file lacks them.
	time    *column[int64]
	numbers []*column[coefficient]
	count   *column[int64]
	side    *column[string]
}

func openFile(r io.ReaderAt, size int64) (*pq.File, error) {
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}

	opened, err := pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("not a Parquet file, or a damaged one: %w", err)
	}

	return opened, nil
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

// guard turns a panic of the library, which trusts what a file says of itself, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the file is damaged: %v", cause)
		}
	}()
	return f()
}

// Recognize tells what the rows of the Parquet file in r, of size bytes, are by the names of its columns. A file that it cannot
// tell apart is file.Bars, for ReadBars to say what is wrong.
func Recognize(r io.ReaderAt, size int64) file.Kind {
	kind := file.Bars
	_ = guard(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			kind = formOf(opened.Root()).kind
		}
		return err
	})

	return kind
}

// pieces is a file that is read piece by piece.
type pieces[P any] interface {
	open() error
	next() (piece P, rows int, err error) // no rows is the end
	close() error
}

// sequence yields the pieces of a file, whose name errors tell. A damaged file is an error, never a panic.
func sequence[P any](name string, from pieces[P]) iter.Seq2[P, error] {
	used := false
	return func(yield func(P, error) bool) {
		var none P
		if used {
			yield(none, errors.New("read parquet: the sequence was used before"))
			return
		}

		used = true
		err := guard(from.open)
		defer func() { _ = guard(from.close) }() // what was only read has nothing to lose
		for err == nil {
			var piece P
			var rows int
			err = guard(func() (err error) { piece, rows, err = from.next(); return err })
			if err != nil || rows == 0 || !yield(piece, nil) {
				break
			}
		}
		if err == nil {
			return
		}

		var at *RowError
		if !errors.As(err, &at) && name != "" {
			err = fmt.Errorf("%s: %w", name, err)
		}
		yield(none, err)
	}
}

// begin takes the file's rows, of the form.
func (t *table) begin(opened *pq.File, name string, f form) (err error) {
	t.name, t.groups = name, opened.RowGroups()
	t.layout, err = newLayout(opened.Root(), f)
	return err
}

// available is how many rows, at most so many, can be read from the current group or, where that is at its end, from the next;
// none is the end of the file.
func (t *table) available(most int) (int, error) {
	for t.left == 0 {
		if err := t.endGroup(); err != nil {
			return 0, err
		}
		if len(t.groups) == 0 {
			return 0, nil
		}

		t.beginGroup(t.groups[0])
		t.groups = t.groups[1:]
	}
	if t.left < 0 {
		return 0, fmt.Errorf("the file is damaged: a row group of %d rows", t.left)
	}

	return int(min(t.left, int64(most))), nil
}

func (t *table) beginGroup(group pq.RowGroup) {
	chunks := group.ColumnChunks()
	t.left = group.NumRows()
	t.time = openColumn(chunks, t.layout.time, decodeIntegers)
	t.count = openColumn(chunks, t.layout.count, decodeIntegers)
	t.side = openColumn(chunks, t.layout.side, decodeWords)
	if t.side != nil {
		t.side.nullable = true
	}
	for _, s := range t.layout.numbers {
		t.numbers = append(t.numbers, openColumn(chunks, s, decodeCoefficients))
	}
}

// openColumn is nil where the file lacks the column.
func openColumn[V any](chunks []pq.ColumnChunk, s spec, decode decoder[V]) *column[V] {
	if s.name == "" || s.index < 0 {
		return nil
	}
	return &column[V]{spec: s, pages: chunks[s.index].Pages(), decode: decode}
}

// endGroup wants the columns of the group to be at their ends.
func (t *table) endGroup() error {
	faults := []error{atEnd(t, t.time), atEnd(t, t.count), atEnd(t, t.side)}
	for _, c := range t.numbers {
		faults = append(faults, atEnd(t, c))
	}
	return errors.Join(errors.Join(faults...), t.close())
}

func atEnd[V any](t *table, c *column[V]) error {
	if c == nil {
		return nil
	}

	switch _, err := c.take(1); {
	case err == nil, errors.Is(err, errNull):
		return fmt.Errorf("the file is damaged: %s goes on behind row %d, the last of its group", c.name, t.row)
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("behind row %d: %s: %w", t.row, c.name, err)
	}

	return nil
}

func (t *table) close() error {
	faults := []error{closed(t.time), closed(t.count), closed(t.side)}
	for _, c := range t.numbers {
		faults = append(faults, closed(c))
	}
	t.time, t.count, t.side, t.numbers = nil, nil, nil, t.numbers[:0]

	return errors.Join(faults...)
}

func closed[V any](c *column[V]) error {
	if c == nil {
		return nil
	}
	return c.close()
}

// wrong is the error of row i of those that are read next.
func (t *table) wrong(i int, err error) error {
	return &RowError{File: t.name, Row: t.row + int64(i) + 1, Err: err}
}

// passed says that the next n rows were read, in every column.
func (t *table) passed(n int) {
	t.row += int64(n)
	t.left -= int64(n)
}

// each hands the values of the next n rows to use, with the first one's place among them. What use refuses is its row that follows
// the places it returns.
func each[V any](t *table, c *column[V], n int, use func(values []V) (fine int, err error)) error {
	for i := 0; i < n; {
		values, err := c.take(n - i)
		switch {
		case errors.Is(err, errNull):
			return t.wrong(i, fmt.Errorf("%s is null", c.name))
		case err != nil:
			return fmt.Errorf("row %d: %s: %w", t.row+int64(i)+1, c.name, err)
		}
		if fine, err := use(values); err != nil {
			return t.wrong(i+fine, err)
		}

		i += len(values)
	}
	return nil
}

// times reads the times of the next n rows in microseconds; finer, where not nil, counts those that are cut to one, otherwise they
// are refused.
func (t *table) times(n int, finer func(i int)) ([]int64, error) {
	times := make([]int64, 0, n)
	err := each(t, t.time, n, func(values []int64) (int, error) {
		for i, v := range values {
			micros, cut, err := t.layout.unit.floor(v)
			if cut && finer == nil {
				err = fmt.Errorf("%s: %d ns is finer than a microsecond", t.time.name, v)
			}
			if err != nil {
				return i, err
			}

			if cut {
				finer(len(times))
			}
			times = append(times, micros)
		}
		return 0, nil
	})

	return times, err
}

// decimals reads some of the form's numbers of the next n rows, all at one scale, the least that is exact.
func (t *table) decimals(n int, from, to int) (numbers []domain.Column, scale uint8, err error) {
	columns := t.numbers[from:to]
	for _, c := range columns {
		scale = max(scale, c.scale)
	}
	for _, c := range columns {
		into := domain.Column{Lo: make([]int64, n), Hi: make([]int64, n)}
		if err := t.coefficients(c, into, scale); err != nil {
			return nil, 0, err
		}

		numbers = append(numbers, into)
	}

	return numbers, codec.Shrink(numbers, scale), nil
}

// coefficients fills the column with the next values of c, over 10^scale.
func (t *table) coefficients(c *column[coefficient], into domain.Column, scale uint8) error {
	over := newRescale(c.scale, scale)
	at := 0
	return each(t, c, len(into.Lo), func(values []coefficient) (int, error) {
		hi, lo := into.Hi[at:at+len(values)], into.Lo[at:at+len(values)]
		for i, v := range values {
			if !over.fits(v) {
				return i, fmt.Errorf("%s: more than %d digits before the point", c.name, domain.MaxIntegerDigits)
			}

			v = over.of(v)
			hi[i], lo[i] = v.hi, int64(v.lo)
		}

		at += len(values)
		return 0, nil
	})
}

// counts reads whole numbers from 0 of the next n rows; nil where the file lacks them.
func (t *table) counts(n int) ([]int64, error) {
	if t.count == nil {
		return nil, nil
	}

	counts := make([]int64, 0, n)
	err := each(t, t.count, n, func(values []int64) (int, error) {
		for i, v := range values {
			if v < 0 {
				return i, fmt.Errorf("%s: %d is negative", t.count.name, v)
			}
		}

		counts = append(counts, values...)
		return 0, nil
	})

	return counts, err
}

// sides reads the sides of the next n rows; nil where the file lacks them.
func (t *table) sides(n int) ([]domain.Side, error) {
	if t.side == nil {
		return nil, nil
	}

	sides := make([]domain.Side, 0, n)
	err := each(t, t.side, n, func(values []string) (int, error) {
		for i, word := range values {
			side, err := file.ParseSide(word)
			if err != nil {
				return i, err
			}

			sides = append(sides, side)
		}
		return 0, nil
	})

	return sides, err
}
