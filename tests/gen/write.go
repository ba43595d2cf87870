package gen

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ReplaceOrDelete replaces the bars of r, or deletes them where there are none to write.
func ReplaceOrDelete(
	ctx context.Context, w ports.BarWriter, bars domain.Series, r domain.Range,
) (ports.WriteReport, error) {
	if bars.Len() == 0 {
		return w.DeleteBars(ctx, bars.Key(), r)
	}

	return w.ReplaceBars(ctx, bars, r)
}
