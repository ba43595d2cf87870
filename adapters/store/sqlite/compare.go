package sqlite

import (
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// timesOfDifferences returns the open times of the bars that differ between two Series with the same open times, in
// microseconds since 1970. It compares decimals as numbers, whatever their scales.
func timesOfDifferences(a, b domain.Series) []int64 {
	differs := make([]bool, a.Len())
	x, y := a.Columns(), b.Columns()
	if isWide(x) || isWide(y) {
		for i := range differs {
			differs[i] = !a.At(i).Equal(b.At(i))
		}
	} else {
		markDifferences(differs, x.Trades, y.Trades, 0)
		for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
			p, scaleP := x.Field(f)
			q, scaleQ := y.Field(f)
			if scaleP < scaleQ {
				markDifferences(differs, p.Lo, q.Lo, scaleQ-scaleP)
			} else {
				markDifferences(differs, q.Lo, p.Lo, scaleP-scaleQ)
			}
		}
	}

	var times []int64
	for i, d := range differs {
		if d {
			times = append(times, x.OpenMicros[i])
		}
	}

	return times
}

// isWide reports whether a column has numbers of more than 64 bits.
func isWide(c domain.Columns) bool {
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		if column, _ := c.Field(f); column.Hi != nil {
			return true
		}
	}

	return false
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
