package influx

import (
	"strconv"

	"github.com/gal-friday/marketdata/domain"
)

// lineForm is what a line says of a bar.
type lineForm int

const (
	plainLine lineForm = iota // all fields but whole: for a bar that was not there
	wholeLine                 // all fields
	markLine                  // whole alone: for a bar that is there, and will be overwritten
)

// appendLine writes a bar in line protocol, but for a mark with every field set, since a write merges fields with those that are
// there. A valid key and a number hold no byte that would need escaping. A number is spelled in full: the server takes the float
// nearest to it.
func appendLine(b []byte, measurement string, key domain.SeriesKey, bar domain.Bar, form lineForm) []byte {
	b = append(b, measurement...)
	b = append(append(b, ","+tagGrid+"="...), key.Grid.String()...)
	b = append(append(b, ","+tagKind+"="...), key.PriceType.String()...)
	b = append(append(b, ","+tagSymbol+"="...), key.Symbol...)
	separator := byte(' ')
	if form != markLine {
		values := numbersOf(bar)
		for i, v := range values {
			b = append(append(append(b, separator), numberFields[i]...), '=')
			b, _ = v.AppendText(b) // never fails
			separator = ','
		}

		b = append(b, ","+fieldTrades+"="...)
		b = strconv.AppendInt(b, bar.Trades, 10)
		b = append(b, "i,"+fieldExact+"=\""...)
		b = append(appendExact(b, values), '"')
	}

	if form != plainLine {
		b = append(append(b, separator), fieldWhole+"="...)
		b = append(strconv.AppendInt(b, checksumOf(bar), 10), 'i')
	}

	b = append(b, ' ')
	b = strconv.AppendInt(b, bar.OpenTime.UnixNano(), 10)
	return append(b, '\n')
}

// numbersOf is the bar's numbers in the order of numberFields.
func numbersOf(bar domain.Bar) [len(numberFields)]domain.Decimal {
	return [...]domain.Decimal{bar.Open, bar.High, bar.Low, bar.Close, bar.Volume}
}

// appendExact appends what the field exact holds: nothing where every number survives a float.
func appendExact(b []byte, values [len(numberFields)]domain.Decimal) []byte {
	if allSurvive(values) {
		return b
	}

	for i, v := range values {
		if i > 0 {
			b = append(b, ' ')
		}
		b, _ = v.AppendText(b) // never fails
	}

	return b
}

func allSurvive(values [len(numberFields)]domain.Decimal) bool {
	for _, v := range values {
		if !survives(v) {
			return false
		}
	}
	return true
}
