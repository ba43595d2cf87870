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
	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

// table reads the rows of a file, one row group after the other. Of each group it reads a number of rows at a time,
// column by column: the caller calls nextRows, reads every column, and calls advance.
type table struct {
	name   string // of the file, for errors
	layout layout
	groups []pq.RowGroup // the groups after the current one
	left   int64         // unread rows of the current group
	row    int64         // number of rows read

	// The columns of the current group; nil if the file lacks them.
	time     *column[int64]
	decimals []*column[coefficient]
	count    *column[int64]
	side     *column[string]
}

func openFile(r io.ReaderAt, size int64) (*pq.File, error) {
	if err := verifyFooter(r, size); err != nil {
		return nil, err
	}

	opened, err := pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("not a Parquet file, or damaged: %w", err)
	}

	return opened, nil
}

// verifyFooter returns an error if the length of the footer is impossible, because the library would allocate that much
// memory.
func verifyFooter(r io.ReaderAt, size int64) error {
	const tailSize = 8 // the length of the footer and a magic number
	const minSize = 12 // the tail, and a magic number at the beginning of the file
	var b [tailSize]byte
	if size < minSize {
		return errors.New("not a Parquet file: it is too short")
	}
	if _, err := r.ReadAt(b[:], size-tailSize); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(b[4:]) != "PAR1" {
		return errors.New("not a Parquet file, or a truncated one: its last four bytes are not PAR1")
	}
	if length := int64(binary.LittleEndian.Uint32(b[:4])); length > size-minSize {
		return fmt.Errorf("the file is damaged: a footer of %d bytes in a file of %d", length, size)
	}

	return nil
}

// Recognize returns the kind of rows of the Parquet file in r, of size bytes, according to its column names. It returns
// file.KindBars for a file that it does not recognize, so that ReadBars reports the error.
func Recognize(r io.ReaderAt, size int64) file.Kind {
	kind := file.KindBars
	_ = recoverPanic(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			kind = schemaOf(opened.Root()).kind
		}

		return err
	})

	return kind
}

// batchReader reads a file in batches.
type batchReader[B any] interface {
	open() error
	coverage() ([]domain.Range, covered.Batch[B]) // after open; nil if the file does not declare it
	readBatch() (batch B, rows int, err error)    // 0 rows at the end of the file
	close() error
}

