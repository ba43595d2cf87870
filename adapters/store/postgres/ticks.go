package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickForm is how ticks of one kind are kept and coded.
type tickSchema[T domain.Tick] struct {
	kind   domain.TickKind
	table  *table
	types  []uint32 // of the columns, in the order of decode and append
	decode func(row *tickRow) T
	append func(b []byte, tick T) []byte
}

var (
	tradeSchema = &tickSchema[domain.Trade]{
		kind:  domain.TickTrades,
		table: &table{name: "trades", fields: 5, partitionOf: monthOf, tableSQL: tradeSQL},
		types: []uint32{pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.NumericOID, pgtype.NumericOID, pgtype.Int2OID},
		decode: func(r *tickRow) domain.Trade {
			return domain.Trade{Time: r.time, Seq: r.seq, Price: r.decimal(2, "price"), Size: r.decimal(3, "size"), Side: r.side(4)}
		},
		append: func(b []byte, t domain.Trade) []byte {
			b = appendInt64(appendTime(b, t.Time.UnixMicro()), t.Seq)
			return appendInt16(appendDecimal(appendDecimal(b, t.Price), t.Size), int16(t.Side))
		},
	}
	quoteSchema = &tickSchema[domain.Quote]{
		kind:  domain.TickQuotes,
		table: &table{name: "quotes", fields: 6, partitionOf: monthOf, tableSQL: quoteSQL},
		types: []uint32{pgtype.TimestamptzOID, pgtype.Int8OID,
			pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID},
		decode: func(r *tickRow) domain.Quote {
			return domain.Quote{Time: r.time, Seq: r.seq, Bid: r.decimal(2, "bid"), Ask: r.decimal(3, "ask"),
				BidSize: r.decimal(4, "bid size"), AskSize: r.decimal(5, "ask size")}
		},
		append: func(b []byte, q domain.Quote) []byte {
			b = appendInt64(appendTime(b, q.Time.UnixMicro()), q.Seq)
			return appendDecimal(appendDecimal(appendDecimal(appendDecimal(b, q.Bid), q.Ask), q.BidSize), q.AskSize)
		},
	}
)

func monthOf(t time.Time) domain.Range {
	start := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: start, End: start.AddDate(0, 1, 0)}
}

// ReadTrades implements ports.TradeReader, as ReadBars does ports.BarReader.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Trades, error] {
	return readTicks(s, ctx, q, tradeSchema)
}

// ReadQuotes implements ports.QuoteReader, as ReadBars does ports.BarReader.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Quotes, error] {
	return readTicks(s, ctx, q, quoteSchema)
}

// WriteTrades implements ports.TradeWriter.
func (s *Store) WriteTrades(ctx context.Context, trades domain.Trades, claimed domain.Range) (ports.WriteReport, error) {
	return writeTicks(s, ctx, "write", trades, claimed, false, tradeSchema)
}

// ReplaceTrades implements ports.TradeWriter.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(s, ctx, "replace", trades, r, true, tradeSchema)
}

// WriteQuotes implements ports.QuoteWriter.
func (s *Store) WriteQuotes(ctx context.Context, quotes domain.Quotes, claimed domain.Range) (ports.WriteReport, error) {
	return writeTicks(s, ctx, "write", quotes, claimed, false, quoteSchema)
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(s, ctx, "replace", quotes, r, true, quoteSchema)
}

func readTicks[T domain.Tick](s *Store, ctx context.Context, q ports.TickQuery, f *tickSchema[T]) iter.Seq2[domain.Ticks[T], error] {
	sql, args := f.table.selectAll, []any{string(q.Symbol), q.Range.Start, q.Range.End}
	switch {
	case q.First > 0:
		sql, args = f.table.selectFirst, append(args, q.First)
	case q.Last > 0:
		sql, args = f.table.selectLast, append(args, q.Last)
	}

	d := &tickDecoder[T]{tickSchema: f, symbol: q.Symbol, builder: domain.NewTicksBuilder[T](q.Symbol)}
	return streamRows(s, ctx, "read "+string(f.kind), string(q.Symbol), q.Symbol.Validate(), sql, args, d)
}

