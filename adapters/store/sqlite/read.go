package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// pieceBars is how many bars a piece has, but for the last: enough that what a piece costs beyond its bars does not show, small
// enough (some 230 KB) to be held many times over.
const pieceBars = 4096

const opRead = "read bars"

// ReadBars implements ports.BarReader. The whole sequence is one state of the store, whatever is written meanwhile; while it is
// open it keeps SQLite from recycling its log, so do not leave one lying about.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	var used atomic.Bool
	return func(yield func(domain.Series, error) bool) {
		subject := q.Key.String()
		if used.Swap(true) {
			yield(domain.Series{}, translate(ctx, opRead, subject,
				fmt.Errorf("the sequence was ranged over before; call ReadBars again: %w", domain.ErrInvalid)))
			return
		}
		broken := false
		err := s.readBars(ctx, q, func(piece domain.Series) bool {
			broken = !yield(piece, nil)
			return !broken
		})
		if err != nil && !broken {
			yield(domain.Series{}, translate(ctx, opRead, subject, err))
		}
	}
}

func (s *Store) readBars(ctx context.Context, q ports.BarQuery, yield func(domain.Series) bool) error {
	rows, err := s.queryBars(ctx, q)
	if err != nil {
		return inPhase(ports.PhaseQuery, err)
	}
	defer func() { _ = rows.Close() }() // what it could report, Err has
	capacity := int(min(pieceBars, max(0, q.Key.Grid.Slots(q.Range))))
	if limit := max(q.First, q.Last); limit > 0 {
		capacity = min(capacity, limit)
	}
	piece := domain.NewSeriesBuilder(q.Key, capacity)
	flush := func() (more bool, err error) {
		bars, err := piece.Series()
		if err != nil {
			return false, err
		}
		return yield(bars), nil
	}
	var row barRow
	for rows.Next() {
		if piece.Len() == pieceBars {
			if more, err := flush(); err != nil || !more {
				return err
			}
			piece = domain.NewSeriesBuilder(q.Key, capacity)
		}
		if err := row.read(rows); err != nil {
			return inPhase(ports.PhaseRead, err)
		}
		bar, broken, detail := row.bar()
		if broken != "" {
			return corrupt(&domain.RuleError{Rule: broken, Key: q.Key, At: bar.OpenTime, Detail: detail})
		}
		if err := piece.Append(bar); err != nil {
			return corrupt(err)
		}
	}
	if err := rows.Err(); err != nil {
		return inPhase(ports.PhaseRead, err)
	}
	if piece.Len() > 0 {
		if more, err := flush(); err != nil || !more {
			return err
		}
	}
	return ctx.Err() // whoever gave up while he held the last piece hears of it too
}

func (s *Store) queryBars(ctx context.Context, q ports.BarQuery) (*sql.Rows, error) {
	symbol, grid, kind := string(q.Key.Symbol), q.Key.Grid.String(), q.Key.Kind.String()
	start, end := q.Range.Micros()
	if q.Last > 0 {
		return s.lastBars.QueryContext(ctx, symbol, grid, kind, start, end, q.Last, symbol, grid, kind, end)
	}
	limit := -1
	if q.First > 0 {
		limit = q.First
	}
	return s.bars.QueryContext(ctx, symbol, grid, kind, start, end, limit)
}

// barRow is room for the columns of one row, whatever their types are.
type barRow struct {
	columns [7]any // open time, the decimals in the order of domain.Field, trades
	into    [7]any // pointers to them
}

// read takes the columns of the current row.
func (r *barRow) read(rows *sql.Rows) error {
	for i := range r.columns {
		r.into[i] = &r.columns[i]
	}
	return rows.Scan(r.into[:]...)
}

// bar is the row as a bar, or the rule that it breaks. Whether open time and trade count are those of a Series is for whoever builds
// one.
func (r *barRow) bar() (bar domain.Bar, broken domain.Rule, detail string) {
	micros, ok := r.columns[0].(int64)
	if !ok {
		return bar, domain.RuleGrid, "open time is not a count of microseconds"
	}
	bar.OpenTime = time.UnixMicro(micros).UTC()
	for f, d := range [...]*domain.Decimal{&bar.Open, &bar.High, &bar.Low, &bar.Close, &bar.Volume} {
		field := domain.Field(f)
		switch v := r.columns[1+f].(type) {
		case nil:
			return bar, domain.RuleComplete, field.String() + " is NULL"
		case string:
			var err error
			if *d, err = domain.ParseDecimal(v); err != nil {
				return bar, domain.RuleFinite, field.String() + ": " + err.Error()
			}
		default:
			return bar, domain.RuleFinite, field.String() + " is not the text of a number"
		}
	}
	switch v := r.columns[6].(type) {
	case nil:
		return bar, domain.RuleComplete, "trades is NULL"
	case int64:
		bar.Trades = v
	default:
		return bar, domain.RuleTrades, "trades is not a whole number: " + strconv.Quote(fmt.Sprint(v))
	}
	return bar, "", ""
}

// corrupt marks the refusal of what the store holds.
func corrupt(err error) error { return fmt.Errorf("%w: %w", ports.ErrCorruptData, err) }
