package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

// TickConfig describes a file of trades or quotes. The zero value reads a file that a TickWriter wrote.
type TickConfig struct {
	Name       string        // of the file, for errors
	Symbol     domain.Symbol // of the rows; if empty, the file must name it; if both do, they must agree
	BatchTicks int           // a TickBatch of this size ends before the next time; defaults to file.DefaultBatchTicks
}

// Validate returns all errors of the TickConfig.
func (c TickConfig) Validate() error {
	var errs []error
	if c.Symbol != "" {
		errs = append(errs, c.Symbol.Validate())
	}
	if c.BatchTicks < 0 {
		errs = append(errs, &domain.InvalidError{
			What: "batch", Value: strconv.Itoa(c.BatchTicks), Reason: "give 1 or more",
		})
	}

	return errors.Join(errs...)
}

func (c TickConfig) withDefaults() TickConfig {
	if c.BatchTicks == 0 {
		c.BatchTicks = file.DefaultBatchTicks
	}
	return c
}

// TickBatch is consecutive trades or quotes of a file. Ticks of the same time are in the same batch.
type TickBatch[T domain.Tick] struct {
	Ticks      domain.Ticks[T] // at least one, unless the file declares its coverage
	Range      domain.Range    // as Batch.Range; a tick ends 1 microsecond after its time
	Truncated  int             // times that were finer than a microsecond
	Positional bool            // the file has no seq; ticks are numbered by their positions within their instants
}

// part returns the ticks of r as part i of the batch. Part 0 has the count of the batch.
func (b TickBatch[T]) part(r domain.Range, i int) TickBatch[T] {
	part := TickBatch[T]{Ticks: b.Ticks.Clip(r), Range: r, Positional: b.Positional}
	if i == 0 {
		part.Truncated = b.Truncated
	}

	return part
}

// ReadTrades yields the trades of the Parquet file in r, of size bytes, in batches. The rows must be in order of time
// and, within a time, of sequence number. ReadTrades accepts the variants that ReadBars accepts, and these: without
// seq, a trade is numbered by its position among the rows of its time; times finer than a microsecond are truncated and
// counted; side may be missing, may be null for unknown, and is otherwise as file.ParseSide parses it.
//
// It rejects the errors that ReadBars rejects, and with a *RowError a null in another column, a time and sequence
// number that are not after those of the previous row, a negative sequence number and a negative size.
func ReadTrades(r io.ReaderAt, size int64, cfg TickConfig) iter.Seq2[TickBatch[domain.Trade], error] {
	return readTicks(r, size, cfg, tradeSchema, newTrade)
}

// ReadQuotes yields the quotes of the Parquet file in r, of size bytes, as ReadTrades yields trades.
func ReadQuotes(r io.ReaderAt, size int64, cfg TickConfig) iter.Seq2[TickBatch[domain.Quote], error] {
	return readTicks(r, size, cfg, quoteSchema, newQuote)
}

func readTicks[T domain.Tick](
	r io.ReaderAt, size int64, cfg TickConfig, s schema, newTick tickFunc[T],
) iter.Seq2[TickBatch[T], error] {
	return batches(cfg.Name, &tickReader[T]{in: r, size: size, cfg: cfg.withDefaults(), schema: s, newTick: newTick})
}

// tickFunc returns the tick of a row. decimals are in the order of the schema.
type tickFunc[T domain.Tick] func(at tickPosition, decimals []domain.Decimal, side domain.Side) T

func newTrade(at tickPosition, d []domain.Decimal, side domain.Side) domain.Trade {
	return domain.Trade{Time: at.time(), Seq: at.seq, Price: d[0], Size: d[1], Side: side}
}

func newQuote(at tickPosition, d []domain.Decimal, _ domain.Side) domain.Quote {
	return domain.Quote{Time: at.time(), Seq: at.seq, Bid: d[0], Ask: d[1], BidSize: d[2], AskSize: d[3]}
}

// readRows is the number of rows that a tickReader decodes at a time.
const readRows = 4 << 10

// tickReader reads a file of trades or quotes.
type tickReader[T domain.Tick] struct {
	table   table
	in      io.ReaderAt
	size    int64
	cfg     TickConfig
	schema  schema
	newTick tickFunc[T]
	none    domain.Ticks[T] // of the symbol, without ticks

	rows    tickRows
	index   int              // of the current row in rows
	last    tickPosition     // of the previous row
	scratch []domain.Decimal // the decimals of a row

	declared []domain.Range // the coverage; nil if the file does not declare it
	end      time.Time      // of the previous batch; zero before the first
}

// tickPosition identifies a tick of a symbol and determines its order. The zero value means no tick.
type tickPosition struct {
	micros domain.Micros
	seq    int64
	isSet  bool
}

func (p tickPosition) time() time.Time { return p.micros.Time() }

// tickRows contains decoded rows by column.
type tickRows struct {
	times    []int64
	isFiner  []bool // the time was finer than a microsecond; nil if the file's unit is not finer
	seqs     []int64
	decimals []domain.Column
	scales   []uint8
	sides    []domain.Side
}

func (b *tickReader[T]) open() error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}

	opened, err := openFile(b.in, b.size)
	if err != nil {
		return err
	}
	if err := b.table.init(opened, b.cfg.Name, b.schema); err != nil {
		return err
	}

	b.scratch = make([]domain.Decimal, len(b.schema.decimals))
	if b.cfg.Symbol, err = fileSymbol(opened, b.cfg.Symbol); err != nil {
		return err
	}
	if b.none, err = domain.NewTicks[T](b.cfg.Symbol); err != nil {
		return err
	}

	b.declared, err = fileCoverage(opened, b.table.layout, domain.Grid{})

	return err
}

