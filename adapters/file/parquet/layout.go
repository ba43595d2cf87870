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

// schema describes the columns of one kind of file, besides the time.
type schema struct {
	kind     file.Kind
	decimals []string
	sizes    int    // number of decimals, the last ones, that must not be negative
	count    string // whole numbers of 0 or more; optional
	side     string // of trades; optional; "" if the kind has no sides
}

var (
	barSchema = schema{
		kind:     file.KindBars,
		decimals: []string{file.ColumnOpen, file.ColumnHigh, file.ColumnLow, file.ColumnClose, file.ColumnVolume},
		count:    file.ColumnTrades,
	}
	tradeSchema = schema{
		kind:     file.KindTrades,
		decimals: []string{file.ColumnPrice, file.ColumnSize},
		sizes:    1,
		count:    file.ColumnSeq,
		side:     file.ColumnSide,
	}
	quoteSchema = schema{
		kind:     file.KindQuotes,
		decimals: []string{file.ColumnBid, file.ColumnAsk, file.ColumnBidSize, file.ColumnAskSize},
		sizes:    2,
		count:    file.ColumnSeq,
	}
)

// columns returns the names of all columns in the order in which they are written.
func (s schema) columns() []string {
	if s.kind == file.KindBars {
		return slices.Concat([]string{file.ColumnTime}, s.decimals, []string{s.count})
	}

	names := slices.Concat([]string{file.ColumnTime, s.count}, s.decimals)
	if s.side != "" {
		names = append(names, s.side)
	}

	return names
}

func (s schema) isOptional(name string) bool { return name == s.count || name == s.side }

// schemaOf returns the schema that the columns of a file belong to, or barSchema if they do not identify one.
func schemaOf(root *pq.Column) schema {
	matches := func(s schema) bool {
		return !slices.ContainsFunc(s.decimals[:2], func(name string) bool { return root.Column(name) == nil })
	}
	switch {
	case matches(barSchema):
	case matches(tradeSchema):
		return tradeSchema
	case matches(quoteSchema):
		return quoteSchema
	}

	return barSchema
}

// layout describes where the columns of a file are and how their values are represented.
type layout struct {
	time     columnSpec
	decimals []columnSpec // in the order of the schema
	count    columnSpec
	side     columnSpec
	unit     timeUnit
}

// columnSpec describes one column of a file.
type columnSpec struct {
	name  string
	index int // among the columns of the file; -1 if the file lacks the column
	scale uint8
}

// newLayout finds the columns of the schema. It reports all errors.
func newLayout(root *pq.Column, s schema) (layout, error) {
	if actual := schemaOf(root); actual.kind != s.kind {
		return layout{}, fmt.Errorf("the columns are those of %s, not of %s", actual.kind, s.kind)
	}

	names := s.columns()
	found, err := findColumns(root, names)
	if err != nil {
		return layout{}, err
	}

	var l layout
	var errs []error
	for _, name := range names {
		c := found[name]
		if c == nil && !s.isOptional(name) {
			errs = append(errs, fmt.Errorf("no column %q", name))
			continue
		}

		if err := l.addColumn(s, name, c); err != nil {
			errs = append(errs, fmt.Errorf("column %q is %s: %w", name, c.Type(), err))
		}
	}

	return l, errors.Join(errs...)
}

// findColumns returns the columns by name. All of them must have one of the given names and must contain single values.
func findColumns(root *pq.Column, names []string) (map[string]*pq.Column, error) {
	var errs []error
	found := map[string]*pq.Column{}
	for _, c := range root.Columns() {
		switch {
		case !slices.Contains(names, c.Name()):
			errs = append(errs, fmt.Errorf("column %q is not one of %q", c.Name(), names))
		case found[c.Name()] != nil:
			errs = append(errs, fmt.Errorf("column %q is repeated", c.Name()))
		case !c.Leaf() || c.Repeated():
			errs = append(errs, fmt.Errorf("column %q has more than one value per row", c.Name()))
		default:
			found[c.Name()] = c
		}
	}

	return found, errors.Join(errs...)
}

// addColumn adds the next column of the schema; c is nil if the file lacks it.
func (l *layout) addColumn(s schema, name string, c *pq.Column) (err error) {
	spec := columnSpec{name: name, index: -1}
	if c != nil {
		spec.index = c.Index()
	}
	switch name {
	case file.ColumnTime:
		l.unit, err = timeUnitOf(c.Type())
		l.time = spec
	case s.count:
		if c != nil && !isInteger(c.Type()) {
			err = errors.New("want INT64")
		}
		l.count = spec
	case s.side:
		if c != nil && c.Type().Kind() != pq.ByteArray {
			err = fmt.Errorf("want STRING: %s, %s or %s", domain.SideBuy, domain.SideSell, domain.SideUnknown)
		}
		l.side = spec
	default:
		spec.scale, err = scaleOf(c.Type())
		l.decimals = append(l.decimals, spec)
	}

	return err
}

// timeUnit is the unit of the times in a file. INVARIANT: one of the fields is 1.
type timeUnit struct {
	perMicro int64 // units in a microsecond
	micros   int64 // microseconds in a unit
}

func timeUnitOf(t pq.Type) (timeUnit, error) {
	const want = "want TIMESTAMP in UTC, like TIMESTAMP(MICROS, adjusted to UTC)"
	if t.LogicalType() == nil || t.Kind() != pq.Int64 {
		return timeUnit{}, errors.New(want)
	}

	timestamp, ok := t.LogicalType().Value.(*format.TimestampType)
	if !ok {
		return timeUnit{}, errors.New(want)
	}
	if !timestamp.IsAdjustedToUTC {
		return timeUnit{}, errors.New("without a time zone; " + want)
	}

	switch timestamp.Unit.Value.(type) {
	case *format.MilliSeconds:
		return timeUnit{perMicro: 1, micros: 1000}, nil
	case *format.MicroSeconds:
		return timeUnit{perMicro: 1, micros: 1}, nil
	case *format.NanoSeconds:
		return timeUnit{perMicro: 1000, micros: 1}, nil
	}

	return timeUnit{}, errors.New(want)
}

// floor returns the time rounded down to a whole microsecond. isFiner reports whether rounding changed it.
func (u timeUnit) floor(t int64) (micros int64, isFiner bool, err error) {
	if limit := math.MaxInt64 / u.micros; t > limit || t < -limit {
		return 0, false, fmt.Errorf("%s: %d ms is out of the range of microseconds", file.ColumnTime, t)
	}

	remainder := t % u.perMicro
	if remainder < 0 {
		remainder += u.perMicro
	}
	if u.perMicro > 1 {
		t = (t - remainder) / u.perMicro
	}

	return t * u.micros, remainder != 0, nil
}

// isInteger reports whether the column contains signed integers, and not another type represented by integers.
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

// scaleOf returns the number of digits after the decimal point.
func scaleOf(t pq.Type) (uint8, error) {
	want := fmt.Errorf("want DECIMAL(38, %d), or another DECIMAL with at most %[1]d digits after the point",
		domain.MaxScale)
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
