package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickTable maps the ticks of one kind to the rows of their table: series, time and seq, followed by the columns of the
// kind.
type tickTable[T domain.Tick] struct {
	sql        tickSQL
	kind       domain.TickKind
	key        func(tick T) tickKey
	appendArgs func(args []any, tick T) []any // the values of the columns of the kind
	fromRow    func(r *tickRow) T
	equal      func(a, b T) bool
}

// tickKey identifies a tick of a series and determines its order.
type tickKey struct {
	micros domain.Micros
	seq    int64
}

func (k tickKey) isBefore(o tickKey) bool {
	return k.micros < o.micros || k.micros == o.micros && k.seq < o.seq
}

var (
	tradeTable = &tickTable[domain.Trade]{
		sql:  tradeSQL,
		kind: domain.TickTrades,
		key:  func(t domain.Trade) tickKey { return tickKey{domain.MicrosFloor(t.Time), t.Seq} },
		appendArgs: func(args []any, t domain.Trade) []any {
			return append(args, t.Price.String(), t.Size.String(), int64(t.Side))
		},
		fromRow: func(r *tickRow) domain.Trade {
			return domain.Trade{
				Time: r.time, Seq: r.seq, Price: r.decimal(2, "price"), Size: r.decimal(3, "size"), Side: r.side(4),
			}
		},
		equal: domain.Trade.Equal,
	}
	quoteTable = &tickTable[domain.Quote]{
		sql:  quoteSQL,
		kind: domain.TickQuotes,
		key:  func(q domain.Quote) tickKey { return tickKey{domain.MicrosFloor(q.Time), q.Seq} },
		appendArgs: func(args []any, q domain.Quote) []any {
			return append(args, q.Bid.String(), q.Ask.String(), q.BidSize.String(), q.AskSize.String())
		},
		fromRow: func(r *tickRow) domain.Quote {
			return domain.Quote{
				Time: r.time, Seq: r.seq, Bid: r.decimal(2, "bid"), Ask: r.decimal(3, "ask"),
				BidSize: r.decimal(4, "bid size"), AskSize: r.decimal(5, "ask size"),
			}
		},
		equal: domain.Quote.Equal,
	}
)

// ReadTrades implements ports.TradeReader. The sequence is one snapshot of the store, like that of ReadBars.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return readTicks(ctx, s, q, tradeTable)
}

// ReadQuotes implements ports.QuoteReader. The sequence is one snapshot of the store, like that of ReadBars.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Quotes] {
	return readTicks(ctx, s, q, quoteTable)
}

// WriteTrades implements ports.TradeWriter.
func (s *Store) WriteTrades(
	ctx context.Context, trades domain.Trades, covered domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return tradeTable.write(ctx, s, trades, covered, onConflict)
}

// ReplaceTrades implements ports.TradeWriter.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return tradeTable.replace(ctx, s, trades, r)
}

// DeleteTrades implements ports.TradeWriter.
func (s *Store) DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return tradeTable.delete(ctx, s, symbol, r)
}

// WriteQuotes implements ports.QuoteWriter.
func (s *Store) WriteQuotes(
	ctx context.Context, quotes domain.Quotes, covered domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return quoteTable.write(ctx, s, quotes, covered, onConflict)
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return quoteTable.replace(ctx, s, quotes, r)
}

// DeleteQuotes implements ports.QuoteWriter.
func (s *Store) DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return quoteTable.delete(ctx, s, symbol, r)
}

// batchTicks is the number of ticks that a read yields at a time: large enough that the overhead of a batch is
// negligible, small enough that a caller can keep batches of many reads in memory.
const batchTicks = 4096

func readTicks[T domain.Tick](
	ctx context.Context, s *Store, q ports.TickQuery, t *tickTable[T],
) ports.Sequence[domain.Ticks[T]] {
	op := "read " + string(t.kind)
	return singleUse(ctx, op, string(q.Symbol), func(yield func(ports.Piece[domain.Ticks[T]]) bool) error {
		empty, err := domain.NewTicks[T](q.Symbol)
		if err != nil {
			return err
		}

		pieces := statePieces[domain.Ticks[T]]{empty: empty, yield: yield}

		return pieces.read(ctx, s, t.stateQuery(q), func(series storedSeries) error {
			return t.read(ctx, series, q, pieces.put)
		})
	})
}

