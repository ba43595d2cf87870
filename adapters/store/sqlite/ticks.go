package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickTable is how the ticks of one kind lie in their table, a row each: the series, time and seq, and then the kind's own columns.
type tickTable[T domain.Tick] struct {
	tickSQL
	kind   domain.TickKind
	key    func(tick T) tickKey
	append func(args []any, tick T) []any // the kind's own columns
	tick   func(r *tickRow) T
	equal  func(a, b T) bool
}

// tickKey orders and names a tick within its series.
type tickKey struct{ micros, seq int64 }

func (k tickKey) before(o tickKey) bool {
	return k.micros < o.micros || k.micros == o.micros && k.seq < o.seq
}

var (
	tradeTable = &tickTable[domain.Trade]{
		tickSQL: tradeSQL,
		kind:    domain.TickTrades,
		key:     func(t domain.Trade) tickKey { return tickKey{t.Time.UnixMicro(), t.Seq} },
		append: func(args []any, t domain.Trade) []any {
			return append(args, t.Price.String(), t.Size.String(), int64(t.Side))
		},
		tick: func(r *tickRow) domain.Trade {
			return domain.Trade{Time: r.time, Seq: r.seq, Price: r.decimal(2, "price"), Size: r.decimal(3, "size"), Side: r.side(4)}
		},
		equal: domain.Trade.Equal,
	}
	quoteTable = &tickTable[domain.Quote]{
		tickSQL: quoteSQL,
		kind:    domain.TickQuotes,
		key:     func(q domain.Quote) tickKey { return tickKey{q.Time.UnixMicro(), q.Seq} },
		append: func(args []any, q domain.Quote) []any {
			return append(args, q.Bid.String(), q.Ask.String(), q.BidSize.String(), q.AskSize.String())
		},
		tick: func(r *tickRow) domain.Quote {
			return domain.Quote{Time: r.time, Seq: r.seq, Bid: r.decimal(2, "bid"), Ask: r.decimal(3, "ask"),
				BidSize: r.decimal(4, "bid size"), AskSize: r.decimal(5, "ask size")}
		},
		equal: domain.Quote.Equal,
	}
)

// ReadTrades implements ports.TradeReader, as ReadBars does ports.BarReader.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Trades, error] {
	return readTicks(ctx, s, q, tradeTable)
}

// ReadQuotes implements ports.QuoteReader, as ReadBars does ports.BarReader.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Quotes, error] {
	return readTicks(ctx, s, q, quoteTable)
}

// WriteTrades implements ports.TradeWriter.
func (s *Store) WriteTrades(ctx context.Context, trades domain.Trades, claimed domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, s, trades, claimed, tradeTable)
}

// ReplaceTrades implements ports.TradeWriter.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return replaceTicks(ctx, s, trades, r, tradeTable)
}

// WriteQuotes implements ports.QuoteWriter.
func (s *Store) WriteQuotes(ctx context.Context, quotes domain.Quotes, claimed domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, s, quotes, claimed, quoteTable)
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return replaceTicks(ctx, s, quotes, r, quoteTable)
}

// pieceTicks is how many ticks a piece has, but for the last: enough that what a piece costs beyond its ticks does not show, small
// enough to be held many times over.
const pieceTicks = 4096

func readTicks[T domain.Tick](ctx context.Context, s *Store, q ports.TickQuery, t *tickTable[T]) iter.Seq2[domain.Ticks[T], error] {
	return stream(ctx, "read "+string(t.kind), string(q.Symbol), func(yield func(domain.Ticks[T]) bool) error {
		if err := q.Symbol.Validate(); err != nil {
			return err
		}
		return t.read(ctx, s.read, q, yield)
	})
}

