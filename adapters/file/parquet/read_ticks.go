package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// TickConfig says what a file of trades or quotes is. The zero value reads a file that a TickWriter wrote.
type TickConfig struct {
	Name       string        // of the file, for errors
	Symbol     domain.Symbol // of the trades or quotes; "": the file names it. Where both do, they must agree
	BatchTicks int           // a TickBatch ends with the instant that reaches so many; defaults to file.DefaultBatchTicks
}

// Validate reports every fault.
func (c TickConfig) Validate() error {
	var faults []error
	if c.Symbol != "" {
		faults = append(faults, c.Symbol.Validate())
	}
	if c.BatchTicks < 0 {
		faults = append(faults, &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchTicks), Reason: "give 1 or more"})
	}

	return errors.Join(faults...)
}

func (c TickConfig) withDefaults() TickConfig {
	if c.BatchTicks == 0 {
		c.BatchTicks = file.DefaultBatchTicks
	}
	return c
}

// TickBatch is a run of trades or quotes of a file. It holds whole instants: what came at one time is in one batch.
type TickBatch[T domain.Tick] struct {
	Ticks     domain.Ticks[T] // at least one
	Truncated int             // times that were finer than a microsecond
}

// ReadTrades yields the trades of the Parquet file in r, of size bytes, batch by batch in the file's order, which has to be that
// of time and, within an instant, of the source's numbers. It reads what a TickWriter wrote and what notebooks write, with the
// liberties that ReadBars takes and these: seq may be absent, a trade's number is then its place among the rows of its instant;
// times finer than a microsecond are cut to it, and counted; side may be absent, and a side is read as that of CSV, a null one
// being unknown.
//
// It refuses what ReadBars refuses: with a *RowError a null anywhere else, a time and number that do not come after those of the
// row before, a negative number or size.
func ReadTrades(r io.ReaderAt, size int64, cfg TickConfig) iter.Seq2[TickBatch[domain.Trade], error] {
	return readTicks(r, size, cfg, tradeForm, func(at time.Time, seq int64, numbers []domain.Decimal, side domain.Side) domain.Trade {
		return domain.Trade{Time: at, Seq: seq, Price: numbers[0], Size: numbers[1], Side: side}
	})
}

// ReadQuotes is to quotes what ReadTrades is to trades.
func ReadQuotes(r io.ReaderAt, size int64, cfg TickConfig) iter.Seq2[TickBatch[domain.Quote], error] {
	return readTicks(r, size, cfg, quoteForm, func(at time.Time, seq int64, numbers []domain.Decimal, _ domain.Side) domain.Quote {
		return domain.Quote{Time: at, Seq: seq, Bid: numbers[0], Ask: numbers[1], BidSize: numbers[2], AskSize: numbers[3]}
	})
}

func readTicks[T domain.Tick](r io.ReaderAt, size int64, cfg TickConfig, f form, join tickJoin[T]) iter.Seq2[TickBatch[T], error] {
	return sequence(cfg.Name, &tickReader[T]{in: r, size: size, cfg: cfg.withDefaults(), form: f, join: join})
}

// tickJoin makes a tick of the values of a row.
type tickJoin[T domain.Tick] func(at time.Time, seq int64, numbers []domain.Decimal, side domain.Side) T

// ReadSymbol is the symbol that the Parquet file in r, of size bytes, names. A file that names none is an error.
func ReadSymbol(r io.ReaderAt, size int64) (symbol domain.Symbol, err error) {
	err = guard(func() error {
		opened, err := openFile(r, size)
		if err == nil {
			symbol, err = symbolOf(opened, "")
		}
		return err
	})
	return symbol, err
}

// symbolOf is the symbol that the file names, or the one that the caller gave.
func symbolOf(opened *pq.File, given domain.Symbol) (domain.Symbol, error) {
	text, found := opened.Lookup(SymbolName)
	if !found {
		if given == "" {
			return "", fmt.Errorf("the file does not name its symbol (%s in its metadata): say of which symbol it is", SymbolName)
		}
		return given, nil
	}

	symbol, err := domain.ParseSymbol(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", SymbolName, err)
	}
	if given != "" && given != symbol {
		return "", fmt.Errorf("the file is of %s, not of %s", symbol, given)
	}

	return symbol, nil
}

// blockTicks is how many rows are decoded at a time.
const blockTicks = 4 << 10

// tickReader is a file of trades or quotes.
type tickReader[T domain.Tick] struct {
	table

	in   io.ReaderAt
	size int64
	cfg  TickConfig
	form form
	join tickJoin[T]

	block tickBlock
	at    int              // the current row, in the block
	last  place            // of the row before it
	cells []domain.Decimal // room for the numbers of a row
}