func (t *tickTable[T]) stateQuery(q ports.TickQuery) stateQuery {
	return stateQuery{newTickSeriesRow(q.Symbol, t.kind), domain.TickBlocks(), q.Range, q.First, q.Last, q.State}
}

// read yields the ticks of a query in batches until yield returns false.
func (t *tickTable[T]) read(
	ctx context.Context, series storedSeries, q ports.TickQuery, yield func(domain.Ticks[T]) bool,
) error {
	rows, err := t.query(ctx, series, q)
	if err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	batch := domain.NewTicksBuilder[T](q.Symbol)
	row := newTickRow(q.Symbol, t.sql.columnCount)
	for rows.Next() {
		if batch.Len() == batchTicks {
			ticks, err := batch.Ticks()
			if err != nil || !yield(ticks) {
				return err
			}
		}
		if err := row.scan(rows); err != nil {
			return withPhase(ports.PhaseRead, err)
		}

		tick := t.fromRow(row)
		if row.err != nil {
			return corruptError(row.err)
		}
		if err := batch.Append(tick); err != nil {
			return corruptError(err)
		}
	}
	if err := rows.Err(); err != nil {
		return withPhase(ports.PhaseRead, err)
	}

	if batch.Len() > 0 {
		ticks, err := batch.Ticks()
		if err != nil || !yield(ticks) {
			return err
		}
	}

	return nil
}

func (t *tickTable[T]) query(ctx context.Context, series storedSeries, q ports.TickQuery) (*sql.Rows, error) {
	start, end := q.Range.Micros()
	if q.Last > 0 {
		return series.QueryContext(ctx, t.sql.selectLast, series.id, start, end, q.Last)
	}

	limit := -1
	if q.First > 0 {
		limit = q.First
	}

	return series.QueryContext(ctx, t.sql.selectRange, series.id, start, end, limit)
}

// validateTicks returns an error for a write that must fail before any I/O.
func validateTicks[T domain.Tick](ticks domain.Ticks[T], r domain.Range) error {
	if err := ticks.Symbol().Validate(); err != nil {
		return err
	}
	return validateRange(r, ticks.Len(), ticks.Time, ticks)
}

func (t *tickTable[T]) write(
	ctx context.Context, s *Store, ticks domain.Ticks[T], covered domain.Range, onConflict ports.ConflictPolicy,
) (report ports.WriteReport, err error) {
	if err = onConflict.Validate(); err == nil {
		err = validateTicks(ticks, covered)
	}
	switch {
	case err != nil:
	case covered.Empty(): // then there are no ticks either
		err = ctx.Err()
	default:
		err = s.transact(ctx, func(tx *sql.Tx) error {
			series, err := ensureSeries(ctx, tx, newTickSeriesRow(ticks.Symbol(), t.kind))
			if err != nil {
				return err
			}

			w := newTickWriter(tx, series, t, onConflict)
			defer w.close()
			if err := w.write(ctx, ticks); err != nil {
				return err
			}
			if w.conflicts.Rows > 0 {
				return &w.conflicts
			}

			report = w.report
			changed, err := declareCoverage(ctx, tx, series, covered)
			if err != nil {
				return err
			}

			return w.blocks.saveVersion(ctx, tx, series, changed, nil)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "write "+string(t.kind), string(ticks.Symbol()), err)
	}

	return report, nil
}

func (t *tickTable[T]) replace(
	ctx context.Context, s *Store, ticks domain.Ticks[T], r domain.Range,
) (ports.WriteReport, error) {
	const verb = "replace "
	if ticks.Len() == 0 {
		err := ports.ErrNothingToReplace
		return ports.WriteReport{}, translate(ctx, verb+string(t.kind), string(ticks.Symbol()), err)
	}

	return t.exchange(ctx, s, verb, ticks, r)
}

func (t *tickTable[T]) delete(
	ctx context.Context, s *Store, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	const verb = "delete "
	ticks, err := domain.NewTicks[T](symbol)
	if err != nil {
		return ports.WriteReport{}, translate(ctx, verb+string(t.kind), string(symbol), err)
	}

	return t.exchange(ctx, s, verb, ticks, r)
}

// exchange puts the ticks in the place of those of r. Without ticks, r is uncovered.
func (t *tickTable[T]) exchange(
	ctx context.Context, s *Store, verb string, ticks domain.Ticks[T], r domain.Range,
) (report ports.WriteReport, err error) {
	if err = validateTicks(ticks, r); err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			series, err := seriesToReplace(ctx, tx, newTickSeriesRow(ticks.Symbol(), t.kind), ticks.Len())
			if err != nil || series == 0 {
				return err
			}

			w := newTickWriter(tx, series, t, ports.ConflictReplace)
			defer w.close()
			if err := w.replace(ctx, ticks, r); err != nil {
				return err
			}

			report = w.report
			changed, err := replaceCoverage(ctx, tx, series, r, ticks.Len())
			if err != nil {
				return err
			}

			return w.blocks.saveVersion(ctx, tx, series, changed, nil)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, verb+string(t.kind), string(ticks.Symbol()), err)
	}

	return report, nil
}

