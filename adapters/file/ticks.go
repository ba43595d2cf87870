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

	"github.com/gal-friday/marketdata/domain"
)

// DefaultBatchTicks is how many trades or quotes a TickBatch has, about, where TickConfig does not say.
const DefaultBatchTicks = 10_000

// TickConfig says what a file of trades or quotes is.
type TickConfig struct {
	Format

	Symbol     domain.Symbol // of the trades or quotes
	BatchTicks int           // a TickBatch ends with the instant that reaches so many; defaults to DefaultBatchTicks
}

// Validate reports every fault.
func (c TickConfig) Validate() error {
	var batch error
	if c.BatchTicks < 0 {
		batch = &domain.InvalidError{What: "batch", Value: strconv.Itoa(c.BatchTicks), Reason: "give 1 or more"}
	}
	return errors.Join(c.Symbol.Validate(), batch, c.Format.Validate())
}

func (c TickConfig) withDefaults() TickConfig {
	if c.BatchTicks == 0 {
		c.BatchTicks = DefaultBatchTicks
	}
	return c
}

// TickBatch is a run of trades or quotes of a file. It holds whole instants: what came at one time is in one batch.
type TickBatch[T domain.Tick] struct {
	Ticks domain.Ticks[T] // at least one

	// Range is from the end of the batch before, or from the first tick of all, to just after the last tick. The batches' ranges
	// touch: to claim each is to claim the file.
	Range domain.Range

	Repeated  int // rows that said the same as the row before them, number included, and were left out
	Truncated int // times that were finer than a microsecond

	file  string
	lines []int // of each tick
}

// Locate adds file and line to an error about one of the batch's ticks; another error is returned as it is.
func (b TickBatch[T]) Locate(err error) error {
	var rule *domain.TickError
	if !errors.As(err, &rule) {
		return err
	}

	at := place{rule.Time, rule.Seq}
	i := sort.Search(b.Ticks.Len(), func(i int) bool { return !placeOf(b.Ticks.At(i)).before(at) })
	if i == b.Ticks.Len() || at.before(placeOf(b.Ticks.At(i))) {
		return err
	}

	return &LineError{File: b.file, Line: b.lines[i], Err: err}
}

// ReadTrades yields the trades of a CSV file batch by batch, in the file's order, which has to be that of time and, within an
// instant, of the source's numbers. Without a column of numbers, a trade's number is its place among the rows of its instant.
// Times finer than a microsecond are truncated and counted. A side is buy or sell, or b or s; an empty one is unknown. What is wrong
// is told as by ReadBars; the sequence is lazy and single use.
func ReadTrades(r io.Reader, cfg TickConfig) iter.Seq2[TickBatch[domain.Trade], error] {
	return readTicks(r, cfg, tradeForm, parseTrade)
}

// ReadQuotes is to quotes what ReadTrades is to trades.
func ReadQuotes(r io.Reader, cfg TickConfig) iter.Seq2[TickBatch[domain.Quote], error] {
	return readTicks(r, cfg, quoteForm, parseQuote)
}

// tickParser reads a row's cells but for its place; column is where those of the form are.
type tickParser[T domain.Tick] func(at place, cells [][]byte, column []int) (T, error)

func readTicks[T domain.Tick](r io.Reader, cfg TickConfig, f form, parse tickParser[T]) iter.Seq2[TickBatch[T], error] {
	used := false
	return func(yield func(TickBatch[T], error) bool) {
		if used {
			yield(TickBatch[T]{}, fmt.Errorf("read %s: the sequence was used before", f.what))
			return
		}

		used = true
		reader, err := newTickReader(r, cfg.withDefaults(), f, parse)
		for err == nil {
			var batch TickBatch[T]
			if batch, err = reader.batch(); err != nil || batch.Ticks.Len() == 0 || !yield(batch, nil) {
				break
			}
		}

		if err != nil {
			yield(TickBatch[T]{}, err)
		}
	}
}

// place orders and names a tick.
type place struct {
	time time.Time
	seq  int64
}

func (p place) before(o place) bool {
	return p.time.Before(o.time) || p.time.Equal(o.time) && p.seq < o.seq
}

func placeOf[T domain.Tick](tick T) place {
	switch t := any(tick).(type) {
	case domain.Trade:
		return place{t.Time, t.Seq}
	case domain.Quote:
		return place{t.Time, t.Seq}
	}
	return place{}
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
	*table

	cfg   TickConfig
	parse tickParser[T]
	end   time.Time

	last     T // the newest of all, before the current row
	lastLine int
}

func newTickReader[T domain.Tick](r io.Reader, cfg TickConfig, f form, parse tickParser[T]) (*tickReader[T], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	t, err := newTable(r, cfg.Format, f, domain.Grid{})
	if err != nil {
		return nil, err
	}

	return &tickReader[T]{table: t, cfg: cfg, parse: parse}, nil
}

