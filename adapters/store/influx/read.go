package influx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var errUsed = fmt.Errorf("a sequence is ranged over once; ask for another: %w", ports.ErrInvalid)

// errStop ends a read whose consumer has had enough.
var errStop = errors.New("stop")

// representable is the open times that InfluxDB can hold: nanoseconds since 1970 in 64 bits, which is 1677 to 2262.
var representable = domain.Range{
	Start: time.UnixMicro(-1 << 63 / 1000).UTC(),
	End:   time.UnixMicro((1<<63 - 1) / 1000).UTC(),
}

const nanosPerMicro = int64(time.Microsecond)

// nanos is r as the database counts.
func nanos(r domain.Range) span {
	start, end := r.Micros()
	return span{start: start * nanosPerMicro, end: end * nanosPerMicro}
}

// ReadBars yields the bars in pieces of the configured chunk size, while the server still sends. Only the end of the sequence
// without an error proves that the answer was whole. The last n bars are held in memory until all have come.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return sequence(s, ctx, "read bars", q.Key.String(), domain.Series.Len, func(yield func(domain.Series) bool) error {
		return s.readBars(ctx, q, yield)
	})
}

// sequence is the pieces that read hands over, each of so many bars. read returns errStop where yield says that it is enough.
func sequence[P any](
	s *Store, ctx context.Context, op, subject string, bars func(P) int, read func(yield func(P) bool) error,
) iter.Seq2[P, error] {
	var used atomic.Bool
	return func(yield func(P, error) bool) {
		err := errUsed
		if !used.Swap(true) {
			began, rows, consumer := time.Now(), 0, time.Duration(0)
			err = read(func(piece P) bool {
				rows += bars(piece)
				out := time.Now()
				more := yield(piece, nil)
				consumer += time.Since(out)
				return more
			})
			s.logSlow(ctx, op, subject, time.Since(began)-consumer, rows)
		}

		if err != nil && !errors.Is(err, errStop) {
			var none P
			yield(none, translate(op, subject, err))
		}
	}
}

func (s *Store) readBars(ctx context.Context, q ports.BarQuery, yield func(domain.Series) bool) error {
	return s.readBatch(ctx, []ports.BarQuery{q}, func(piece ports.BatchBars) bool { return yield(piece.Bars) })
}

// collect is all bars of the range as one Series.
func (s *Store) collect(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Series, error) {
	whole := domain.NewSeriesBuilder(key, 0)
	var failed error
	err := s.readBars(ctx, ports.BarQuery{Key: key, Range: r}, func(piece domain.Series) bool {
		failed = whole.AppendSeries(piece)
		return failed == nil
	})
	if err := errors.Join(failed, err); err != nil {
		return domain.Series{}, err
	}

	return whole.Series()
}

// barReader makes pieces of the rows of one series.
type barReader struct {
	alive      func() error // the context's
	layout     layout
	key        domain.SeriesKey
	where      []condition
	span       span
	limit      int // 0 is none
	descending bool
	size       int   // bars a piece
	most       int64 // bars there can be
	yield      func(domain.Series) bool

	piece  *piece
	rows   int             // decoded so far, over all tries
	last   int64           // the open time before, in nanoseconds
	text   []byte          // of the field exact of the row being decoded
	behind []domain.Series // descending: the pieces so far, the last one first
}

// statement asks for the rows that have not come yet.
func (r *barReader) statement(b *builder) {
	limit := r.limit
	if limit > 0 {
		limit -= r.rows
	}
	r.layout.selectBars(b, r.where, r.span, limit, r.descending)
}

// resume has the next statement begin with the row of the time.
func (r *barReader) resume(at int64) {
	if r.descending {
		r.span.end = at + 1
	} else {
		r.span.start = at
	}
}

// begin refuses a table of another form than the one asked for.
func (r *barReader) begin(t table) error {
	if want := r.layout.answerColumns(r.where); t.name != r.layout.measurement || len(t.tags) > 0 || !slices.Equal(t.columns, want) {
		return fmt.Errorf("the answer has a table %s %v with the columns %q, not %s with %q: %w",
			t.name, t.tags, t.columns, r.layout.measurement, want, ports.ErrIncomplete)
	}

	r.piece.capacity = min(t.rows, r.size) // what the server says, as far as it is believed unseen
	return nil
}