// tickWriter writes ticks of one series in one transaction, and counts the changes.
type tickWriter[T domain.Tick] struct {
	table      *tickTable[T]
	statements preparedStatements
	series     int64
	onConflict ports.ConflictPolicy
	conflicts  ports.ConflictError
	report     ports.WriteReport
	blocks     blockChanges
	args       []any // scratch
}

func newTickWriter[T domain.Tick](
	tx *sql.Tx, series int64, t *tickTable[T], onConflict ports.ConflictPolicy,
) *tickWriter[T] {
	return &tickWriter[T]{
		table: t, statements: preparedStatements{tx: tx}, series: series, onConflict: onConflict,
		blocks: newBlockChanges(domain.TickBlocks()),
	}
}

func (w *tickWriter[T]) close() { w.statements.close() }

// replace replaces all ticks in r by the given ones.
func (w *tickWriter[T]) replace(ctx context.Context, ticks domain.Ticks[T], r domain.Range) error {
	others, err := w.otherKeys(ctx, ticks, r)
	if err != nil {
		return err
	}

	for _, k := range others {
		if err := w.statements.exec(ctx, w.table.sql.deleteOne, w.series, k.micros, k.seq); err != nil {
			return err
		}
		w.blocks.add([]int64{int64(k.micros)}, -1)
	}

	w.report.Deleted += len(others)

	return w.write(ctx, ticks)
}

// otherKeys returns the keys of the stored ticks in r that are not among the given ticks.
func (w *tickWriter[T]) otherKeys(ctx context.Context, ticks domain.Ticks[T], r domain.Range) ([]tickKey, error) {
	start, end := r.Micros()
	rows, err := w.statements.tx.QueryContext(ctx, w.table.sql.selectKeys, w.series, start, end)
	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	var (
		others []tickKey
		next   int
	)
	for rows.Next() {
		var k tickKey
		if err := rows.Scan(&k.micros, &k.seq); err != nil {
			return nil, err
		}

		for next < ticks.Len() && w.table.key(ticks.At(next)).isBefore(k) {
			next++
		}
		if next == ticks.Len() || w.table.key(ticks.At(next)) != k {
			others = append(others, k)
		}
	}

	return others, rows.Err()
}

// statementTicks is the maximum number of ticks that one statement selects or writes: large enough that the overhead of
// a statement is negligible.
const statementTicks = 64

// write inserts the ticks.
func (w *tickWriter[T]) write(ctx context.Context, ticks domain.Ticks[T]) error {
	for from := 0; from < ticks.Len(); from += statementTicks {
		if err := w.writeStatement(ctx, ticks.Slice(from, min(from+statementTicks, ticks.Len()))); err != nil {
			return err
		}
	}

	return nil
}

// writeStatement writes at most statementTicks ticks: it selects the stored ticks with the same keys, compares them as
// numbers, and writes those that are new or differ. A stored row that is not a valid tick counts as changed, so that a
// write repairs it.
func (w *tickWriter[T]) writeStatement(ctx context.Context, ticks domain.Ticks[T]) error {
	w.args = append(w.args[:0], w.series)
	for _, tick := range ticks.All() {
		k := w.table.key(tick)
		w.args = append(w.args, int64(k.micros), k.seq)
	}

	text := w.table.sql.selectAt(ticks.Len())
	stmt, err := w.statements.prepare(ctx, text) //nolint:sqlclosecheck // w.close closes it
	if err != nil {
		return err
	}

	rows, err := stmt.QueryContext(ctx, w.args...)
	if err != nil {
		return err
	}

	changed, err := w.compare(rows, ticks)
	if err != nil || len(changed) == 0 {
		return err
	}

	w.args = w.args[:0]
	for _, tick := range changed {
		k := w.table.key(tick)
		w.args = w.table.appendArgs(append(w.args, w.series, int64(k.micros), k.seq), tick)
	}

	return w.statements.exec(ctx, w.table.sql.upsert(len(changed)), w.args...)
}

