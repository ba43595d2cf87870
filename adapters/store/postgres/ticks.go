package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickSchema describes how ticks of one kind are stored and encoded.
type tickSchema[T domain.Tick] struct {
	kind      domain.TickKind
	table     *table
	types     []uint32 // of the columns, in the order of decode and appendRow
	decode    func(symbol domain.Symbol, fields [][]byte) (T, error)
	appendRow func(b []byte, tick T) []byte // appends a tick as fields of COPY
}

var (
	tradeSchema = &tickSchema[domain.Trade]{
		kind:  domain.TickTrades,
		table: &table{name: "trades", fields: 5, partitionOf: monthOf, sql: tradeSQL},
		types: []uint32{
			pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.NumericOID, pgtype.NumericOID, pgtype.Int2OID,
		},
		decode: func(symbol domain.Symbol, fields [][]byte) (domain.Trade, error) {
			r := newTickRow(symbol, fields)
			trade := domain.Trade{
				Time: r.time, Seq: r.seq, Price: r.decimal(2, "price"), Size: r.decimal(3, "size"), Side: r.side(4),
			}

			return trade, r.err
		},
		appendRow: func(b []byte, t domain.Trade) []byte {
			b = appendInt64(appendTime(b, domain.MicrosFloor(t.Time)), t.Seq)
			return appendInt16(appendDecimal(appendDecimal(b, t.Price), t.Size), int16(t.Side))
		},
	}

	quoteSchema = &tickSchema[domain.Quote]{
		kind:  domain.TickQuotes,
		table: &table{name: "quotes", fields: 6, partitionOf: monthOf, sql: quoteSQL},
		types: []uint32{
			pgtype.TimestamptzOID, pgtype.Int8OID,
			pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID,
		},
		decode: func(symbol domain.Symbol, fields [][]byte) (domain.Quote, error) {
			r := newTickRow(symbol, fields)
			quote := domain.Quote{
				Time: r.time, Seq: r.seq, Bid: r.decimal(2, "bid"), Ask: r.decimal(3, "ask"),
				BidSize: r.decimal(4, "bid size"), AskSize: r.decimal(5, "ask size"),
			}

			return quote, r.err
		},
		appendRow: func(b []byte, q domain.Quote) []byte {
			b = appendInt64(appendTime(b, domain.MicrosFloor(q.Time)), q.Seq)
			return appendDecimal(appendDecimal(appendDecimal(appendDecimal(b, q.Bid), q.Ask), q.BidSize), q.AskSize)
		},
	}
)

// monthOf returns the UTC month that contains t.
func monthOf(t time.Time) domain.Range {
	start := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: start, End: start.AddDate(0, 1, 0)}
}

// ReadTrades implements ports.TradeReader. It uses a statement and a connection as ReadBars does.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return readTicks(ctx, s, q, tradeSchema)
}

// ReadQuotes implements ports.QuoteReader. It uses a statement and a connection as ReadBars does.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Quotes] {
	return readTicks(ctx, s, q, quoteSchema)
}

// WriteTrades implements ports.TradeWriter.
func (s *Store) WriteTrades(
	ctx context.Context, trades domain.Trades, covered domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return tradeSchema.write(ctx, s, trades, covered, onConflict)
}

// ReplaceTrades implements ports.TradeWriter.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return tradeSchema.replace(ctx, s, trades, r)
}

// DeleteTrades implements ports.TradeWriter.
func (s *Store) DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return tradeSchema.delete(ctx, s, symbol, r)
}

// WriteQuotes implements ports.QuoteWriter.
func (s *Store) WriteQuotes(
	ctx context.Context, quotes domain.Quotes, covered domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return quoteSchema.write(ctx, s, quotes, covered, onConflict)
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return quoteSchema.replace(ctx, s, quotes, r)
}

// DeleteQuotes implements ports.QuoteWriter.
func (s *Store) DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return quoteSchema.delete(ctx, s, symbol, r)
}

func readTicks[T domain.Tick](
	ctx context.Context, s *Store, q ports.TickQuery, schema *tickSchema[T],
) ports.Sequence[domain.Ticks[T]] {
	sql, args := schema.table.sql.selectAll, []any{string(q.Symbol), q.Range.Start, q.Range.End}
	switch {
	case q.First > 0:
		sql, args = schema.table.sql.selectFirst, append(args, q.First)
	case q.Last > 0:
		sql, args = schema.table.sql.selectLast, append(args, q.Last)
	}

	r := seriesRead{
		op: "read " + string(schema.kind), subject: string(q.Symbol), refusal: q.Symbol.Validate(),
		optional: schema.table.name, rows: statement{sql: sql, args: args}, state: tickState(q, schema.kind),
	}
	d := &tickDecoder[T]{schema: schema, symbol: q.Symbol, builder: domain.NewTicksBuilder[T](q.Symbol)}

	return readSeries(ctx, s, r, d)
}

func tickState(q ports.TickQuery, kind domain.TickKind) stateQuery {
	return stateQuery{tickSeries(q.Symbol, kind), domain.TickBlocks(), q.Range, q.First, q.Last, q.State}
}

func (ts *tickSchema[T]) write(
	ctx context.Context, s *Store, ticks domain.Ticks[T], r domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	c := ts.change("write ", ticks, r)
	if c.onConflict, c.err = onConflict, onConflict.Validate(); c.err == nil {
		c.err = validateTicks(ticks, r)
	}
	s.write(ctx, []*change{c})

	return c.result(ctx)
}

