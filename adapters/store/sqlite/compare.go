package sqlite

import (
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// countDifferences returns the number of bars that differ between two Series with the same open times. It compares
// decimals as numbers, whatever their scales.
func countDifferences(a, b domain.Series) int {
	differs := make([]bool, a.Len())
	x, y := a.Columns(), b.Columns()
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		p, scaleP := x.Field(f)
		q, scaleQ := y.Field(f)
		switch {
		case p.Hi != nil || q.Hi != nil:
			return countWideDifferences(a, b)
		case scaleP < scaleQ:
			markDifferences(differs, p.Lo, q.Lo, scaleQ-scaleP)
		default:
			markDifferences(differs, q.Lo, p.Lo, scaleP-scaleQ)
		}
	}

	markDifferences(differs, x.Trades, y.Trades, 0)
	n := 0
	for _, d := range differs {
		if d {
			n++
		}
	}

	return n
}

// countWideDifferences is countDifferences for numbers of more than 64 bits.
func countWideDifferences(a, b domain.Series) int {
	n := 0
	for i := range a.Len() {
		if !a.At(i).Equal(b.At(i)) {
			n++
		}
	}

	return n
}

// markDifferences sets differs[i] if value i differs. The scale of fine has digits more digits than that of coarse.
func markDifferences(differs []bool, coarse, fine []int64, digits uint8) {
	factor := int64(1)
	for range digits {
		factor *= 10
	}
	smallest, largest := math.MinInt64/factor, math.MaxInt64/factor // values outside cannot be represented in fine
	fine, differs = fine[:len(coarse)], differs[:len(coarse)]
	for i, v := range coarse {
		if v < smallest || v > largest || v*factor != fine[i] {
			differs[i] = true
		}
	}
}