// place orders and names a tick; begun is false of none.
type place struct {
	micros, seq int64
	begun       bool
}

// tickBlock is some rows by column.
type tickBlock struct {
	times   []int64
	finer   []bool // nil where no time can be
	seqs    []int64
	numbers []domain.Column
	scales  []uint8
	sides   []domain.Side
}

func (b *tickReader[T]) open() error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}

	opened, err := openFile(b.in, b.size)
	if err != nil {
		return err
	}
	if err := b.begin(opened, b.cfg.Name, b.form); err != nil {
		return err
	}

	b.cells = make([]domain.Decimal, len(b.form.numbers))
	b.cfg.Symbol, err = symbolOf(opened, b.cfg.Symbol)
	return err
}

// next reads rows up to the end of the instant that fills the batch.
func (b *tickReader[T]) next() (TickBatch[T], int, error) {
	builder := domain.NewTicksBuilder[T](b.cfg.Symbol)
	var batch TickBatch[T]
	for {
		if b.at == len(b.block.times) {
			if err := b.nextBlock(); err != nil {
				return batch, 0, err
			}
			if len(b.block.times) == 0 {
				break
			}
		}
		if builder.Len() >= b.cfg.BatchTicks && b.block.times[b.at] != b.last.micros {
			break
		}

		tick, err := b.tick()
		if err == nil {
			err = builder.Append(tick)
		}
		if err != nil {
			return batch, 0, b.wrong(b.at, err)
		}

		if b.block.finer != nil && b.block.finer[b.at] {
			batch.Truncated++
		}
		b.at++
	}

	var err error
	batch.Ticks, err = builder.Ticks()
	return batch, batch.Ticks.Len(), err
}

// nextBlock reads the next rows, none at the end of the file.
func (b *tickReader[T]) nextBlock() error {
	b.passed(len(b.block.times))
	b.at, b.block = 0, tickBlock{}
	n, err := b.available(blockTicks)
	if err != nil || n == 0 {
		return err
	}

	var block tickBlock
	if b.layout.unit.perMicro > 1 {
		block.finer = make([]bool, n)
	}
	if block.times, err = b.times(n, func(i int) { block.finer[i] = true }); err != nil {
		return err
	}
	if block.seqs, err = b.counts(n); err != nil {
		return err
	}

	for i := range b.numbers {
		number, scale, err := b.decimals(n, i, i+1)
		if err != nil {
			return err
		}

		block.numbers, block.scales = append(block.numbers, number[0]), append(block.scales, scale)
	}
	if block.sides, err = b.sides(n); err != nil {
		return err
	}

	b.block = block
	return nil
}

// tick is the current row.
func (b *tickReader[T]) tick() (tick T, err error) {
	at, err := b.place()
	if err != nil {
		return tick, err
	}

	for i, c := range b.block.numbers {
		if b.cells[i], err = decimal(c, b.at, b.block.scales[i]); err != nil {
			return tick, err
		}
		if d := b.cells[i]; d.Sign() < 0 && i >= len(b.cells)-b.form.sizes {
			return tick, fmt.Errorf("%s: %s is negative", b.form.numbers[i], d)
		}
	}

	side := domain.SideUnknown
	if b.block.sides != nil {
		side = b.block.sides[b.at]
	}
	b.last = at

	return b.join(time.UnixMicro(at.micros).UTC(), at.seq, b.cells, side), nil
}

// place is that of the current row, which has to be after the one before.
func (b *tickReader[T]) place() (place, error) {
	at, last := place{micros: b.block.times[b.at], begun: true}, b.last
	switch {
	case b.block.seqs != nil:
		at.seq = b.block.seqs[b.at]
	case last.begun && last.micros == at.micros:
		at.seq = last.seq + 1
	}

	switch {
	case !last.begun || at.micros > last.micros || at.micros == last.micros && at.seq > last.seq:
		return at, nil
	case at.micros < last.micros:
		return at, fmt.Errorf("%s: %s comes after %s; sort the rows by time and number, the oldest first",
			file.ColumnTime, stamp(at.micros), stamp(last.micros))
	case at.seq < last.seq:
		return at, fmt.Errorf("%s: number %d comes after %d, at the same time, %s; sort the rows by time and number",
			file.ColumnSeq, at.seq, last.seq, stamp(at.micros))
	}

	return at, fmt.Errorf("%s: a second row of number %d at %s; keep the right one of the two", file.ColumnSeq, at.seq, stamp(at.micros))
}

// decimal is value i of the column.
func decimal(c domain.Column, i int, scale uint8) (domain.Decimal, error) {
	if c.Hi == nil {
		return domain.NewDecimal(c.Lo[i], scale)
	}
	return domain.DecimalFromCoefficient(c.Hi[i], uint64(c.Lo[i]), scale)
}
