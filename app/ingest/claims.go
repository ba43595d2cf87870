package ingest

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ClaimKeeper holds the claims on bars that another store holds.
type ClaimKeeper interface {
	ports.CoverageReader
	ports.CoverageWriter
}

// ClaimedStore is a store of bars that cannot hold claims, with a keeper of its claims beside it.
type ClaimedStore struct {
	bars   ports.Store
	claims ClaimKeeper
}

var _ ports.Store = (*ClaimedStore)(nil)

// WithClaims returns the store with its claims kept by the keeper. A range is claimed once its bars are written, and
// unclaimed before any is taken away: a failure between the two leaves bars that nobody claims, never a claim without
// its bars. Doing the same again completes it.
func WithClaims(bars ports.Store, claims ClaimKeeper) *ClaimedStore {
	return &ClaimedStore{bars: bars, claims: claims}
}

// ReadBars reads the store. It yields no state, because the store does not know the coverage.
func (c *ClaimedStore) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(c.bars.ReadBars(ctx, q).Rows())
}

// WriteBars writes the bars and then claims.
func (c *ClaimedStore) WriteBars(
	ctx context.Context, bars domain.Series, claim domain.Range,
) (ports.WriteReport, error) {
	report, err := c.bars.WriteBars(ctx, bars, claim)
	if err != nil {
		return report, err
	}

	return report, c.claims.DeclareCoverage(ctx, bars.Key(), claim)
}

// ReplaceBars unclaims r, replaces its bars, and claims r again unless they were deleted.
func (c *ClaimedStore) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	if !r.Covers(bars.Range()) {
		return ports.WriteReport{}, access.Refusal("replace bars", key.String(),
			fmt.Errorf("the bars span %s, which %s does not cover: %w", bars.Range(), r, ports.ErrInvalid))
	}
	if err := c.claims.RemoveCoverage(ctx, key, r); err != nil {
		return ports.WriteReport{}, err
	}

	report, err := c.bars.ReplaceBars(ctx, bars, r)
	if err != nil || bars.Len() == 0 {
		return report, err
	}

	return report, c.claims.DeclareCoverage(ctx, key, r)
}

// Extents is what is claimed of the series, and what the store assumes before the first claim and after the last:
// somebody else may have written there. Between two claims nobody knows, so there an assumption from the first bar to
// the last says nothing.
func (c *ClaimedStore) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	claimed, err := c.claims.Extents(ctx, symbols...)
	if err != nil {
		return nil, err
	}

	assumed, err := c.bars.Extents(ctx, symbols...)
	if err != nil {
		return nil, err
	}

	hull := map[domain.SeriesKey]domain.Range{} // from the first claim to the last
	for _, e := range claimed {
		h, claimedBefore := hull[e.Key]
		if !claimedBefore {
			h = e.Range
		}
		h.End = e.Range.End
		hull[e.Key] = h
	}

	for _, e := range assumed {
		for _, r := range e.Range.Subtract([]domain.Range{hull[e.Key]}) {
			claimed = append(claimed, domain.Extent{Key: e.Key, Range: r, Inferred: e.Inferred})
		}
	}

	return domain.MergeExtents(claimed), nil
}