// compare compares the ticks with the stored rows of the same keys, both ascending. It counts the changes and returns
// the ticks to write.
func (w *tickWriter[T]) compare(rows *sql.Rows, ticks domain.Ticks[T]) (changed []T, err error) {
	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	next := 0
	row := newTickRow(ticks.Symbol(), w.table.sql.columnCount)
	for rows.Next() {
		if err := row.scan(rows); err != nil {
			return nil, err
		}

		stored := w.table.fromRow(row)
		for ; w.table.key(ticks.At(next)).isBefore(w.table.key(stored)); next++ {
			changed = append(changed, w.insert(ticks.At(next)))
		}

		tick := ticks.At(next)
		switch isEqual := row.err == nil && w.table.equal(stored, tick); {
		case isEqual:
			w.report.Unchanged++
		case w.onConflict == ports.ConflictReplace:
			changed = append(changed, tick)
			w.report.Changed++
			w.blocks.add([]int64{int64(w.table.key(tick).micros)}, 0)
		case w.onConflict == ports.ConflictKeep:
			w.report.Kept++
		default:
			w.conflicts.Add(row.time, 1)
		}

		next++
	}

	for ; next < ticks.Len(); next++ {
		changed = append(changed, w.insert(ticks.At(next)))
	}

	return changed, rows.Err()
}

// insert counts a tick that is new, and returns it.
func (w *tickWriter[T]) insert(tick T) T {
	w.report.Inserted++
	w.blocks.add([]int64{int64(w.table.key(tick).micros)}, 1)
	return tick
}

// tickRow reads the columns of one row, whatever their types are. It records the first rule that the row violates. It
// does not validate time and seq, because a TicksBuilder does.
type tickRow struct {
	symbol  domain.Symbol
	columns []any
	targets []any // pointers to columns
	time    time.Time
	seq     int64
	err     error // nil, or a *domain.TickError
}

func newTickRow(symbol domain.Symbol, columnCount int) *tickRow {
	r := &tickRow{symbol: symbol, columns: make([]any, columnCount), targets: make([]any, columnCount)}
	for i := range r.columns {
		r.targets[i] = &r.columns[i]
	}

	return r
}

// scan reads the current row. Time and seq are integers, because the table is STRICT and they are part of its primary
// key.
func (r *tickRow) scan(rows *sql.Rows) error {
	r.err = nil
	if err := rows.Scan(r.targets...); err != nil {
		return err
	}

	micros, _ := r.columns[0].(int64)
	r.time = domain.Micros(micros).Time()
	r.seq, _ = r.columns[1].(int64)

	return nil
}

func (r *tickRow) decimal(column int, name string) (d domain.Decimal) {
	switch v := r.columns[column].(type) {
	case nil:
		r.violate(domain.RuleIncomplete, name+" is NULL")
	case string:
		var err error
		if d, err = domain.ParseDecimal(v); err != nil {
			r.violate(domain.RuleNotFinite, name+": "+err.Error())
		}
	default:
		r.violate(domain.RuleNotFinite, name+" is not the text of a number")
	}

	return d
}

func (r *tickRow) side(column int) domain.Side {
	v, ok := r.columns[column].(int64)
	if !ok || v < int64(domain.SideUnknown) || v > int64(domain.SideSell) {
		r.violate(domain.RuleIncomplete, fmt.Sprintf("unknown side %v", r.columns[column]))
		return domain.SideUnknown
	}

	return domain.Side(v)
}

// violate records the violation of a rule unless one is recorded already.
func (r *tickRow) violate(rule domain.Rule, detail string) {
	if r.err == nil {
		r.err = &domain.TickError{Rule: rule, Symbol: r.symbol, Time: r.time, Seq: r.seq, Detail: detail}
	}
}
