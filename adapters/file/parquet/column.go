package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/gal-friday/marketdata/domain"
)

// layout says where the columns of a file are and how their values are spelled.
type layout struct {
	specs []spec // time, the fields in their order, trades unless the file lacks them

	perMicro, micros        int64 // a microsecond has perMicro of the time's units, or a unit has that many micros
	priceScale, volumeScale uint8
}

// spec is one column of a file.
type spec struct {
	name  string
	index int     // among the file's columns
	kind  pq.Kind // of its values
	scale uint8   // of decimals
}

// newLayout finds the columns and reports every fault.
func newLayout(root *pq.Column) (layout, error) {
	l := layout{perMicro: 1, micros: 1}
	names := []string{columnTime}
	for _, f := range fields {
		names = append(names, f.String())
	}
	names = append(names, columnTrades)
	var faults []error
	found := map[string]*pq.Column{}
	for _, c := range root.Columns() {
		switch {
		case !slices.Contains(names, c.Name()):
			faults = append(faults, fmt.Errorf("column %q is not one of %q", c.Name(), names))
		case found[c.Name()] != nil:
			faults = append(faults, fmt.Errorf("two columns %q", c.Name()))
		case !c.Leaf() || c.Repeated():
			faults = append(faults, fmt.Errorf("column %q holds more than one value a row", c.Name()))
		default:
			found[c.Name()] = c
		}
	}
	if faults != nil {
		return l, errors.Join(faults...)
	}
	for _, name := range names {
		c := found[name]
		if c == nil {
			if name != columnTrades {
				faults = append(faults, fmt.Errorf("no column %q", name))
			}
			continue
		}
		if err := l.add(name, c); err != nil {
			faults = append(faults, fmt.Errorf("column %q is %s: %w", name, c.Type(), err))
		}
	}
	return l, errors.Join(faults...)
}

// add takes in the next column.
func (l *layout) add(name string, c *pq.Column) error {
	s := spec{name: name, index: c.Index(), kind: c.Type().Kind()}
	var err error
	switch name {
	case columnTime:
		err = l.timeUnit(c.Type())
	case columnTrades:
		if !isInteger(c.Type()) {
			err = errors.New("want INT64")
		}
	default:
		s.scale, err = scaleOf(c.Type())
		scale := &l.priceScale
		if name == domain.FieldVolume.String() {
			scale = &l.volumeScale
		}
		*scale = max(*scale, s.scale)
	}
	l.specs = append(l.specs, s)
	return err
}

func (l *layout) timeUnit(t pq.Type) error {
	const want = "want TIMESTAMP in UTC, like TIMESTAMP(MICROS, adjusted to UTC)"
	if t.LogicalType() == nil || t.Kind() != pq.Int64 {
		return errors.New(want)
	}
	stamp, ok := t.LogicalType().Value.(*format.TimestampType)
	if !ok {
		return errors.New(want)
	}
	if !stamp.IsAdjustedToUTC {
		return errors.New("without a time zone; " + want)
	}
	switch stamp.Unit.Value.(type) {
	case *format.MilliSeconds:
		l.micros = 1000
	case *format.MicroSeconds:
	case *format.NanoSeconds:
		l.perMicro = 1000
	default:
		return errors.New(want)
	}
	return nil
}

// isInteger reports whether the column holds signed integers and nothing that is only spelled as such.
func isInteger(t pq.Type) bool {
	if t.Kind() != pq.Int64 && t.Kind() != pq.Int32 {
		return false
	}
	logical := t.LogicalType()
	if logical == nil {
		return true
	}
	integer, ok := logical.Value.(*format.IntType)
	return ok && integer.IsSigned
}

// scaleOf is how many digits of the column's numbers are after the point.
func scaleOf(t pq.Type) (uint8, error) {
	want := fmt.Errorf("want DECIMAL(38, %d), or another of at most %[1]d digits after the point", domain.MaxScale)
	if isInteger(t) {
		return 0, nil
	}
	if t.LogicalType() == nil {
		if t.Kind() == pq.Double || t.Kind() == pq.Float {
			return 0, fmt.Errorf("a float is not exact; %w", want)
		}
		return 0, want
	}
	decimal, ok := t.LogicalType().Value.(*format.DecimalType)
	if !ok || decimal.Scale < 0 || decimal.Scale > domain.MaxScale {
		return 0, want
	}
	switch t.Kind() {
	case pq.Int32, pq.Int64:
		return uint8(decimal.Scale), nil
	case pq.FixedLenByteArray:
		if n := t.Length(); n >= 1 && n <= len(number{}) {
			return uint8(decimal.Scale), nil
		}
	}
	return 0, want
}

