package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	const op = "read extents"
	held, err := s.held(ctx, symbols, true)
	if err != nil {
		return nil, translate(ctx, op, "", err)
	}

	extents := make([]domain.Extent, 0, len(held))
	for _, h := range held {
		key, err := parseKey(h.Symbol, h.Grid, h.Kind)
		if err != nil {
			return nil, translate(ctx, op, h.Symbol, unreadable(err))
		}

		extents = append(extents, domain.Extent{Key: key, Range: microRange(h.RangeStart, h.RangeEnd)})
	}

	return domain.MergeExtents(extents), nil // it orders them; they were merged when they were written
}

// TickExtents implements ports.TickCoverageReader.
func (s *Store) TickExtents(ctx context.Context, symbols ...domain.Symbol) ([]domain.TickExtent, error) {
	const op = "read tick extents"
	held, err := s.held(ctx, symbols, false)
	if err != nil {
		return nil, translate(ctx, op, "", err)
	}

	extents := make([]domain.TickExtent, 0, len(held))
	for _, h := range held {
		e := domain.TickExtent{Symbol: domain.Symbol(h.Symbol), Kind: domain.TickKind(h.Kind), Range: microRange(h.RangeStart, h.RangeEnd)}
		if e.Symbol.Validate() != nil || e.Kind != domain.TickTrades && e.Kind != domain.TickQuotes {
			return nil, translate(ctx, op, h.Symbol, unreadable(fmt.Errorf("extent of %q %q", h.Symbol, h.Kind)))
		}

		extents = append(extents, e)
	}

	return extents, nil // ordered by the statement, merged when they were written
}

// heldRow is an extent with what it is of.
type heldRow struct {
	Symbol, Grid, Kind   string
	RangeStart, RangeEnd int64
}

// into returns where the columns of selectHeld are scanned to.
func (r *heldRow) into() []any {
	return []any{&r.Symbol, &r.Grid, &r.Kind, &r.RangeStart, &r.RangeEnd}
}

// held reads the extents of the symbols, or of all where none is given: those of bars, or those of ticks.
func (s *Store) held(ctx context.Context, symbols []domain.Symbol, bars bool) ([]heldRow, error) {
	wanted := validSymbols(symbols)
	if len(symbols) > 0 && len(wanted) == 0 {
		return nil, ctx.Err()
	}

	text, args := selectHeld(wanted, bars)
	held, err := queryAll(ctx, s.read, (*heldRow).into, text, args...)
	if err != nil {
		return nil, inPhase(ports.PhaseQuery, err)
	}

	return held, nil
}

// claim adds r to the extents of the series.
func claim(ctx context.Context, tx *sql.Tx, series int64, r domain.Range) error {
	return changeExtents(ctx, tx, series, r, func(held []domain.Range) []domain.Range {
		return domain.MergeRanges(append(held, r))
	})
}

// unclaim takes r out of the extents of the series.
func unclaim(ctx context.Context, tx *sql.Tx, series int64, r domain.Range) error {
	return changeExtents(ctx, tx, series, r, func(held []domain.Range) []domain.Range {
		var left []domain.Range
		for _, h := range held {
			left = append(left, h.Subtract([]domain.Range{r})...)
		}
		return left
	})
}

// changeExtents puts what change makes of the extents around r in their place. Where that is the same, nothing is written.
func changeExtents(ctx context.Context, tx *sql.Tx, series int64, r domain.Range, change func([]domain.Range) []domain.Range) error {
	if r.Empty() {
		return nil
	}

	start, end := r.Micros()
	rows, err := queryAll(ctx, tx, (*extentRow).into, selectExtents, series, start, end)
	if err != nil {
		return err
	}

	held := make([]domain.Range, 0, len(rows)+1)
	for _, row := range rows {
		held = append(held, microRange(row.Start, row.End))
	}

	changed := change(slices.Clip(held))
	if slices.EqualFunc(held, changed, domain.Range.Equal) {
		return nil
	}

	if _, err := tx.ExecContext(ctx, deleteExtents, series, start, end); err != nil {
		return err
	}
	for _, c := range changed {
		from, to := c.Micros()
		if _, err := tx.ExecContext(ctx, insertExtent, series, from, to); err != nil {
			return err
		}
	}

	return nil
}

func microRange(start, end int64) domain.Range {
	return domain.Range{Start: time.UnixMicro(start).UTC(), End: time.UnixMicro(end).UTC()}
}

func parseKey(symbol, grid, kind string) (domain.SeriesKey, error) {
	g, err := domain.ParseGrid(grid)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	k, err := domain.ParsePriceType(kind)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	return domain.NewSeriesKey(domain.Symbol(symbol), g, k)
}