func (ts *tickSchema[T]) replace(
	ctx context.Context, s *Store, ticks domain.Ticks[T], r domain.Range,
) (ports.WriteReport, error) {
	err := ports.ErrNothingToReplace
	if ticks.Len() > 0 {
		err = validateTicks(ticks, r)
	}

	return s.replace(ctx, ts.change("replace ", ticks, r), err)
}

func (ts *tickSchema[T]) delete(
	ctx context.Context, s *Store, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	ticks, err := domain.NewTicks[T](symbol)
	if err == nil {
		err = validateTicks(ticks, r)
	}

	return s.replace(ctx, ts.change("delete ", ticks, r), err)
}

// validateTicks refuses an invalid symbol, and ticks outside r.
func validateTicks[T domain.Tick](ticks domain.Ticks[T], r domain.Range) error {
	if err := ticks.Symbol().Validate(); err != nil {
		return err
	}
	return validateRange(r, ticks.Len(), ticks.Time)
}

// change returns a change that writes ticks over those that are stored.
func (ts *tickSchema[T]) change(verb string, ticks domain.Ticks[T], r domain.Range) *change {
	return &change{
		record: record{
			op: verb + string(ts.kind), names: tickSeries(ticks.Symbol(), ts.kind), layout: domain.TickBlocks(), r: r,
		},
		subject: string(ticks.Symbol()), table: ts.table,
		rows: ticks.Len(), onConflict: ports.ConflictReplace,
		key:       func(i int) rowKey { return rowKey{ticks.Time(i).UnixMicro(), ticks.Seq(i)} },
		appendRow: func(b []byte, i int) []byte { return ts.appendRow(b, ticks.At(i)) },
	}
}

// pieceTicks is the largest number of trades or quotes in a piece of a result.
const pieceTicks = 8192

// tickDecoder decodes rows into pieces of Ticks.
type tickDecoder[T domain.Tick] struct {
	schema   *tickSchema[T]
	symbol   domain.Symbol
	builder  *domain.TicksBuilder[T] // the current piece
	previous *rowKey                 // of the last tick of the previous piece; nil before the second piece
}

func (d *tickDecoder[T]) columns() []uint32 { return d.schema.types }

func (d *tickDecoder[T]) len() int { return d.builder.Len() }

func (d *tickDecoder[T]) empty() domain.Ticks[T] {
	ticks, _ := domain.NewTicks[T](d.symbol) // the symbol was validated
	return ticks
}

func (d *tickDecoder[T]) add(fields [][]byte) error {
	if d.len() == pieceTicks {
		return errPieceEnds
	}

	tick, err := d.schema.decode(d.symbol, fields)
	if err != nil {
		return err
	}

	return d.builder.Append(tick)
}

// take returns the current piece and begins an empty one. Ticks that do not ascend from piece to piece are a
// *domain.TickError; within a piece, the builder checks it.
func (d *tickDecoder[T]) take() (domain.Ticks[T], error) {
	piece, err := d.builder.Ticks()
	if err != nil {
		return piece, err
	}

	keyOf := func(i int) rowKey { return rowKey{piece.Time(i).UnixMicro(), piece.Seq(i)} }
	if d.previous != nil && keyOf(0).compare(*d.previous) <= 0 {
		return domain.Ticks[T]{}, &domain.TickError{
			Rule: domain.RuleOutOfOrder, Symbol: d.symbol, Time: piece.Time(0), Seq: piece.Seq(0),
			Detail: "rows are not in ascending order",
		}
	}

	last := keyOf(piece.Len() - 1)
	d.previous = &last

	return piece, nil
}

// tickRow decodes the fields of a row and keeps the first error.
type tickRow struct {
	fields [][]byte
	symbol domain.Symbol
	time   time.Time
	seq    int64
	err    error
}

// newTickRow returns a row whose time and sequence number are decoded.
func newTickRow(symbol domain.Symbol, fields [][]byte) tickRow {
	r := tickRow{fields: fields, symbol: symbol}
	t, err := decodeTime(fields[0])
	r.time = t.Time()
	r.keepError(0, "time", err)
	r.seq, err = decodeInt64(fields[1])
	r.keepError(1, "seq", err)

	return r
}

func (r *tickRow) decimal(i int, name string) domain.Decimal {
	d, err := decodeDecimal(r.fields[i])
	r.keepError(i, name, err)
	return d
}

func (r *tickRow) side(i int) domain.Side {
	b := r.fields[i]
	if len(b) != 2 {
		r.keepError(i, "side", errInt)
		return domain.SideUnknown
	}

	n := binary.BigEndian.Uint16(b)
	if n > uint16(domain.SideSell) {
		r.keepError(i, "side", fmt.Errorf("%w: %d is not a side", errInt, int16(n)))
	}

	return domain.Side(n)
}

// keepError records the first error of the row: the rule that the value of the field breaks, or err if the bytes are
// not a value of the field's type.
func (r *tickRow) keepError(i int, name string, err error) {
	if r.err != nil || err == nil {
		return
	}
	if rule, detail := brokenRule(r.fields[i], name, err); rule != "" {
		r.err = r.ruleError(rule, detail)
	} else {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (r *tickRow) ruleError(rule domain.Rule, detail string) error {
	return &domain.TickError{Rule: rule, Symbol: r.symbol, Time: r.time, Seq: r.seq, Detail: detail}
}
