package sqlite

import (
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// differing is how many bars of two Series of the same open times differ, numbers compared as numbers.
func differing(a, b domain.Series) int {
	differs := make([]bool, a.Len())
	x, y := a.Columns(), b.Columns()
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		p, scaleP := x.Field(f)
		q, scaleQ := y.Field(f)
		switch {
		case p.Hi != nil || q.Hi != nil:
			return differingBars(a, b)
		case scaleP < scaleQ:
			differ(differs, p.Lo, q.Lo, scaleQ-scaleP)
		default:
			differ(differs, q.Lo, p.Lo, scaleP-scaleQ)
		}
	}

	differ(differs, x.Trades, y.Trades, 0)
	n := 0
	for _, d := range differs {
		if d {
			n++
		}
	}

	return n
}

// differingBars is differing for numbers of more than 64 bits.
func differingBars(a, b domain.Series) int {
	n := 0
	for i := range a.Len() {
		if !a.At(i).Equal(b.At(i)) {
			n++
		}
	}

	return n
}

// differ marks where values differ, of which those of fine have so many more digits after the point.
func differ(differs []bool, coarse, fine []int64, digits uint8) {
	factor := int64(1)
	for range digits {
		factor *= 10
	}
	least, most := math.MinInt64/factor, math.MaxInt64/factor // what is beyond them has no equal in fine
	fine, differs = fine[:len(coarse)], differs[:len(coarse)]
	for i, v := range coarse {
		if v < least || v > most || v*factor != fine[i] {
			differs[i] = true
		}
	}
}
