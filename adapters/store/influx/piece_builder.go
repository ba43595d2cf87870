package influx

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// pieceBuilder builds a Series from rows. It has two states:
//
//	columns   every number so far fits 64 bits at the scale of its column; nearly every piece stays in this state
//	wide      a number did not fit, so all bars are domain.Bars (wide is not nil)
//
// build returns the Series and resets the builder to columns.
type pieceBuilder struct {
	key        domain.SeriesKey
	capacity   int  // how many bars to allocate for
	descending bool // whether rows are added from the last to the first

	columns domain.Columns
	wide    []domain.Bar
}

// reset begins the next piece. It keeps the scales, because the next piece most likely needs the same ones.
func (p *pieceBuilder) reset() {
	p.wide = nil
	p.columns = domain.Columns{PriceScale: p.columns.PriceScale, VolumeScale: p.columns.VolumeScale}
}

func (p *pieceBuilder) len() int { return max(len(p.columns.OpenMicros), len(p.wide)) }

// column returns the coefficients of number field i and their scale. The four prices share one scale.
func (p *pieceBuilder) column(i int) (coefficients *[]int64, scale *uint8) {
	c := &p.columns
	switch domain.Field(i) {
	case domain.FieldOpen:
		return &c.Open.Lo, &c.PriceScale
	case domain.FieldHigh:
		return &c.High.Lo, &c.PriceScale
	case domain.FieldLow:
		return &c.Low.Lo, &c.PriceScale
	case domain.FieldClose:
		return &c.Close.Lo, &c.PriceScale
	default:
		return &c.Volume.Lo, &c.VolumeScale
	}
}

// add adds a bar. The floats give its numbers if the field exact is empty.
func (p *pieceBuilder) add(row row) error {
	if len(row.exact) == 0 && p.wide == nil && p.addColumns(row) {
		return nil
	}

	if p.wide == nil {
		if err := p.widen(); err != nil {
			return err
		}
	}

	at := time.Unix(0, row.at).UTC()
	values, err := rowDecimals(row.numbers, row.exact)
	if err != nil {
		return &domain.RuleError{Rule: domain.RuleNotFinite, Key: p.key, At: at, Detail: err.Error()}
	}

	p.wide = append(p.wide, domain.Bar{
		OpenTime: at,
		Open:     values[0], High: values[1], Low: values[2], Close: values[3],
		Volume: values[4], Trades: row.trades,
	})

	return nil
}

// addColumns adds the bar to the columns. It adds nothing and returns false if one of the numbers does not fit.
func (p *pieceBuilder) addColumns(row row) (ok bool) {
	var values [len(numberFields)]int64
	for i, n := range row.numbers {
		_, scale := p.column(i)
		values[i], ok = coefficientAt(n.float, *scale) //nolint:gosec // two arrays of one length
		if ok && n.kind == numberFloat {
			continue
		}
		if !p.raiseScale(i, n) {
			return false
		}

		for j := range i + 1 { // because the scale of the numbers before this one may have been raised too
			if _, other := p.column(j); other != scale {
				continue
			}
			if values[j], ok = rescale(row.numbers[j], *scale); !ok {
				return false
			}
		}
	}

	if p.columns.OpenMicros == nil {
		p.allocate()
	}
	p.columns.OpenMicros = append(p.columns.OpenMicros, row.at/nanosPerMicro)
	for i, v := range values {
		column, _ := p.column(i)
		*column = append(*column, v)
	}
	p.columns.Trades = append(p.columns.Trades, row.trades)

	return true
}

func (p *pieceBuilder) allocate() {
	p.columns.OpenMicros = make([]int64, 0, p.capacity)
	p.columns.Trades = make([]int64, 0, p.capacity)
	for i := range numberFields {
		column, _ := p.column(i)
		*column = make([]int64, 0, p.capacity)
	}
}

// shortestCoefficient returns the number as a coefficient of at most 64 bits at the smallest possible scale. ok is
// false if a float needs more than 15 digits.
func (n number) shortestCoefficient() (coefficient int64, scale uint8, ok bool) {
	if n.kind == numberInt {
		return n.int, 0, true
	}
	return shortestCoefficient(n.float)
}

