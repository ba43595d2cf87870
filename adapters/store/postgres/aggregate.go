package postgres

import (
	"context"
	"fmt"
	"slices"
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

// AggregateTrades implements ports.TradeAggregator. The server aggregates; sums are NUMERIC and therefore exact. A
// range of more than maxEdges days, weeks or months is first reduced to the bounds of its trades, in the same snapshot.
func (s *Store) AggregateTrades(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) ports.Sequence[domain.Series] {
	read := seriesRead{op: opAggregate, subject: key.String(), refusal: key.Validate(), optional: tradeSchema.table.name}
	if read.refusal == nil && key.PriceType != domain.PriceTrade {
		read.refusal = fmt.Errorf("price type %s: only trade bars are aggregated from trades: %w",
			key.PriceType, domain.ErrInvalid)
	}
	if read.refusal == nil {
		r = key.Grid.Align(r)
		read.state = tickState(ports.TickQuery{Symbol: key.Symbol, Range: r}, domain.TickTrades)
		step, isFixed := fixedStep(key.Grid)
		switch {
		case isFixed:
			interval := pgtype.Interval{Microseconds: step.Microseconds(), Valid: true}
			read.rows = statement{sql: aggregateFixed, args: []any{string(key.Symbol), r.Start, r.End, interval, r.Start}}
		case key.Grid.Slots(r) <= maxEdges:
			read.rows = aggregateEdges(key, r)
		default:
			read.prepare = func(ctx context.Context, db session) (statement, error) {
				bounds, err := tradeBounds(ctx, db, key.Symbol, r)
				return aggregateEdges(key, r.Intersect(bounds)), err
			}
		}
	}

	return readSeries(ctx, s, read, &aggregateDecoder{barDecoder{key: key, capacity: pieceBars}})
}

// aggregateEdges returns the statement for the calendar bars that overlap r.
func aggregateEdges(key domain.SeriesKey, r domain.Range) statement {
	var edges []time.Time
	start, end := r.Start, r.Start
	if !r.Empty() {
		for edge := key.Grid.Floor(r.Start); edge.Before(r.End); edge = key.Grid.Next(edge) {
			edges = append(edges, edge)
		}
		start, end = edges[0], key.Grid.Next(edges[len(edges)-1])
	}

	return statement{sql: aggregateCalendar, args: []any{string(key.Symbol), start, end, edges}}
}

// fixedStep returns the length of the grid's bars; ok is false if they differ in length, as days with daylight saving
// time and months do.
func fixedStep(g domain.Grid) (step time.Duration, ok bool) {
	switch unit := g.Frequency().Unit(); {
	case unit == domain.UnitMonth, g.Zone() != "" && (unit == domain.UnitDay || unit == domain.UnitWeek):
		return 0, false
	}

	return g.Frequency().Nominal(), true
}

// tradeBounds begins a snapshot. It returns the range from the first trade in r to the microsecond after the last, or
// an empty range if there is none.
func tradeBounds(
	ctx context.Context, db session, symbol domain.Symbol, r domain.Range,
) (bounds domain.Range, err error) {
	q := statement{sql: selectTradeBounds, args: []any{string(symbol), r.Start, r.End}}
	err = db.pipeline(ctx, stepOf(beginSnapshot), step{q, func(rows pgx.Rows) error {
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
	}})

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
