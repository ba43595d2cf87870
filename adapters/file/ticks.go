package file

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

// DefaultBatchTicks is the approximate number of trades or quotes in a TickBatch unless TickConfig sets another.
const DefaultBatchTicks = 10_000

// TickConfig describes a file of trades or quotes.
type TickConfig struct {
	Format Format

	Symbol     domain.Symbol // of the trades or quotes
	BatchTicks int           // a TickBatch of this size ends before the next time; defaults to DefaultBatchTicks
}

// Validate returns all errors of the TickConfig.
func (c TickConfig) Validate() error {
	var batchErr error
	if c.BatchTicks < 0 {
		batchErr = &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchTicks), Reason: "give 1 or more"}
	}

	return errors.Join(c.Symbol.Validate(), batchErr, c.Format.Validate())
}

func (c TickConfig) withDefaults() TickConfig {
	if c.BatchTicks == 0 {
		c.BatchTicks = DefaultBatchTicks
	}
	return c
}

// TickBatch is consecutive trades or quotes of a file. Ticks of the same time are in the same batch.
type TickBatch[T domain.Tick] struct {
	Ticks domain.Ticks[T] // at least one, except with Format.Coverage

	// Range extends from the end of the previous batch, or from the first tick of the file, to 1 microsecond after the
	// last tick. The ranges of consecutive batches touch, so that declaring them covers the file. A rejected row leaves
	// a gap between them. With Format.Coverage, the ranges make up that coverage instead.
	Range domain.Range

	Repeated   int  // rows equal to the row before them, sequence number included, which are skipped
	Truncated  int  // times that were finer than a microsecond
	Positional bool // the file has no sequence numbers; ticks are numbered by their positions within their instants

	file  string
	lines []int // of each tick
}

// Locate adds file and line to an error about one of the batch's ticks. It returns any other error unchanged.
func (b TickBatch[T]) Locate(err error) error {
	var tickErr *domain.TickError
	if !errors.As(err, &tickErr) {
		return err
	}

	at := position{tickErr.Time, tickErr.Seq}
	i := sort.Search(b.Ticks.Len(), func(i int) bool { return !positionOf(b.Ticks.At(i)).isBefore(at) })
	if i == b.Ticks.Len() || at.isBefore(positionOf(b.Ticks.At(i))) {
		return err
	}

	return &LineError{File: b.file, Line: b.lines[i], Err: err}
}

// part returns the ticks of r as part i of the batch, with r as its Range. Part 0 has the counts of the batch.
func (b TickBatch[T]) part(r domain.Range, i int) TickBatch[T] {
	part := TickBatch[T]{Ticks: b.Ticks.Clip(r), Range: r, Positional: b.Positional, file: b.file}
	if part.Ticks.Len() > 0 {
		from := sort.Search(b.Ticks.Len(), func(i int) bool { return !b.Ticks.Time(i).Before(r.Start) })
		part.lines = b.lines[from : from+part.Ticks.Len()]
	}
	if i == 0 {
		part.Repeated, part.Truncated = b.Repeated, b.Truncated
	}

	return part
}

// ReadTrades yields the trades of a CSV or NDJSON file in batches. The rows must be in order of time and, within a
// time, of the source's sequence numbers. Without sequence numbers, which all rows have or none, a trade is numbered by
// its position among the rows of its time. Times finer than a microsecond are truncated and counted. A side is buy or
// sell, or b or s; an empty one is unknown. Errors are as of ReadBars. The sequence is lazy and may be used once.
func ReadTrades(r io.Reader, cfg TickConfig) iter.Seq2[TickBatch[domain.Trade], error] {
	return readTicks(r, cfg, tradeSchema, parseTrade)
}

// ReadQuotes yields the quotes of a CSV or NDJSON file, as ReadTrades yields trades.
func ReadQuotes(r io.Reader, cfg TickConfig) iter.Seq2[TickBatch[domain.Quote], error] {
	return readTicks(r, cfg, quoteSchema, parseQuote)
}

// tickParser parses the cells of a row, except those of its position. columns is as in a layout.
type tickParser[T domain.Tick] func(at position, cells [][]byte, columns []int) (T, error)