// rescale returns the number as a coefficient at the scale. ok is false if that needs more than 64 bits or a larger
// scale.
func rescale(n number, scale uint8) (coefficient int64, ok bool) {
	coefficient, least, ok := n.shortestCoefficient()
	if !ok || least > scale {
		return 0, false
	}

	return multiplyPow10(coefficient, scale-least)
}

// multiplyPow10 returns v * 10^exponent, for an exponent of at most 18. ok is false if that overflows.
func multiplyPow10(v int64, exponent uint8) (product int64, ok bool) {
	factor := int64(math.Pow10(int(exponent)))
	if limit := math.MaxInt64 / factor; v > limit || v < -limit {
		return 0, false
	}

	return v * factor, true
}

// raiseScale raises the scale of the column of field i, and of the columns that share it, to the scale that the number
// needs. It changes nothing and returns false if a coefficient would overflow.
func (p *pieceBuilder) raiseScale(i int, n number) (ok bool) {
	_, need, ok := n.shortestCoefficient()
	if !ok {
		return false
	}

	_, scale := p.column(i)
	if need <= *scale {
		return true
	}

	var raised [len(numberFields)][]int64
	for j := range numberFields {
		column, s := p.column(j)
		if s != scale {
			continue
		}

		raised[j] = slices.Grow([]int64(nil), max(p.capacity, len(*column)))
		for _, v := range *column {
			if v, ok = multiplyPow10(v, need-*scale); !ok {
				return false
			}
			raised[j] = append(raised[j], v)
		}
	}

	for j := range numberFields {
		if column, s := p.column(j); s == scale && len(*column) > 0 {
			*column = raised[j]
		}
	}
	*scale = need

	return true
}

// widen turns the columns into bars.
func (p *pieceBuilder) widen() error {
	c := &p.columns
	p.wide = make([]domain.Bar, 0, p.capacity)
	for i := range c.OpenMicros {
		bar := domain.Bar{OpenTime: domain.Micros(c.OpenMicros[i]).Time(), Trades: c.Trades[i]}
		for j, to := range []*domain.Decimal{&bar.Open, &bar.High, &bar.Low, &bar.Close, &bar.Volume} {
			column, scale := p.column(j)
			d, err := domain.NewDecimal((*column)[i], *scale)
			if err != nil {
				return err
			}

			*to = d
		}

		p.wide = append(p.wide, bar)
	}
	p.columns = domain.Columns{PriceScale: c.PriceScale, VolumeScale: c.VolumeScale}

	return nil
}

// build returns the added bars, ascending, and begins the next piece.
func (p *pieceBuilder) build() (domain.Series, error) {
	defer p.reset()
	if p.wide != nil {
		if p.descending {
			slices.Reverse(p.wide)
		}
		return domain.NewSeries(p.key, p.wide...)
	}

	if p.descending {
		slices.Reverse(p.columns.OpenMicros)
		slices.Reverse(p.columns.Trades)
		for i := range numberFields {
			column, _ := p.column(i)
			slices.Reverse(*column)
		}
	}

	return domain.NewSeriesFromColumns(p.key, p.columns)
}

// rowDecimals returns the numbers of a row: those in exact, separated by spaces, or the shortest decimals of the floats
// if exact is empty. It returns an error if a number in exact does not have its field as the nearest float, because
// then a program that knows only the floats has written the row, and neither of the two can be trusted.
func rowDecimals(numbers [len(numberFields)]number, exact []byte) (
	values [len(numberFields)]domain.Decimal, err error,
) {
	texts := bytes.Split(exact, []byte{' '})
	if len(exact) > 0 && len(texts) != len(values) {
		return values, fmt.Errorf("the field exact is %.60q, not five numbers", exact)
	}

	for i, n := range numbers {
		switch {
		case len(exact) > 0:
			values[i], err = domain.ParseDecimalBytes(texts[i])
			if err == nil && (n.kind != numberFloat || nearestFloat(values[i]) != n.float) {
				err = fmt.Errorf("the field exact has %s, which is not the value of the field itself", values[i])
			}
		case n.kind == numberInt:
			values[i], err = domain.NewDecimal(n.int, 0)
		default:
			values[i], err = decimalFromFloat(n.float)
		}
		if err != nil {
			return values, fmt.Errorf("%s: %w", numberFields[i], err)
		}
	}

	return values, nil
}
