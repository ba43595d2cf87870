package postgres

import (
	"context"
	"fmt"
	"iter"
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

// maxEdges is how many edges of calendar bars are bound without asking first where trades are: those of days for 270 years.
const maxEdges = 100_000

// AggregateTrades implements ports.TradeAggregator. The server does the work, in one statement, as a read is; sums are NUMERIC, and
// exact. Over more than maxEdges days, weeks or months it asks first where trades are, and leaves out those that came outside of that
// between the two statements.
func (s *Store) AggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range) iter.Seq2[domain.Series, error] {
	refusal := key.Validate()
	if refusal == nil && key.PriceType != domain.PriceTrade {
		refusal = fmt.Errorf("bars of the %s price are not made of trades: %w", key.PriceType, domain.ErrInvalid)
	}
	var used atomic.Bool

	return func(yield func(domain.Series, error) bool) {
		refusal := refusal
		if used.Swap(true) {
			refusal = errReused
		}
		sql, args := aggregateFixed, []any(nil)
		if refusal == nil {
			sql, args, refusal = s.aggregateStatement(ctx, key, key.Grid.Align(r))
		}
		d := &aggregateDecoder{barDecoder{key: key, capacity: pieceBars}}
		for piece, err := range streamRows(s, ctx, opAggregate, key.String(), refusal, sql, args, d) {
			if !yield(piece, err) {
				return
			}
		}
	}
}

// aggregation is the statement for the bars of a range that begins and ends on edges.
func (s *Store) aggregateStatement(ctx context.Context, key domain.SeriesKey, r domain.Range) (sql string, args []any, err error) {
	args = []any{string(key.Symbol), r.Start, r.End}
	if step, ok := fixedStep(key.Grid); ok {
		return aggregateFixed, append(args, pgtype.Interval{Microseconds: step.Microseconds(), Valid: true}, r.Start), nil
	}

	if key.Grid.Slots(r) > maxEdges {
		held, err := s.tradeBounds(ctx, args)
		if err != nil {
			return "", nil, err
		}

		r = r.Intersect(held)
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

// fixedLength is how long every bar of the grid is, where all are of one length.
func fixedStep(g domain.Grid) (time.Duration, bool) {
	switch unit := g.Frequency().Unit(); {
	case unit == domain.Month, g.Zone() != "" && (unit == domain.Day || unit == domain.Week):
		return 0, false
	}
	return g.Frequency().Nominal(), true
}

// tradesWithin is from the first of the trades to after the last.
func (s *Store) tradeBounds(ctx context.Context, args []any) (held domain.Range, err error) {
	err = s.query(ctx, selectTradeBounds, args, func(rows pgx.Rows) error {
		for rows.Next() {
			var first, last *time.Time
			if err := rows.Scan(&first, &last); err != nil {
				return err
			}

			if first != nil && last != nil {
				held = domain.Range{Start: first.UTC(), End: last.UTC().Add(time.Microsecond)}
			}
		}
		return rows.Err()
	})
	return held, err
}

// aggregateDecoder turns rows of bars, each with the number of its trades that are none, into pieces of a Series.
type aggregateDecoder struct{ barDecoder }

var aggregateTypes = slices.Concat(barTypes[:], []uint32{pgtype.Int8OID})

func (d *aggregateDecoder) columns() []uint32 { return aggregateTypes }

func (d *aggregateDecoder) add(row [][]byte) error {
	bar, count := row[:len(barTypes)], row[len(barTypes)]
	broken, err := decodeInt64(count)
	if err != nil {
		return err
	}
	if broken > 0 {
		at, err := decodeTime(bar[0])
		if err != nil {
			return err
		}

		return &domain.RuleError{Rule: domain.RuleNotFinite, Key: d.key, At: time.UnixMicro(at).UTC(),
			Detail: fmt.Sprintf("%d of the bar's trades are none", broken)}
	}

	return d.barDecoder.add(bar)
}
