package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.TradeAggregator = (*Store)(nil)

const opAggregate = "aggregate trades"

// maxEdges is the largest number of edges of calendar bars that are bound without reading the bounds of the trades
// first. It is 270 years of days.
const maxEdges = 100_000

// AggregateTrades implements ports.TradeAggregator. The server aggregates, in one statement that sees the tables as
// they were when it began; sums are NUMERIC and therefore exact. A range of more than maxEdges days, weeks or months is
// first reduced to the bounds of its trades: trades that are written outside of them between the two statements are
// left out.
func (s *Store) AggregateTrades(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) ports.Sequence[domain.Series] {
	invalid := key.Validate()
	if invalid == nil && key.PriceType != domain.PriceTrade {
		invalid = fmt.Errorf("price type %s: only trade bars are aggregated from trades: %w",
			key.PriceType, domain.ErrInvalid)
	}
	var used atomic.Bool

	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		read := streamedRead{op: opAggregate, subject: key.String(), refusal: invalid}
		if used.Swap(true) {
			read.refusal = errReused
		}
		if read.refusal == nil {
			read.sql, read.args, read.refusal = s.aggregateStatement(ctx, key, key.Grid.Align(r))
		}

		d := &aggregateDecoder{barDecoder{key: key, capacity: pieceBars}}
		for piece, err := range streamRows(ctx, s, read, d) {
			if !yield(piece, err) {
				return
			}
		}
	})
}

// aggregateStatement returns the statement and the arguments for the bars of a range that begins and ends on edges of
// the grid.
func (s *Store) aggregateStatement(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (sql string, args []any, err error) {
	args = []any{string(key.Symbol), r.Start, r.End}
	if step, ok := fixedStep(key.Grid); ok {
		interval := pgtype.Interval{Microseconds: step.Microseconds(), Valid: true}
		return aggregateFixed, append(args, interval, r.Start), nil
	}

	if key.Grid.Slots(r) > maxEdges {
		bounds, err := s.tradeBounds(ctx, args)
		if err != nil {
			return "", nil, err
		}

		r = r.Intersect(bounds)
	}

	var edges []time.Time
	if !r.Empty() {
		for edge := key.Grid.Floor(r.Start); edge.Before(r.End); edge = key.Grid.Next(edge) {
			edges = append(edges, edge)
		}
	}

	if len(edges) > 0 {
		args[1], args[2] = edges[0], key.Grid.Next(edges[len(edges)-1])
	} else {
		args[2] = args[1]
	}

	return aggregateCalendar, append(args, edges), nil
}

// fixedStep returns the length of the grid's bars; ok is false if they differ in length, as days with daylight saving
// time and months do.
func fixedStep(g domain.Grid) (step time.Duration, ok bool) {
	switch unit := g.Frequency().Unit(); {
	case unit == domain.Month, g.Zone() != "" && (unit == domain.Day || unit == domain.Week):
		return 0, false
	}

	return g.Frequency().Nominal(), true
}

// tradeBounds returns the range from the first trade to the microsecond after the last, or an empty range if there is
// none. args are the symbol and the range to search.
func (s *Store) tradeBounds(ctx context.Context, args []any) (bounds domain.Range, err error) {
	err = s.query(ctx, selectTradeBounds, args, func(rows pgx.Rows) error {
		for rows.Next() {
			var first, last *time.Time
			if err := rows.Scan(&first, &last); err != nil {
				return err
			}

			if first != nil && last != nil {
				bounds = domain.Range{Start: first.UTC(), End: last.UTC().Add(time.Microsecond)}
			}
		}

		return rows.Err()
	})

	return bounds, err
}

// aggregateDecoder decodes bars, each followed by the number of its trades that no domain.Trade can represent.
type aggregateDecoder struct{ barDecoder }

var aggregateTypes = slices.Concat(barTypes[:], []uint32{pgtype.Int8OID})

func (d *aggregateDecoder) columns() []uint32 { return aggregateTypes }

func (d *aggregateDecoder) add(row [][]byte) error {
	bar, count := row[:len(barTypes)], row[len(barTypes)]
	invalid, err := decodeInt64(count)
	if err != nil {
		return err
	}
	if invalid > 0 {
		open, err := decodeTime(bar[0])
		if err != nil {
			return err
		}

		return &domain.RuleError{Rule: domain.RuleNotFinite, Key: d.key, At: open.Time(),
			Detail: fmt.Sprintf("%d trades of the bar are invalid", invalid)}
	}

	return d.barDecoder.add(bar)
}
