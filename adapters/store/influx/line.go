package influx

import (
	"strconv"

	"github.com/gal-friday/marketdata/domain"
)

// appendLine appends the bar to b in line protocol. It sets every field, because a write merges its fields with the
// stored ones. A number has all its digits; the server stores the nearest float.
func appendLine(b []byte, measurement string, key domain.SeriesKey, bar domain.Bar) []byte {
	b = append(b, measurement...)
	b = append(append(b, ","+tagGrid+"="...), key.Grid.String()...)
	b = append(append(b, ","+tagKind+"="...), key.PriceType.String()...)
	b = appendTagValue(append(b, ","+tagSymbol+"="...), string(key.Symbol))

	values, separator := barNumbers(bar), byte(' ')
	for i, v := range values {
		b = append(append(append(b, separator), numberFields[i]...), '=')
		b, _ = v.AppendText(b) // never fails
		separator = ','
	}

	b = append(b, ","+fieldTrades+"="...)
	b = strconv.AppendInt(b, bar.Trades, 10)
	b = append(b, "i,"+fieldExact+"=\""...)
	b = append(appendExact(b, values), "\" "...)
	b = strconv.AppendInt(b, bar.OpenTime.UnixNano(), 10)

	return append(b, '\n')
}

// appendTagValue appends the value of a tag. Of the bytes that line protocol escapes there, a valid key contains only
// =.
func appendTagValue(b []byte, value string) []byte {
	for i := range len(value) {
		if value[i] == '=' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}

	return b
}

// barNumbers returns the numbers of the bar in the order of numberFields.
func barNumbers(bar domain.Bar) [len(numberFields)]domain.Decimal {
	return [...]domain.Decimal{bar.Open, bar.High, bar.Low, bar.Close, bar.Volume}
}

// appendExact appends the value of the field exact: nothing if every number survives a float, otherwise all five
// numbers separated by spaces.
func appendExact(b []byte, values [len(numberFields)]domain.Decimal) []byte {
	if allSurviveFloat(values) {
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

func allSurviveFloat(values [len(numberFields)]domain.Decimal) bool {
	for _, v := range values {
		if !survivesFloat(v) {
			return false
		}
	}

	return true
}