// batches yields the batches of a file, whose name its errors contain. A damaged file is an error, never a panic.
func batches[B any](name string, r batchReader[B]) iter.Seq2[B, error] {
	used := false
	return func(yield func(B, error) bool) {
		var none B
		if used {
			yield(none, errors.New("read parquet: the sequence was already used"))
			return
		}

		used = true
		defer func() { _ = recoverPanic(r.close) }() // closing a file that was only read cannot lose data
		if err := recoverPanic(r.open); err != nil {
			yield(none, addName(name, err))
			return
		}

		all := readBatches(r)
		if ranges, of := r.coverage(); ranges != nil {
			all = covered.Split(all, covered.Ranges{Declared: ranges}, of)
		}
		for batch, err := range all {
			if err != nil {
				yield(none, addName(name, err))
				return
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// readBatches yields the batches as the reader reads them.
func readBatches[B any](r batchReader[B]) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		for {
			var batch B
			var rows int
			err := recoverPanic(func() (err error) { batch, rows, err = r.readBatch(); return err })
			if err != nil {
				yield(batch, err)
				return
			}
			if rows == 0 || !yield(batch, nil) {
				return
			}
		}
	}
}

// addName adds the name of the file to an error that does not have it yet.
func addName(name string, err error) error {
	var rowErr *RowError
	if name == "" || errors.As(err, &rowErr) {
		return err
	}

	return fmt.Errorf("%s: %w", name, err)
}

// init prepares t to read the rows of the file.
func (t *table) init(opened *pq.File, name string, s schema) (err error) {
	t.name, t.groups = name, opened.RowGroups()
	t.layout, err = newLayout(opened.Root(), s)
	return err
}

// nextRows returns the number of rows, at most limit, that the caller can read from the current group. At the end of a
// group it opens the next one. It returns 0 at the end of the file.
func (t *table) nextRows(limit int) (int, error) {
	for t.left == 0 {
		if err := t.endGroup(); err != nil {
			return 0, err
		}
		if len(t.groups) == 0 {
			return 0, nil
		}

		t.openGroup(t.groups[0])
		t.groups = t.groups[1:]
	}
	if t.left < 0 {
		return 0, fmt.Errorf("the file is damaged: a row group of %d rows", t.left)
	}

	return int(min(t.left, int64(limit))), nil
}

// advance moves past n rows, which must have been read from every column.
func (t *table) advance(n int) {
	t.row += int64(n)
	t.left -= int64(n)
}

func (t *table) openGroup(group pq.RowGroup) {
	chunks := group.ColumnChunks()
	t.left = group.NumRows()
	t.time = openColumn(chunks, t.layout.time, decodeIntegers)
	t.count = openColumn(chunks, t.layout.count, decodeIntegers)
	if t.count != nil {
		t.count.nullable = t.layout.count.name == file.ColumnTrades // which is 0 if unknown
	}
	t.side = openColumn(chunks, t.layout.side, decodeStrings)
	if t.side != nil {
		t.side.nullable = true
	}
	for _, spec := range t.layout.decimals {
		t.decimals = append(t.decimals, openColumn(chunks, spec, decodeCoefficients))
	}
}

// openColumn returns nil if the file lacks the column.
func openColumn[V any](chunks []pq.ColumnChunk, spec columnSpec, decode decoder[V]) *column[V] {
	if spec.name == "" || spec.index < 0 {
		return nil
	}
	return &column[V]{spec: spec, pages: chunks[spec.index].Pages(), decode: decode}
}

// endGroup verifies that all columns of the group end with its last row, and closes them.
func (t *table) endGroup() error {
	errs := []error{verifyEnd(t, t.time), verifyEnd(t, t.count), verifyEnd(t, t.side)}
	for _, c := range t.decimals {
		errs = append(errs, verifyEnd(t, c))
	}

	return errors.Join(errors.Join(errs...), t.close())
}

func verifyEnd[V any](t *table, c *column[V]) error {
	if c == nil {
		return nil
	}

	switch _, err := c.take(1); {
	case err == nil, errors.Is(err, errNull):
		return fmt.Errorf("the file is damaged: %s continues after row %d, the last of its group", c.spec.name, t.row)
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("after row %d: %s: %w", t.row, c.spec.name, err)
	}

	return nil
}

// close closes the columns of the current group.
func (t *table) close() error {
	errs := []error{closeColumn(t.time), closeColumn(t.count), closeColumn(t.side)}
	for _, c := range t.decimals {
		errs = append(errs, closeColumn(c))
	}
	t.time, t.count, t.side, t.decimals = nil, nil, nil, t.decimals[:0]

	return errors.Join(errs...)
}

func closeColumn[V any](c *column[V]) error {
	if c == nil {
		return nil
	}
	return c.close()
}

// rowError returns an error about row i after the rows already passed.
func (t *table) rowError(i int, err error) error {
	return &RowError{File: t.name, Row: t.row + int64(i) + 1, Err: err}
}

// readColumn passes the values of the next n rows to use, some at a time. If use returns an error, valid is the number
// of values before the one that the error is about.
func readColumn[V any](t *table, c *column[V], n int, use func(values []V) (valid int, err error)) error {
	for i := 0; i < n; {
		values, err := c.take(n - i)
		switch {
		case errors.Is(err, errNull):
			return t.rowError(i, fmt.Errorf("%s is null", c.spec.name))
		case err != nil:
			return fmt.Errorf("row %d: %s: %w", t.row+int64(i)+1, c.spec.name, err)
		}
		if valid, err := use(values); err != nil {
			return t.rowError(i+valid, err)
		}

		i += len(values)
	}

	return nil
}

// readTimes reads the times of the next n rows in microseconds since 1970. A time finer than a microsecond is rounded
// down and its index passed to onFiner, or is an error if onFiner is nil. With an error, readTimes returns the times
// before it.
func (t *table) readTimes(n int, onFiner func(i int)) ([]int64, error) {
	times := make([]int64, 0, n)
	err := readColumn(t, t.time, n, func(values []int64) (int, error) {
		for i, v := range values {
			micros, isFiner, err := t.layout.unit.floor(v)
			if isFiner && onFiner == nil {
				err = fmt.Errorf("%s: %d ns is finer than a microsecond", t.time.spec.name, v)
			}
			if err != nil {
				return i, err
			}

			if isFiner {
				onFiner(len(times))
			}
			times = append(times, micros)
		}

		return 0, nil
	})

	return times, err
}

// readDecimals reads the decimal columns [from, to) of the next n rows. It returns them at the smallest exact common
// scale.
func (t *table) readDecimals(n int, from, to int) (decimals []domain.Column, scale uint8, err error) {
	columns := t.decimals[from:to]
	for _, c := range columns {
		scale = max(scale, c.spec.scale)
	}
	for _, c := range columns {
		dst := domain.Column{Lo: make([]int64, n), Hi: make([]int64, n)}
		if err := t.readCoefficients(c, dst, scale); err != nil {
			return nil, 0, err
		}

		decimals = append(decimals, dst)
	}

	return decimals, codec.Shrink(decimals, scale), nil
}

// readCoefficients fills dst with the next values of c, converted to the scale.
func (t *table) readCoefficients(c *column[coefficient], dst domain.Column, scale uint8) error {
	r := newRescaler(c.spec.scale, scale)
	offset := 0
	return readColumn(t, c, len(dst.Lo), func(values []coefficient) (int, error) {
		hi, lo := dst.Hi[offset:offset+len(values)], dst.Lo[offset:offset+len(values)]
		for i, v := range values {
			if !r.fits(v) {
				return i, fmt.Errorf("%s: more than %d digits before the point", c.spec.name, domain.MaxIntegerDigits)
			}

			v = r.convert(v)
			hi[i], lo[i] = v.hi, int64(v.lo)
		}

		offset += len(values)

		return 0, nil
	})
}

// readCounts reads the whole numbers of the next n rows, which must not be negative. It returns nil if the file lacks
// them.
func (t *table) readCounts(n int) ([]int64, error) {
	if t.count == nil {
		return nil, nil
	}

	counts := make([]int64, 0, n)
	err := readColumn(t, t.count, n, func(values []int64) (int, error) {
		for i, v := range values {
			if v < 0 {
				return i, fmt.Errorf("%s: %d is negative", t.count.spec.name, v)
			}
		}

		counts = append(counts, values...)

		return 0, nil
	})

	return counts, err
}

// readSides reads the sides of the next n rows. It returns nil if the file lacks them.
func (t *table) readSides(n int) ([]domain.Side, error) {
	if t.side == nil {
		return nil, nil
	}

	sides := make([]domain.Side, 0, n)
	err := readColumn(t, t.side, n, func(values []string) (int, error) {
		for i, text := range values {
			side, err := file.ParseSide(text)
			if err != nil {
				return i, err
			}

			sides = append(sides, side)
		}

		return 0, nil
	})

	return sides, err
}