func (b *tickReader[T]) coverage() ([]domain.Range, covered.Batch[TickBatch[T]]) {
	return b.declared, covered.Batch[TickBatch[T]]{
		Span: func(b TickBatch[T]) domain.Range { return b.Range },
		Rows: func(b TickBatch[T]) int { return b.Ticks.Len() },
		Time: func(b TickBatch[T], i int) time.Time { return b.Ticks.Time(i) },
		Part: TickBatch[T].part,
		None: TickBatch[T]{Ticks: b.none},
	}
}

func (b *tickReader[T]) close() error { return b.table.close() }

// readBatch reads rows until the batch has its size, and all further rows of the same time.
func (b *tickReader[T]) readBatch() (TickBatch[T], int, error) {
	builder := domain.NewTicksBuilder[T](b.cfg.Symbol)
	var batch TickBatch[T]
	for {
		if b.index == len(b.rows.times) {
			if err := b.readRows(); err != nil {
				return batch, 0, err
			}
			if len(b.rows.times) == 0 {
				break
			}
		}
		if builder.Len() >= b.cfg.BatchTicks && domain.Micros(b.rows.times[b.index]) != b.last.micros {
			break
		}

		tick, err := b.currentTick()
		if err == nil {
			err = builder.Append(tick)
		}
		if err != nil {
			return batch, 0, b.table.rowError(b.index, err)
		}

		batch.Positional = b.rows.seqs == nil
		if b.rows.isFiner != nil && b.rows.isFiner[b.index] {
			batch.Truncated++
		}
		b.index++
	}

	var err error
	if batch.Ticks, err = builder.Ticks(); err != nil {
		return batch, 0, err
	}

	batch.Range = batch.Ticks.Range()
	if !b.end.IsZero() {
		batch.Range.Start = b.end
	}
	b.end = batch.Range.End

	return batch, batch.Ticks.Len(), nil
}

// readRows decodes the next rows. It leaves b.rows empty at the end of the file.
func (b *tickReader[T]) readRows() error {
	b.table.advance(len(b.rows.times))
	b.index, b.rows = 0, tickRows{}
	n, err := b.table.nextRows(readRows)
	if err != nil || n == 0 {
		return err
	}

	var rows tickRows
	if b.table.layout.unit.perMicro > 1 {
		rows.isFiner = make([]bool, n)
	}
	if rows.times, err = b.table.readTimes(n, func(i int) { rows.isFiner[i] = true }); err != nil {
		return err
	}
	if rows.seqs, err = b.table.readCounts(n); err != nil {
		return err
	}

	for i := range b.table.decimals {
		decimal, scale, err := b.table.readDecimals(n, i, i+1)
		if err != nil {
			return err
		}

		rows.decimals, rows.scales = append(rows.decimals, decimal[0]), append(rows.scales, scale)
	}
	if rows.sides, err = b.table.readSides(n); err != nil {
		return err
	}

	b.rows = rows

	return nil
}

// currentTick returns the tick of the current row.
func (b *tickReader[T]) currentTick() (tick T, err error) {
	at, err := b.currentPosition()
	if err != nil {
		return tick, err
	}

	for i, c := range b.rows.decimals {
		if b.scratch[i], err = decimalAt(c, b.index, b.rows.scales[i]); err != nil {
			return tick, err
		}
		if d := b.scratch[i]; d.Sign() < 0 && i >= len(b.scratch)-b.schema.sizes {
			return tick, fmt.Errorf("%s: %s is negative", b.schema.decimals[i], d)
		}
	}

	side := domain.SideUnknown
	if b.rows.sides != nil {
		side = b.rows.sides[b.index]
	}
	b.last = at

	return b.newTick(at, b.scratch, side), nil
}

// currentPosition returns the position of the current row, which must be after that of the previous row.
func (b *tickReader[T]) currentPosition() (tickPosition, error) {
	at, last := tickPosition{micros: domain.Micros(b.rows.times[b.index]), isSet: true}, b.last
	switch {
	case b.rows.seqs != nil:
		at.seq = b.rows.seqs[b.index]
	case last.isSet && last.micros == at.micros:
		at.seq = last.seq + 1
	}

	switch {
	case !last.isSet || at.micros > last.micros || at.micros == last.micros && at.seq > last.seq:
		return at, nil
	case at.micros < last.micros:
		return at, fmt.Errorf("%s: %s comes after %s; sort the rows by time and %s, oldest first",
			file.ColumnTime, formatMicros(at.micros), formatMicros(last.micros), file.ColumnSeq)
	case at.seq < last.seq:
		return at, fmt.Errorf("%s: %d comes after %d, at the same time, %s; sort the rows by time and %s",
			file.ColumnSeq, at.seq, last.seq, formatMicros(at.micros), file.ColumnSeq)
	}

	return at, fmt.Errorf("%s: a second row of %d at %s; keep only the correct one",
		file.ColumnSeq, at.seq, formatMicros(at.micros))
}

// decimalAt returns value i of the column.
func decimalAt(c domain.Column, i int, scale uint8) (domain.Decimal, error) {
	if c.Hi == nil {
		return domain.NewDecimal(c.Lo[i], scale)
	}
	return domain.DecimalFromCoefficient(c.Hi[i], uint64(c.Lo[i]), scale)
}
