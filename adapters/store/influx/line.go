package influx

import (
	"strconv"

	"github.com/gal-friday/marketdata/domain"
)

// appendLine writes a bar in line protocol, with every field set, since a write merges fields with those that are there. A valid
// key and a number hold no byte that would need escaping. A number is spelled in full: the server takes the float nearest to it.
func appendLine(b []byte, measurement string, key domain.SeriesKey, bar domain.Bar) []byte {
	b = append(b, measurement...)
	b = append(append(b, ","+tagGrid+"="...), key.Grid.String()...)
	b = append(append(b, ","+tagKind+"="...), key.Kind.String()...)
	b = append(append(b, ","+tagSymbol+"="...), key.Symbol...)
	values := [len(numberFields)]domain.Decimal{bar.Open, bar.High, bar.Low, bar.Close, bar.Volume}
	separator := byte(' ')
	for i, v := range values {
		b = append(append(append(b, separator), numberFields[i]...), '=')
		b, _ = v.AppendText(b) // never fails
		separator = ','
	}
	b = append(b, ","+fieldTrades+"="...)
	b = strconv.AppendInt(b, bar.Trades, 10)
	b = append(b, "i,"+fieldExact+"=\""...)
	if !allSurvive(values) {
		for i, v := range values {
			if i > 0 {
				b = append(b, ' ')
			}
			b, _ = v.AppendText(b)
		}
	}
	b = append(b, "\" "...)
	b = strconv.AppendInt(b, bar.OpenTime.UnixNano(), 10)
	return append(b, '\n')
}

func allSurvive(values [len(numberFields)]domain.Decimal) bool {
	for _, v := range values {
		if !survives(v) {
			return false
		}
	}
	return true
}