func readTicks[T domain.Tick](
	r io.Reader, cfg TickConfig, s schema, parse tickParser[T],
) iter.Seq2[TickBatch[T], error] {
	used := false
	return func(yield func(TickBatch[T], error) bool) {
		if used {
			yield(TickBatch[T]{}, fmt.Errorf("read %s: the sequence was already used", s.kind))
			return
		}

		used = true
		cfg = cfg.withDefaults()
		read := func(f Format, rejected []domain.Range, yield func(TickBatch[T]) bool) error {
			reader, err := newTickReader(r, TickConfig{Format: f, Symbol: cfg.Symbol, BatchTicks: cfg.BatchTicks}, s, parse)
			if err != nil {
				return err
			}

			reader.table.rejected = rejected

			return reader.readBatches(yield)
		}
		none, err := domain.NewTicks[T](cfg.Symbol)
		if err != nil {
			yield(TickBatch[T]{}, err)
			return
		}

		fileReader[TickBatch[T]]{in: r, format: cfg.Format, read: read, batch: covered.Batch[TickBatch[T]]{
			Span: func(b TickBatch[T]) domain.Range { return b.Range },
			Rows: func(b TickBatch[T]) int { return b.Ticks.Len() },
			Time: func(b TickBatch[T], i int) time.Time { return b.Ticks.Time(i) },
			Part: TickBatch[T].part,
			None: TickBatch[T]{Ticks: none},
		}}.readAll(yield)
	}
}

// position identifies a tick of a symbol and determines its order.
type position struct {
	time time.Time
	seq  int64
}

func (p position) isBefore(o position) bool {
	return p.time.Before(o.time) || p.time.Equal(o.time) && p.seq < o.seq
}

// instant returns the range of the ticks with the same time.
func (p position) instant() domain.Range {
	return domain.Range{Start: p.time, End: p.time.Add(time.Microsecond)}
}

func positionOf[T domain.Tick](tick T) position {
	switch t := any(tick).(type) {
	case domain.Trade:
		return position{t.Time, t.Seq}
	case domain.Quote:
		return position{t.Time, t.Seq}
	}

	return position{}
}

func equalTicks[T domain.Tick](a, b T) bool {
	switch a := any(a).(type) {
	case domain.Trade:
		return a.Equal(any(b).(domain.Trade))
	case domain.Quote:
		return a.Equal(any(b).(domain.Quote))
	}

	return false
}

type tickReader[T domain.Tick] struct {
	table *table
	cfg   TickConfig
	parse tickParser[T]

	last     T   // the newest tick before the current row
	lastLine int // of last; 0 before the first tick
}

// newTickReader reads the header.
func newTickReader[T domain.Tick](r io.Reader, cfg TickConfig, s schema, parse tickParser[T]) (*tickReader[T], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	t, err := newTable(r, cfg.Format, s, domain.Grid{})
	if err != nil {
		return nil, err
	}

	return &tickReader[T]{table: t, cfg: cfg, parse: parse}, nil
}

// readBatches passes the batches of the file to yield until it returns false.
func (b *tickReader[T]) readBatches(yield func(TickBatch[T]) bool) error {
	for {
		batch, err := b.readBatch()
		if err != nil || batch.Ticks.Len() == 0 || !yield(batch) {
			return err
		}
	}
}

// readBatch reads the next batch. It returns a batch without ticks at the end of the file.
func (b *tickReader[T]) readBatch() (TickBatch[T], error) {
	builder := domain.NewTicksBuilder[T](b.cfg.Symbol)
	batch := TickBatch[T]{file: b.table.rows.file, lines: make([]int, 0, b.cfg.BatchTicks)}
	rejected := false
	for !rejected {
		row, err := b.readRow()
		if err == nil {
			if row.status == rowNone {
				break
			}
			if builder.Len() >= b.cfg.BatchTicks && !positionOf(row.tick).time.Equal(positionOf(b.last).time) {
				b.table.unread()
				break
			}
			if row.status == rowNew {
				if rejected = b.table.endsBefore(positionOf(row.tick).instant(), builder.Len()); rejected {
					b.table.unread()
					break
				}

				err = b.appendTick(builder, row.tick)
			}
		}
		if err != nil {
			if rejected, err = b.table.reject(err, builder.Len()); err != nil {
				return TickBatch[T]{}, err
			}
			continue
		}

		batch.countRow(row, b.table.rows.line)
	}

	var err error
	if batch.Ticks, err = builder.Ticks(); err != nil || batch.Ticks.Len() == 0 {
		return TickBatch[T]{}, err
	}

	batch.Range, batch.Positional = b.table.batchRange(batch.Ticks.Range(), rejected), !b.hasSeq()

	return batch, nil
}

// seqColumn is the index of the sequence number in the schemas of trades and quotes.
const seqColumn = 1

// hasSeq reports whether the file has sequence numbers.
func (b *tickReader[T]) hasSeq() bool {
	return b.table.layout.columns[seqColumn] >= 0 && !b.table.rows.objects.isWithoutSeq()
}

// tickRow is a row that was read without an error.
type tickRow[T domain.Tick] struct {
	tick        T
	status      rowStatus
	isTruncated bool // the time was finer than a microsecond
}

// countRow adds the row to the counters and lines of the batch.
func (b *TickBatch[T]) countRow(row tickRow[T], line int) {
	if row.isTruncated {
		b.Truncated++
	}
	if row.status == rowRepeated {
		b.Repeated++
		return
	}

	b.lines = append(b.lines, line)
}

