package parquet

import (
	"errors"
	"fmt"
	"math"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// form is a kind of file: the columns of its rows besides the time.
type form struct {
	kind    file.Kind
	numbers []string // decimals
	sizes   int      // how many of them, the last ones, may not be negative
	count   string   // whole numbers from 0; a file may lack it
	side    string   // of trades; a file may lack it; "" where the form has none
}

// The forms.
var (
	barForm = form{
		kind:    file.Bars,
		numbers: []string{file.ColumnOpen, file.ColumnHigh, file.ColumnLow, file.ColumnClose, file.ColumnVolume},
		count:   file.ColumnTrades,
	}
	tradeForm = form{
		kind: file.Trades, numbers: []string{file.ColumnPrice, file.ColumnSize}, sizes: 1, count: file.ColumnSeq, side: file.ColumnSide,
	}
	quoteForm = form{
		kind:    file.Quotes,
		numbers: []string{file.ColumnBid, file.ColumnAsk, file.ColumnBidSize, file.ColumnAskSize}, sizes: 2,
		count: file.ColumnSeq,
	}
)

// columns names all columns of the form in the order in which they are written.
func (f form) columns() []string {
	if f.kind == file.Bars {
		return slices.Concat([]string{file.ColumnTime}, f.numbers, []string{f.count})
	}

	names := slices.Concat([]string{file.ColumnTime, f.count}, f.numbers)
	if f.side != "" {
		names = append(names, f.side)
	}
	return names
}

func (f form) optional(name string) bool { return name == f.count || name == f.side }

// formOf tells the form of a file by its columns; an unclear one is that of bars.
func formOf(root *pq.Column) form {
	has := func(f form) bool {
		return !slices.ContainsFunc(f.numbers[:2], func(name string) bool { return root.Column(name) == nil })
	}
	switch {
	case has(barForm):
	case has(tradeForm):
		return tradeForm
	case has(quoteForm):
		return quoteForm
	}

	return barForm
}

// layout says where the columns of a file are and how their values are spelled.
type layout struct {
	time    spec
	numbers []spec // in the form's order
	count   spec
	side    spec
	unit    timeUnit
}

// spec is one column of a file.
type spec struct {
	name  string
	index int // among the file's columns; -1 where it lacks this one
	scale uint8
}

// newLayout finds the columns of the form and reports every fault.
func newLayout(root *pq.Column, f form) (layout, error) {
	names := f.columns()
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
	if is := formOf(root); is.kind != f.kind {
		return layout{}, fmt.Errorf("the columns are those of %s, not of %s", is.kind, f.kind)
	}
	if faults != nil {
		return layout{}, errors.Join(faults...)
	}

	var l layout
	for _, name := range names {
		c := found[name]
		if c == nil && !f.optional(name) {
			faults = append(faults, fmt.Errorf("no column %q", name))
			continue
		}

		if err := l.add(f, name, c); err != nil {
			faults = append(faults, fmt.Errorf("column %q is %s: %w", name, c.Type(), err))
		}
	}

	return l, errors.Join(faults...)
}

// add takes in the next column; nil where the file lacks it.
func (l *layout) add(f form, name string, c *pq.Column) (err error) {
	s := spec{name: name, index: -1}
	if c != nil {
		s.index = c.Index()
	}
	switch name {
	case file.ColumnTime:
		l.unit, err = unitOf(c.Type())
		l.time = s
	case f.count:
		if c != nil && !isInteger(c.Type()) {
			err = errors.New("want INT64")
		}
		l.count = s
	case f.side:
		if c != nil && c.Type().Kind() != pq.ByteArray {
			err = fmt.Errorf("want STRING: %s, %s or %s", domain.SideBuy, domain.SideSell, domain.SideUnknown)
		}
		l.side = s
	default:
		s.scale, err = scaleOf(c.Type())
		l.numbers = append(l.numbers, s)
	}

	return err
}

// timeUnit is what the file's times count: a microsecond has perMicro of it, or it has that many micros. One of them is 1.
type timeUnit struct{ perMicro, micros int64 }

func unitOf(t pq.Type) (timeUnit, error) {
	const want = "want TIMESTAMP in UTC, like TIMESTAMP(MICROS, adjusted to UTC)"
	if t.LogicalType() == nil || t.Kind() != pq.Int64 {
		return timeUnit{}, errors.New(want)
	}

	stamp, ok := t.LogicalType().Value.(*format.TimestampType)
	if !ok {
		return timeUnit{}, errors.New(want)
	}
	if !stamp.IsAdjustedToUTC {
		return timeUnit{}, errors.New("without a time zone; " + want)
	}

	switch stamp.Unit.Value.(type) {
	case *format.MilliSeconds:
		return timeUnit{1, 1000}, nil
	case *format.MicroSeconds:
		return timeUnit{1, 1}, nil
	case *format.NanoSeconds:
		return timeUnit{1000, 1}, nil
	}

	return timeUnit{}, errors.New(want)
}

// floor is the file's time in whole microseconds, and whether it was finer.
func (u timeUnit) floor(t int64) (micros int64, finer bool, err error) {
	if limit := math.MaxInt64 / u.micros; t > limit || t < -limit {
		return 0, false, fmt.Errorf("%s: %d ms is beyond what microseconds can count", file.ColumnTime, t)
	}

	rest := t % u.perMicro
	if rest < 0 {
		rest += u.perMicro
	}
	if u.perMicro > 1 {
		t = (t - rest) / u.perMicro
	}

	return t * u.micros, rest != 0, nil
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