func writeTicks[T domain.Tick](
	s *Store, ctx context.Context, verb string, ticks domain.Ticks[T], r domain.Range, replace bool, f *tickSchema[T],
) (report ports.WriteReport, err error) {
	op, symbol := verb+" "+string(f.kind), ticks.Symbol()
	began := time.Now()
	if err = symbol.Validate(); err == nil {
		err = checkRange(r, ticks.Len(), ticks.Time)
	}
	if err == nil {
		times := make([]int64, ticks.Len())
		for i := range times {
			times[i] = ticks.Time(i).UnixMicro()
		}
		report, err = s.write(ctx, change{
			table: f.table, symbol: symbol, times: times, r: r, replace: replace, coverage: tickCoverage(symbol, f.kind),
			append: func(b []byte, i int) []byte { return f.append(b, ticks.At(i)) },
		})
	}

	s.logSlow(ctx, op, string(symbol), time.Since(began), ticks.Len())
	return report, translate(ctx, op, string(symbol), err)
}

// pieceTicks is how many trades or quotes a piece has at most.
const pieceTicks = 8192

// tickDecoder turns rows into pieces of Ticks.
type tickDecoder[T domain.Tick] struct {
	*tickSchema[T]
	symbol  domain.Symbol
	builder *domain.TicksBuilder[T]
	last    *tickRow // of the piece before
	row     tickRow
}

func (d *tickDecoder[T]) columns() []uint32 { return d.types }

func (d *tickDecoder[T]) len() int { return d.builder.Len() }

func (d *tickDecoder[T]) add(fields [][]byte) error {
	if d.len() == pieceTicks {
		before := d.row
		d.last = &before
		return errPieceEnds
	}

	d.row = tickRow{fields: fields, symbol: d.symbol}
	d.row.decodeKey()
	tick := d.decode(&d.row)
	if d.row.err != nil {
		return d.row.err
	}

	if d.len() == 0 && d.last != nil { // within a piece, the builder sees to it
		if c := d.row.time.Compare(d.last.time); c < 0 || c == 0 && d.row.seq <= d.last.seq {
			return d.row.ruleError(domain.RuleOutOfOrder, "the store's rows do not ascend")
		}
	}

	return d.builder.Append(tick)
}

func (d *tickDecoder[T]) take() (domain.Ticks[T], error) { return d.builder.Ticks() }

// tickRow reads the fields of a row. It keeps the first error.
type tickRow struct {
	fields [][]byte
	symbol domain.Symbol
	time   time.Time
	seq    int64
	err    error
}

func (r *tickRow) decodeKey() {
	micros, err := decodeTime(r.fields[0])
	r.time = time.UnixMicro(micros).UTC()
	r.keepError(0, "time", err)
	r.seq, err = decodeInt64(r.fields[1])
	r.keepError(1, "seq", err)
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
		r.keepError(i, "side", fmt.Errorf("%w: %d is no side", errInt, int16(n)))
	}
	return domain.Side(n)
}

// keep remembers the first error of the row, as the rule that the field breaks where it breaks one.
func (r *tickRow) keepError(i int, name string, err error) {
	switch {
	case r.err != nil || err == nil:
	case r.fields[i] == nil:
		r.err = r.ruleError(domain.RuleIncomplete, name+": "+errNull.Error())
	case errors.Is(err, errNotFinite), errors.Is(err, errTooManyDigits):
		r.err = r.ruleError(domain.RuleNotFinite, name+": "+err.Error())
	default:
		r.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (r *tickRow) ruleError(rule domain.Rule, detail string) error {
	return &domain.TickError{Rule: rule, Symbol: r.symbol, Time: r.time, Seq: r.seq, Detail: detail}
}