// readRow reads the next row.
func (b *tickReader[T]) readRow() (tickRow[T], error) {
	more, err := b.table.next()
	if err != nil || !more {
		return tickRow[T]{status: rowNone}, err
	}

	row, err := b.parseRow()
	if err == nil {
		row.status, err = b.compare(row.tick)
	}
	if err == nil && b.table.isRejected(positionOf(row.tick).time) {
		err = errRejectedTime
	}
	if err != nil {
		return tickRow[T]{}, b.table.rows.lineError(err)
	}

	return row, nil
}

// appendTick appends the tick of the current row.
func (b *tickReader[T]) appendTick(builder *domain.TicksBuilder[T], tick T) error {
	if err := builder.Append(tick); err != nil {
		return b.table.rows.lineError(err)
	}

	b.last, b.lastLine = tick, b.table.rows.line

	return nil
}

// parseRow parses the current row.
func (b *tickReader[T]) parseRow() (tickRow[T], error) {
	cells, columns := b.table.rows.cells, b.table.layout.columns
	exact, err := b.table.times.parse(cells[columns[0]])
	if err != nil {
		return tickRow[T]{}, err
	}

	at := position{time: exact.Truncate(time.Microsecond)}
	if b.hasSeq() {
		cell := string(cells[columns[seqColumn]])
		n, err := strconv.ParseUint(cell, 10, 63)
		if err != nil {
			return tickRow[T]{}, fmt.Errorf("%s: %.40q is not a whole number of 0 or more", ColumnSeq, cell)
		}

		at.seq = int64(n)
	} else if last := positionOf(b.last); b.lastLine > 0 && last.time.Equal(at.time) {
		at.seq = last.seq + 1
	}

	tick, err := b.parse(at, cells, columns)

	return tickRow[T]{tick: tick, isTruncated: !at.time.Equal(exact)}, err
}

// compare compares the tick of the current row with the tick before it.
func (b *tickReader[T]) compare(tick T) (rowStatus, error) {
	at, last := positionOf(tick), positionOf(b.last)
	switch {
	case b.lastLine == 0 || last.isBefore(at):
		return rowNew, nil
	case at.isBefore(last) && at.time.Equal(last.time):
		return rowNone, fmt.Errorf("%s %d comes after %d of line %d, at the same time; sort the rows by time and %s",
			ColumnSeq, at.seq, last.seq, b.lastLine, ColumnSeq)
	case at.isBefore(last):
		return rowNone, fmt.Errorf("%s comes after %s of line %d; sort the rows by time, oldest first",
			at.time.Format(time.RFC3339Nano), last.time.Format(time.RFC3339Nano), b.lastLine)
	case !equalTicks(tick, b.last):
		return rowNone, fmt.Errorf("a second row of %s %d at %s, which differs from line %d; keep only the correct one",
			ColumnSeq, at.seq, at.time.Format(time.RFC3339Nano), b.lastLine)
	}

	return rowRepeated, nil
}

func parseTrade(at position, cells [][]byte, columns []int) (t domain.Trade, err error) {
	t.Time, t.Seq = at.time, at.seq
	if err = parseNumbers(tradeSchema, cells, columns, &t.Price, &t.Size); err != nil {
		return t, err
	}

	if cell := columns[len(columns)-1]; cell >= 0 {
		t.Side, err = ParseSide(string(cells[cell]))
	}

	return t, err
}

func parseQuote(at position, cells [][]byte, columns []int) (q domain.Quote, err error) {
	q.Time, q.Seq = at.time, at.seq
	return q, parseNumbers(quoteSchema, cells, columns, &q.Bid, &q.Ask, &q.BidSize, &q.AskSize)
}

// parseNumbers parses the decimals, which follow time and sequence number in every schema of ticks.
func parseNumbers(s schema, cells [][]byte, columns []int, numbers ...*domain.Decimal) (err error) {
	const first = 2
	for i, number := range numbers {
		if *number, err = domain.ParseDecimalBytes(cells[columns[first+i]]); err != nil {
			return fmt.Errorf("%s: %w", s.columns[first+i], err)
		}
	}

	return nil
}

// ParseSide parses the side of a trade: buy or sell, b or s, or unknown, in any case. An empty cell is unknown.
func ParseSide(cell string) (domain.Side, error) {
	switch strings.ToLower(cell) {
	case "buy", "b":
		return domain.SideBuy, nil
	case "sell", "s":
		return domain.SideSell, nil
	case "", "unknown":
		return domain.SideUnknown, nil
	}

	return 0, fmt.Errorf("%s: %.40q is neither buy nor sell; leave the cell empty if the side is unknown",
		ColumnSide, cell)
}