func (t *tickTable[T]) read(ctx context.Context, db *sql.DB, q ports.TickQuery, yield func(domain.Ticks[T]) bool) error {
	rows, err := t.query(ctx, db, q)
	if err != nil {
		return inPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // what it could report, Err has
	piece := domain.NewTicksBuilder[T](q.Symbol)
	row := newTickRow(q.Symbol, t.columns)
	for rows.Next() {
		if piece.Len() == pieceTicks {
			ticks, err := piece.Ticks()
			if err != nil || !yield(ticks) {
				return err
			}
		}
		if err := row.read(rows); err != nil {
			return inPhase(ports.PhaseRead, err)
		}

		tick := t.tick(row)
		if row.broken != nil {
			return corrupt(row.broken)
		}
		if err := piece.Append(tick); err != nil {
			return corrupt(err)
		}
	}
	if err := rows.Err(); err != nil {
		return inPhase(ports.PhaseRead, err)
	}

	if piece.Len() > 0 {
		ticks, err := piece.Ticks()
		if err != nil || !yield(ticks) {
			return err
		}
	}

	return ctx.Err() // whoever gave up while he held the last piece hears of it too
}

func (t *tickTable[T]) query(ctx context.Context, db *sql.DB, q ports.TickQuery) (*sql.Rows, error) {
	symbol, kind := string(q.Symbol), string(t.kind)
	start, end := q.Range.Micros()
	if q.Last > 0 {
		return db.QueryContext(ctx, t.selectLast, symbol, kind, start, end, symbol, kind, start, end, q.Last)
	}

	limit := -1
	if q.First > 0 {
		limit = q.First
	}
	return db.QueryContext(ctx, t.selectRange, symbol, kind, start, end, limit)
}

// newTickSeries is the row of the ticks of one kind among the series: without a grid.
func newTickSeries(symbol domain.Symbol, kind domain.TickKind) seriesRow {
	return seriesRow{Symbol: string(symbol), Kind: string(kind)}
}

// checkTicks refuses a write before any I/O.
func checkTicks[T domain.Tick](ticks domain.Ticks[T], r domain.Range) error {
	if err := ticks.Symbol().Validate(); err != nil {
		return err
	}
	return checkWithin(r, ticks.Len(), ticks.Time, ticks)
}

func writeTicks[T domain.Tick](
	ctx context.Context, s *Store, ticks domain.Ticks[T], claimed domain.Range, t *tickTable[T],
) (report ports.WriteReport, err error) {
	err = checkTicks(ticks, claimed)
	switch {
	case err != nil:
	case claimed.Empty(): // then there are no ticks either
		err = ctx.Err()
	default:
		err = s.update(ctx, func(tx *sql.Tx) error {
			series, err := ensureSeries(ctx, tx, newTickSeries(ticks.Symbol(), t.kind))
			if err != nil {
				return err
			}
			if report, err = t.put(ctx, tx, series, ticks, nil); err != nil {
				return err
			}

			return claim(ctx, tx, series, claimed)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "write "+string(t.kind), string(ticks.Symbol()), err)
	}

	return report, nil
}

func replaceTicks[T domain.Tick](
	ctx context.Context, s *Store, ticks domain.Ticks[T], r domain.Range, t *tickTable[T],
) (report ports.WriteReport, err error) {
	if err = checkTicks(ticks, r); err == nil {
		err = s.update(ctx, func(tx *sql.Tx) (err error) {
			report, err = t.replace(ctx, tx, ticks, r)
			return err
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "replace "+string(t.kind), string(ticks.Symbol()), err)
	}

	return report, nil
}

// replace leaves the ticks, and no others, in r, and claims it; or, where there are none, unclaims it.
func (t *tickTable[T]) replace(ctx context.Context, tx *sql.Tx, ticks domain.Ticks[T], r domain.Range) (report ports.WriteReport, err error) {
	series, change, err := seriesToReplace(ctx, tx, newTickSeries(ticks.Symbol(), t.kind), ticks.Len())
	if err != nil || series == 0 {
		return report, err
	}

	others, err := t.keysBeside(ctx, tx, series, ticks, r)
	if err != nil {
		return report, err
	}
	if report, err = t.put(ctx, tx, series, ticks, others); err != nil {
		return report, err
	}

	return report, change(ctx, tx, series, r)
}

// keysBeside is the ticks in r that the store has and ticks has not.
func (t *tickTable[T]) keysBeside(ctx context.Context, tx *sql.Tx, series int64, ticks domain.Ticks[T], r domain.Range) ([]tickKey, error) {
	start, end := r.Micros()
	rows, err := tx.QueryContext(ctx, t.selectKeys, series, start, end)
	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }() // what it could report, Err has
	var (
		others []tickKey
		next   int
	)
	for rows.Next() {
		var k tickKey
		if err := rows.Scan(&k.micros, &k.seq); err != nil {
			return nil, err
		}

		for next < ticks.Len() && t.key(ticks.At(next)).before(k) {
			next++
		}
		if next == ticks.Len() || t.key(ticks.At(next)) != k {
			others = append(others, k)
		}
	}

	return others, rows.Err()
}

// statementTicks is how many ticks one statement looks up or writes: what a statement costs beyond its rows no longer shows.
const statementTicks = 64

// put deletes the others, writes the ticks that the store has not, or has otherwise, and counts them.
func (t *tickTable[T]) put(
	ctx context.Context, tx *sql.Tx, series int64, ticks domain.Ticks[T], others []tickKey,
) (ports.WriteReport, error) {
	u := upserter[T]{tickTable: t, statements: statements{tx: tx}, series: series}
	defer u.close()
	for _, k := range others {
		if err := u.exec(ctx, u.deleteOne, series, k.micros, k.seq); err != nil {
			return ports.WriteReport{}, err
		}
	}

	u.report.Deleted = len(others)
	for from := 0; from < ticks.Len(); from += statementTicks {
		if err := u.put(ctx, ticks.Slice(from, min(from+statementTicks, ticks.Len()))); err != nil {
			return ports.WriteReport{}, err
		}
	}

	return u.report, nil
}

// upserter writes ticks of one series, in one transaction.
type upserter[T domain.Tick] struct {
	*tickTable[T]
	statements
	series int64
	report ports.WriteReport
	args   []any
}

// put looks up what the store has of up to statementTicks ticks, compares as numbers, and writes what is new. Ticks that stand there as
// no Ticks could hold them are changed: writing them heals them.
func (u *upserter[T]) put(ctx context.Context, ticks domain.Ticks[T]) error {
	u.args = append(u.args[:0], u.series)
	for _, tick := range ticks.All() {
		k := u.key(tick)
		u.args = append(u.args, k.micros, k.seq)
	}

	stmt, err := u.prepare(ctx, u.selectAt(ticks.Len())) //nolint:sqlclosecheck // close does it
	if err != nil {
		return err
	}

	rows, err := stmt.QueryContext(ctx, u.args...)
	if err != nil {
		return err
	}

	write, err := u.compare(rows, ticks)
	if err != nil || len(write) == 0 {
		return err
	}

	u.args = u.args[:0]
	for _, tick := range write {
		k := u.key(tick)
		u.args = u.append(append(u.args, u.series, k.micros, k.seq), tick)
	}

	return u.exec(ctx, u.upsert(len(write)), u.args...)
}

// compare counts the ticks against the rows that the store has of them, both ascending, and returns those to be written.
func (u *upserter[T]) compare(rows *sql.Rows, ticks domain.Ticks[T]) (write []T, err error) {
	defer func() { _ = rows.Close() }() // what it could report, Err has
	next := 0
	row := newTickRow(ticks.Symbol(), u.columns)
	for rows.Next() {
		if err := row.read(rows); err != nil {
			return nil, err
		}

		held := u.tick(row)
		for ; u.key(ticks.At(next)).before(u.key(held)); next++ {
			write = append(write, ticks.At(next))
			u.report.Inserted++
		}

		if tick := ticks.At(next); row.broken == nil && u.equal(held, tick) {
			u.report.Unchanged++
		} else {
			write = append(write, tick)
			u.report.Changed++
		}

		next++
	}

	for ; next < ticks.Len(); next++ {
		write = append(write, ticks.At(next))
		u.report.Inserted++
	}
	return write, rows.Err()
}

// tickRow is room for the columns of one row, whatever their types are, and reads them. It keeps the first rule that the row breaks;
// whether time and seq are those of Ticks is for whoever builds them.
type tickRow struct {
	symbol  domain.Symbol
	columns []any
	into    []any // pointers to them
	time    time.Time
	seq     int64
	broken  error // nil, or a *domain.TickError
}

func newTickRow(symbol domain.Symbol, columns int) *tickRow {
	r := &tickRow{symbol: symbol, columns: make([]any, columns), into: make([]any, columns)}
	for i := range r.columns {
		r.into[i] = &r.columns[i]
	}
	return r
}

// read takes the columns of the current row, the key of which STRICT and the primary key vouch for.
func (r *tickRow) read(rows *sql.Rows) error {
	r.broken = nil
	if err := rows.Scan(r.into...); err != nil {
		return err
	}

	micros, _ := r.columns[0].(int64)
	r.time = time.UnixMicro(micros).UTC()
	r.seq, _ = r.columns[1].(int64)
	return nil
}

func (r *tickRow) decimal(column int, name string) (d domain.Decimal) {
	switch v := r.columns[column].(type) {
	case nil:
		r.breaks(domain.RuleIncomplete, name+" is NULL")
	case string:
		var err error
		if d, err = domain.ParseDecimal(v); err != nil {
			r.breaks(domain.RuleNotFinite, name+": "+err.Error())
		}
	default:
		r.breaks(domain.RuleNotFinite, name+" is not the text of a number")
	}
	return d
}

func (r *tickRow) side(column int) domain.Side {
	v, ok := r.columns[column].(int64)
	if !ok || v < int64(domain.SideUnknown) || v > int64(domain.SideSell) {
		r.breaks(domain.RuleIncomplete, fmt.Sprintf("side %v is none", r.columns[column]))
		return domain.SideUnknown
	}

	return domain.Side(v)
}

func (r *tickRow) breaks(rule domain.Rule, detail string) {
	if r.broken == nil {
		r.broken = &domain.TickError{Rule: rule, Symbol: r.symbol, Time: r.time, Seq: r.seq, Detail: detail}
	}
}
