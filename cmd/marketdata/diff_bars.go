package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

const fieldTrades = "trades"

// tolerance is by how much numbers may be off and still count as equal.
type tolerance struct {
	fields [domain.FieldVolume + 1]domain.Decimal
	trades int64
}

func newTolerance(given map[string]string) (tolerance, error) {
	var t tolerance
	var faults []error
	names := make([]string, len(t.fields))
	for f := range t.fields {
		names[f] = domain.Field(f).String()
	}
	for name, text := range given {
		number, err := domain.ParseDecimal(text)
		if err == nil && number.Sign() < 0 {
			err = &domain.InvalidError{What: name, Value: text, Reason: "give 0 or more"}
		}
		switch f := slices.Index(names, name); {
		case err != nil:
			err = fmt.Errorf("%s: %w", name, err)
		case f >= 0:
			t.fields[f] = number
		case name == fieldTrades:
			t.trades, err = strconv.ParseInt(text, 10, 64)
		default:
			err = &domain.InvalidError{What: "field", Value: name, Reason: "one of " + strings.Join(names, ", ") + ", " + fieldTrades}
		}

		faults = append(faults, err)
	}

	return t, errors.Join(faults...)
}

// off reports whether the numbers are further apart than the field may be.
func (t tolerance) off(f domain.Field, a, b domain.Decimal) bool {
	if a.Equal(b) {
		return false
	}

	apart, err := a.Sub(b)
	if err != nil { // further than a number reaches
		return true
	}

	if apart.Sign() < 0 {
		apart = apart.Neg()
	}
	return apart.Cmp(t.fields[f]) > 0
}

// bars compares both sides of a window.
func (d *comparison) bars(left, right domain.Series) {
	if left.Equal(right) {
		d.compared += left.Len()
		return
	}

	i, j := 0, 0
	for i < left.Len() || j < right.Len() {
		d.compared++
		var a, b *domain.Bar
		if i < left.Len() && (j == right.Len() || !right.OpenTime(j).Before(left.OpenTime(i))) {
			a = new(left.At(i))
		}
		if j < right.Len() && (a == nil || right.OpenTime(j).Equal(a.OpenTime)) {
			b = new(right.At(j))
		}
		before := d.fields
		d.bar(left.Key(), a, b)
		if d.fields > before {
			d.differ++
		}
		if a != nil {
			i++
		}
		if b != nil {
			j++
		}
	}
}

// bar compares two bars of one time, of which one may be missing.
func (d *comparison) bar(key domain.SeriesKey, a, b *domain.Bar) {
	switch {
	case a == nil:
		d.add(difference{Key: key, Time: b.OpenTime, Field: "bar", To: "there"})
	case b == nil:
		d.add(difference{Key: key, Time: a.OpenTime, Field: "bar", From: "there"})
	default:
		others := numbers(b)
		for f, number := range numbers(a) {
			if field := domain.Field(f); d.tolerance.off(field, number, others[f]) {
				d.add(difference{key, a.OpenTime, field.String(), number.String(), others[f].String()})
			}
		}

		if apart := a.Trades - b.Trades; max(apart, -apart) > d.tolerance.trades {
			d.add(difference{key, a.OpenTime, fieldTrades, strconv.FormatInt(a.Trades, 10), strconv.FormatInt(b.Trades, 10)})
		}
	}
}

// numbers are the bar's decimals, by domain.Field.
func numbers(b *domain.Bar) [domain.FieldVolume + 1]domain.Decimal {
	return [...]domain.Decimal{b.Open, b.High, b.Low, b.Close, b.Volume}
}

func (d *comparison) add(found difference) {
	d.fields++
	if d.o.limit == 0 || len(d.found) < d.o.limit {
		d.found = append(d.found, found)
	}
}
