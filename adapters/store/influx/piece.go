package influx

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// piece gathers decoded bars: by column as long as every number fits 64 bits at one scale, which is nearly always, else bar by bar.
type piece struct {
	key        domain.SeriesKey
	capacity   int  // how many bars to make room for
	descending bool // bars come from the last to the first

	columns domain.Columns
	wide    []domain.Bar // used instead of columns once not nil
}

// reset begins the next piece; the scales of the one before are the best guess.
func (p *piece) reset(price, volume uint8) {
	p.wide = nil
	p.columns = domain.Columns{PriceScale: price, VolumeScale: volume}
}

func (p *piece) len() int { return max(len(p.columns.OpenMicros), len(p.wide)) }

// column is where the numbers of field i go, with their scale.
func (p *piece) column(i int) (*[]int64, *uint8) {
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

// add takes over a bar. What the floats say is used where exact is empty.
func (p *piece) add(nanos int64, numbers [len(numberFields)]number, trades int64, exact []byte) error {
	if len(exact) == 0 && p.wide == nil && p.addNarrow(nanos/nanosPerMicro, numbers, trades) {
		return nil
	}

	if p.wide == nil {
		if err := p.widen(); err != nil {
			return err
		}
	}

	at := time.Unix(0, nanos).UTC()
	values, err := decimals(numbers, exact)
	if err != nil {
		return &domain.RuleError{Rule: domain.RuleNotFinite, Key: p.key, At: at, Detail: err.Error()}
	}

	p.wide = append(p.wide, domain.Bar{
		OpenTime: at, Open: values[0], High: values[1], Low: values[2], Close: values[3], Volume: values[4], Trades: trades,
	})
	return nil
}

// addNarrow adds the bar to the columns; ok is false where one of its numbers does not fit them, and then nothing is added.
func (p *piece) addNarrow(micros int64, numbers [len(numberFields)]number, trades int64) (ok bool) {
	var values [len(numberFields)]int64
	for i, n := range numbers {
		_, scale := p.column(i)
		if values[i], ok = scaled(n.float, *scale); ok && n.kind == numberFloat { //nolint:gosec // two arrays of one length
			continue
		}
		if !p.fitScale(i, n) {
			return false
		}

		for j := range i + 1 { // the scale may have grown under the numbers before this one
			if _, other := p.column(j); other != scale {
				continue
			}
			if values[j], ok = atScale(numbers[j], *scale); !ok {
				return false
			}
		}
	}

	if p.columns.OpenMicros == nil {
		p.allocate()
	}
	p.columns.OpenMicros = append(p.columns.OpenMicros, micros)
	for i, v := range values {
		column, _ := p.column(i)
		*column = append(*column, v)
	}

	p.columns.Trades = append(p.columns.Trades, trades)
	return true
}

func (p *piece) allocate() {
	p.columns.OpenMicros = make([]int64, 0, p.capacity)
	p.columns.Trades = make([]int64, 0, p.capacity)
	for i := range numberFields {
		column, _ := p.column(i)
		*column = make([]int64, 0, p.capacity)
	}
}

// short is the shortest v / 10^scale that the number says; ok is false where that has more than 15 digits.
func short(n number) (v int64, scale uint8, ok bool) {
	if n.kind == numberInt {
		return n.int, 0, true
	}
	return shortScaled(n.float)
}

// atScale is the number as v / 10^scale, where 64 bits hold v.
func atScale(n number, scale uint8) (int64, bool) {
	v, own, ok := short(n)
	if !ok || own > scale {
		return 0, false
	}

	return multiply(v, scale-own)
}

func multiply(v int64, zeros uint8) (int64, bool) {
	factor := int64(math.Pow10(int(zeros))) // at most 10^18
	if limit := math.MaxInt64 / factor; v > limit || v < -limit {
		return 0, false
	}

	return v * factor, true
}

// fitScale raises the scale of field i's columns to what the number needs; ok is false where the columns cannot follow.
func (p *piece) fitScale(i int, n number) (ok bool) {
	_, need, ok := short(n)
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
			if v, ok = multiply(v, need-*scale); !ok {
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

// widen goes over from columns to bars.
func (p *piece) widen() error {
	c := &p.columns
	p.wide = make([]domain.Bar, 0, p.capacity)
	for i := range c.OpenMicros {
		bar := domain.Bar{OpenTime: time.UnixMicro(c.OpenMicros[i]).UTC(), Trades: c.Trades[i]}
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

// series is the bars gathered, ascending, and begins the next piece.
func (p *piece) series() (domain.Series, error) {
	defer p.reset(p.columns.PriceScale, p.columns.VolumeScale)
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

// decimals is what a bar's fields say: exact where it is not empty, else each number's shortest decimal. exact spells the five
// numbers in order with a blank between them; one that is not what its float is nearest to was written by somebody who knows only
// floats, and nobody can tell which of the two is right.
func decimals(numbers [len(numberFields)]number, exact []byte) (values [len(numberFields)]domain.Decimal, err error) {
	texts := bytes.Split(exact, []byte{' '})
	if len(exact) > 0 && len(texts) != len(values) {
		return values, fmt.Errorf("the field exact is %.60q, not five numbers", exact)
	}

	for i, n := range numbers {
		switch {
		case len(exact) > 0:
			values[i], err = domain.ParseDecimalBytes(texts[i])
			if err == nil && (n.kind != numberFloat || nearestFloat(values[i]) != n.float) {
				err = fmt.Errorf("the field exact says %s, the field itself something else", values[i])
			}
		case n.kind == numberInt:
			values[i], err = domain.NewDecimal(n.int, 0)
		default:
			values[i], err = fromFloat(n.float)
		}
		if err != nil {
			return values, fmt.Errorf("%s: %w", numberFields[i], err)
		}
	}

	return values, nil
}