// batch reads the next batch, an empty one at the end of the file.
func (b *tickReader[T]) batch() (TickBatch[T], error) {
	builder := domain.NewTicksBuilder[T](b.cfg.Symbol)
	batch := TickBatch[T]{file: b.rows.file, lines: make([]int, 0, b.cfg.BatchTicks)}
	start, rejected := b.end, false
	for !rejected {
		more, err := b.next()
		if err == nil && !more {
			break
		}

		var tick T
		var truncated, repeated bool
		if err == nil {
			tick, truncated, repeated, err = b.row()
		}
		if err == nil && builder.Len() >= b.cfg.BatchTicks && !placeOf(tick).time.Equal(placeOf(b.last).time) {
			b.pending = true
			break
		}

		if err == nil && !repeated {
			err = b.append(builder, tick)
		}
		if err != nil {
			if err := b.reject(err); err != nil {
				return TickBatch[T]{}, err
			}

			start, rejected = b.over(start, builder.Len())
			continue
		}

		if truncated {
			batch.Truncated++
		}
		if repeated {
			batch.Repeated++
			continue
		}

		batch.lines = append(batch.lines, b.rows.line)
	}

	var err error
	if batch.Ticks, err = builder.Ticks(); err != nil || batch.Ticks.Len() == 0 {
		return TickBatch[T]{}, err
	}

	batch.Range = batch.Ticks.Range()
	if !start.IsZero() {
		batch.Range.Start = start
	}
	b.end = batch.Range.End
	if rejected {
		b.end = time.Time{}
	}

	return batch, nil
}

// row reads the current row, whether its time was finer than a microsecond, and whether it only repeats the one before it.
func (b *tickReader[T]) row() (tick T, truncated, repeated bool, err error) {
	if tick, truncated, err = b.tick(); err == nil {
		repeated, err = b.repeats(tick)
	}
	if err != nil {
		err = b.rows.wrong(err)
	}

	return tick, truncated, repeated, err
}

// append adds the tick of the current row.
func (b *tickReader[T]) append(builder *domain.TicksBuilder[T], tick T) error {
	if err := builder.Append(tick); err != nil {
		return b.rows.wrong(err)
	}

	b.last, b.lastLine = tick, b.rows.line
	return nil
}

// tick reads the current row.
func (b *tickReader[T]) tick() (tick T, truncated bool, err error) {
	cells, column := b.rows.cells, b.layout.column
	exact, err := b.times.parse(cells[column[0]])
	if err != nil {
		return tick, false, err
	}

	at := place{time: exact.Truncate(time.Microsecond)}
	if numbered := column[1]; numbered >= 0 {
		cell := string(cells[numbered])
		n, err := strconv.ParseUint(cell, 10, 63)
		if err != nil {
			return tick, false, fmt.Errorf("%s: %.40q is not a whole number from 0", ColumnSeq, cell)
		}

		at.seq = int64(n)
	} else if last := placeOf(b.last); b.lastLine > 0 && last.time.Equal(at.time) {
		at.seq = last.seq + 1
	}

	tick, err = b.parse(at, cells, column)
	return tick, !at.time.Equal(exact), err
}

// repeats reports whether the tick, of the current row, is the one before it once more.
func (b *tickReader[T]) repeats(tick T) (bool, error) {
	at, last := placeOf(tick), placeOf(b.last)
	switch {
	case b.lastLine == 0 || last.before(at):
		return false, nil
	case at.before(last) && at.time.Equal(last.time):
		return false, fmt.Errorf("number %d comes after %d of line %d, at the same time; sort the rows by time and number", at.seq, last.seq, b.lastLine)
	case at.before(last):
		return false, fmt.Errorf("%s comes after %s of line %d; sort the rows by time, the oldest first",
			at.time.Format(time.RFC3339Nano), last.time.Format(time.RFC3339Nano), b.lastLine)
	case !equalTicks(tick, b.last):
		return false, fmt.Errorf("a second row of number %d at %s, which differs from line %d; keep the right one of the two",
			at.seq, at.time.Format(time.RFC3339Nano), b.lastLine)
	}

	return true, nil
}

func parseTrade(at place, cells [][]byte, column []int) (t domain.Trade, err error) {
	t.Time, t.Seq = at.time, at.seq
	if err = parseNumbers(tradeForm, cells, column, &t.Price, &t.Size); err != nil {
		return t, err
	}

	if i := column[len(column)-1]; i >= 0 {
		t.Side, err = ParseSide(string(cells[i]))
	}
	return t, err
}

func parseQuote(at place, cells [][]byte, column []int) (q domain.Quote, err error) {
	q.Time, q.Seq = at.time, at.seq
	return q, parseNumbers(quoteForm, cells, column, &q.Bid, &q.Ask, &q.BidSize, &q.AskSize)
}

// parseNumbers reads the numbers, which in every form of ticks stand behind time and number.
func parseNumbers(f form, cells [][]byte, column []int, numbers ...*domain.Decimal) (err error) {
	const first = 2
	for i, number := range numbers {
		if *number, err = domain.ParseDecimalBytes(cells[column[first+i]]); err != nil {
			return fmt.Errorf("%s: %w", f.columns[first+i], err)
		}
	}

	return nil
}

// ParseSide reads the side of a trade as files spell it: buy or sell, b or s, in any case; an empty one is unknown.
func ParseSide(cell string) (domain.Side, error) {
	switch strings.ToLower(cell) {
	case "buy", "b":
		return domain.SideBuy, nil
	case "sell", "s":
		return domain.SideSell, nil
	case "", "unknown":
		return domain.SideUnknown, nil
	}
	return 0, fmt.Errorf("%s: %.40q is neither buy nor sell; leave it empty where it is unknown", ColumnSide, cell)
}