// time is the file's time in microseconds.
func (l *layout) time(t int64) (int64, error) {
	if t%l.perMicro != 0 {
		return 0, fmt.Errorf("%s: %d ns is finer than a microsecond", columnTime, t)
	}
	if limit := math.MaxInt64 / l.micros; t > limit || t < -limit {
		return 0, fmt.Errorf("%s: %d ms is beyond what microseconds can count", columnTime, t)
	}
	return t / l.perMicro * l.micros, nil
}

// columns opens the columns of a row group, in the layout's order.
func (l *layout) columns(group pq.RowGroup) []*column {
	chunks := group.ColumnChunks()
	columns := make([]*column, len(l.specs))
	for i, s := range l.specs {
		columns[i] = &column{spec: s, pages: chunks[s.index].Pages(), buffer: make([]pq.Value, blockBars)}
	}
	return columns
}

// column reads the values of one column of a row group.
type column struct {
	spec

	pages  pq.Pages
	page   pq.Page // the current one; nil between pages
	values pq.ValueReader
	buffer []pq.Value
}

// read returns at least one and at most n of the next values, which are good until the next read. The end is
// io.ErrUnexpectedEOF.
func (c *column) read(n int) ([]pq.Value, error) {
	for {
		if c.page == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return nil, err
			}
			c.page, c.values = page, page.Values()
		}
		got, err := c.values.ReadValues(c.buffer[:min(n, len(c.buffer))])
		if got > 0 {
			return c.buffer[:got], nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err == nil {
			return nil, io.ErrNoProgress
		}
		c.release()
	}
}

func (c *column) release() {
	if c.page != nil {
		pq.Release(c.page)
		c.page, c.values = nil, nil
	}
}

func (c *column) close() error {
	c.release()
	return c.pages.Close()
}

// integer is the value of a column that holds integers.
func (c *column) integer(v pq.Value) int64 {
	if c.kind == pq.Int32 {
		return int64(v.Int32())
	}
	return v.Int64()
}

// decimals returns what makes a value a 128-bit coefficient over 10^scale, which is not less than the column's own. ok is false
// where that has more digits than a decimal.
func (c *column) decimals(scale uint8) func(v pq.Value) (hi, lo int64, ok bool) {
	factor := pow10(scale - c.scale)
	limitHi, limitLo := limit(c.scale)
	return func(v pq.Value) (int64, int64, bool) {
		hi, lo := c.coefficient(v)
		magnitudeHi, magnitudeLo := uint64(hi), lo
		if hi < 0 {
			var borrow uint64
			magnitudeLo, borrow = bits.Sub64(0, lo, 0)
			magnitudeHi, _ = bits.Sub64(0, uint64(hi), borrow)
		}
		if magnitudeHi > limitHi || magnitudeHi == limitHi && magnitudeLo >= limitLo {
			return 0, 0, false
		}
		carry, low := bits.Mul64(lo, factor)
		return int64(uint64(hi)*factor + carry), int64(low), true
	}
}

// coefficient is the column's value, the point left out.
func (c *column) coefficient(v pq.Value) (hi int64, lo uint64) {
	if c.kind != pq.FixedLenByteArray {
		n := c.integer(v)
		return n >> 63, uint64(n)
	}
	b := v.ByteArray()
	if len(b) < len(number{}) {
		var wide number
		if b[0] >= 0x80 {
			for i := range wide {
				wide[i] = 0xff
			}
		}
		copy(wide[len(wide)-len(b):], b)
		b = wide[:]
	}
	return int64(binary.BigEndian.Uint64(b[:8])), binary.BigEndian.Uint64(b[8:])
}

// limit is the least coefficient over 10^scale that no decimal holds.
func limit(scale uint8) (hi, lo uint64) {
	h, l := bits.Mul64(pow10(domain.MaxIntegerDigits/2), pow10(domain.MaxIntegerDigits/2))
	carry, lo := bits.Mul64(l, pow10(scale))
	return h*pow10(scale) + carry, lo
}