// row decodes one bar.
func (r *barReader) row(d *decoder) error {
	at, err := d.time()
	if err != nil {
		return err
	}
	if err := r.checkTime(at); err != nil {
		return err
	}

	var numbers [len(numberFields)]number
	for i := range numbers {
		if numbers[i], err = d.number(); err != nil {
			return err
		}
	}

	trades, exact := number{kind: numberInt}, []byte(nil)
	if r.layout.existing == nil {
		if trades, err = d.number(); err != nil {
			return err
		}
		if exact, err = r.exact(d, at); err != nil {
			return err
		}
	}
	if err := r.complete(at, numbers, trades); err != nil {
		return err
	}
	if err := r.whole(d, at, numbers, trades, exact); err != nil {
		return err
	}
	if err := r.checkTags(d, at); err != nil {
		return err
	}
	if err := r.piece.add(at, numbers, trades.int, exact); err != nil {
		return &unsettledError{at, err}
	}

	r.rows++
	r.last = at
	if r.piece.len() == r.size {
		return r.flush()
	}

	return nil
}

// checkTags wants the row to be of the series asked for.
func (r *barReader) checkTags(d *decoder, at int64) error {
	for _, c := range r.where {
		code, err := d.code()
		if err != nil {
			return err
		}

		var value []byte
		if code != codeNil {
			if value, err = d.bytesAfter(code); err != nil {
				return err
			}
		}
		if string(value) != c.value {
			return r.broken(domain.RuleWrongSeries, at, fmt.Sprintf("the answer has a row of the %s %.80q", c.tag, value))
		}
	}
	return nil
}

// checkTime wants whole microseconds, in the range asked for, each after the one before.
func (r *barReader) checkTime(at int64) error {
	switch {
	case at < r.span.start || at >= r.span.end:
		return r.broken(domain.RuleOutsideRange, at, "open time is outside the range asked for")
	case at%nanosPerMicro != 0:
		return r.broken(domain.RuleOffGrid, at, "open time is finer than a microsecond")
	case r.rows > 0 && at == r.last:
		return r.broken(domain.RuleDuplicate, at, "two bars of one open time")
	case r.rows > 0 && (at < r.last) != r.descending:
		return r.broken(domain.RuleOutOfOrder, at, "comes out of order")
	case r.limit > 0 && r.rows == r.limit:
		return fmt.Errorf("more than the %d bars asked for: %w", r.limit, ports.ErrIncomplete)
	}
	return nil
}

// exact reads the field exact, which every write of ours sets.
func (r *barReader) exact(d *decoder, at int64) ([]byte, error) {
	c, err := d.code()
	if err != nil {
		return nil, err
	}
	if c == codeNil {
		return nil, r.unsettled(at, "the field exact is missing")
	}

	text, err := d.bytesAfter(c)
	r.text = append(r.text[:0], text...) // the decoder's until it is used again
	return r.text, err
}

// whole reads the field whole and, where the bar has it, wants it to be the checksum of the others.
func (r *barReader) whole(d *decoder, at int64, numbers [len(numberFields)]number, trades number, exact []byte) error {
	if r.layout.existing == nil {
		whole, err := d.number()
		if err != nil {
			return err
		}
		if whole.kind != numberNull && whole.int != checksumRead(numbers, trades.int, exact) {
			return r.unsettled(at, "the field whole is not the checksum of the others")
		}
	}
	return nil
}

// complete refuses a missing number, and a trade count that is none.
func (r *barReader) complete(at int64, numbers [len(numberFields)]number, trades number) error {
	for i, n := range numbers {
		if n.kind == numberNull {
			return r.unsettled(at, numberFields[i]+" is missing")
		}
	}

	switch {
	case trades.kind != numberInt:
		return r.unsettled(at, "the trade count is missing or not an integer")
	case trades.int < 0:
		return r.broken(domain.RuleNegativeTradeCount, at, "negative trade count")
	}

	return nil
}

// unsettled is a row that lacks something, for now or for good.
func (r *barReader) unsettled(at int64, detail string) error {
	return &unsettledError{at, r.broken(domain.RuleIncomplete, at, detail)}
}

func (r *barReader) broken(rule domain.Rule, at int64, detail string) error {
	return &domain.RuleError{Rule: rule, Key: r.key, At: time.Unix(0, at).UTC(), Detail: detail}
}

// flush hands out the piece, or in a descending answer keeps it for the end.
func (r *barReader) flush() error {
	if r.piece.len() == 0 {
		return nil
	}

	made, err := r.piece.series()
	if err != nil {
		return err
	}
	if r.descending {
		r.behind = append(r.behind, made)
		return nil
	}

	return r.hand(made)
}

func (r *barReader) hand(piece domain.Series) error {
	if err := r.alive(); err != nil {
		return err
	}
	if !r.yield(piece) {
		return errStop
	}

	return r.alive()
}

func (r *barReader) finish() error {
	if err := r.flush(); err != nil {
		return err
	}

	for _, piece := range slices.Backward(r.behind) {
		if err := r.hand(piece); err != nil {
			return err
		}
	}

	return nil
}
