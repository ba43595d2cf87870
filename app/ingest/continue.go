package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Ends says which ends of a file its rows reach.
type Ends struct{ First, Last bool }

// ContinueTicks returns the ticks of a file without sequence numbers, which are numbered by their positions within
// their instants, under the numbers that they have or get in the dataset. Only the first and the last instant of the
// file need it, because files may be cut within an instant; ends says whether the ticks reach them.
//
// Ticks that are stored already, in this order, keep their numbers. Others continue the stored ticks of a first instant
// behind which nothing is covered, and precede those of a last instant before which nothing is covered; the stored ones
// are then numbered again. Where no file was cut within the instant, because nothing is covered on its other side, the
// ticks keep their positions, and the conflict policy of the write decides.
//
// The place of ticks that are all of a file and of one instant is not known; they follow the stored ones where they
// can. The error is ports.ErrConflict where both sides are covered, and where some of the ticks equal stored ones,
// because they may be the same ticks or others. Two calls for one symbol must not run at the same time.
func ContinueTicks[T domain.Tick](
	ctx context.Context, d Dataset[domain.Ticks[T]], ticks domain.Ticks[T], ends Ends,
) (domain.Ticks[T], error) {
	whole := ticks.Range()
	if whole.Empty() {
		return ticks, nil
	}

	first := instantOf(whole.Start)
	last := instantOf(whole.End.Add(-time.Microsecond))
	if first.Equal(last) {
		return continueInstant(ctx, d, ticks, ends)
	}

	head, tail := ticks.Clip(first), ticks.Clip(last)
	var err error
	if ends.First {
		if head, err = continueInstant(ctx, d, head, Ends{First: true}); err != nil {
			return ticks, err
		}
	}
	if ends.Last {
		if tail, err = continueInstant(ctx, d, tail, Ends{Last: true}); err != nil {
			return ticks, err
		}
	}

	inside := ticks.Clip(domain.Range{Start: first.End, End: last.Start})

	return domain.ConcatTicks(ticks, []domain.Ticks[T]{head, inside, tail})
}

// instantOf returns the range of the ticks with the time.
func instantOf(at time.Time) domain.Range {
	return domain.Range{Start: at, End: at.Add(time.Microsecond)}
}

// continueInstant is ContinueTicks for the ticks of one instant.
func continueInstant[T domain.Tick](
	ctx context.Context, d Dataset[domain.Ticks[T]], ticks domain.Ticks[T], ends Ends,
) (domain.Ticks[T], error) {
	if ends == (Ends{}) {
		return ticks, nil
	}

	at := ticks.Range()
	around := domain.Range{Start: at.Start.Add(-time.Microsecond), End: at.End.Add(time.Microsecond)}
	page, err := d.Read(ctx, around, 0)
	if errors.Is(err, ports.ErrNotFound) {
		return ticks, nil
	}
	if err != nil {
		return ticks, err
	}

	stored := page.Rows.Clip(at)
	if stored.Len() == 0 {
		return ticks, nil
	}
	if from, _ := search(stored, ticks); from >= 0 {
		return stored.Slice(from, from+ticks.Len()), nil
	}

	covered := func(r domain.Range) bool { return len(r.Subtract(page.Uncovered)) > 0 }
	before := covered(domain.Range{Start: around.Start, End: at.Start})
	after := covered(domain.Range{Start: at.End, End: around.End})
	switch {
	case ends.First && !after:
		return appendTo(stored, ticks)
	case ends.Last && !before:
		return prependTo(ctx, d, stored, ticks)
	case before && after:
		return ticks, cutError(ticks, "its rows of that time are not stored, but earlier and later ones are")
	default:
		return ticks, nil
	}
}

// search returns the index in text from which all of pattern follows, or -1, and how many last ticks of text are the
// first ones of pattern. Numbers do not matter. It takes linear time, see Knuth, Morris and Pratt, "Fast pattern
// matching in strings", 1977.
func search[T domain.Tick](text, pattern domain.Ticks[T]) (from, overlap int) {
	borders := make([]int, 1, pattern.Len()) // of the first i+1 ticks, how many last ones are first ones
	extend := func(matched int, tick T) int {
		for matched > 0 && !equalExceptSeq(pattern.At(matched), tick) {
			matched = borders[matched-1]
		}
		if equalExceptSeq(pattern.At(matched), tick) {
			matched++
		}

		return matched
	}

	matched := 0
	for _, tick := range pattern.Slice(1, pattern.Len()).All() {
		matched = extend(matched, tick)
		borders = append(borders, matched)
	}

	matched = 0
	for i, tick := range text.All() {
		if matched = extend(matched, tick); matched == pattern.Len() {
			return i + 1 - matched, matched
		}
	}

	return -1, matched
}

func equalExceptSeq[T domain.Tick](a, b T) bool {
	return any(withSeq(a, 0)).(interface{ Equal(o T) bool }).Equal(withSeq(b, 0))
}

const mayBeStored = "only some of its rows of that time equal stored ones, which may be the same rows or others"

// appendTo numbers the ticks behind the stored ones.
func appendTo[T domain.Tick](stored, ticks domain.Ticks[T]) (domain.Ticks[T], error) {
	if _, overlap := search(stored, ticks); overlap > 0 {
		return ticks, cutError(ticks, mayBeStored)
	}

	return renumber(ticks, stored.Seq(stored.Len()-1)+1)
}

// prependTo numbers the ticks from 0, and the stored ones again behind them.
func prependTo[T domain.Tick](
	ctx context.Context, d Dataset[domain.Ticks[T]], stored, ticks domain.Ticks[T],
) (domain.Ticks[T], error) {
	if _, overlap := search(ticks, stored); overlap > 0 {
		return ticks, cutError(ticks, mayBeStored)
	}

	ticks, err := renumber(ticks, 0)
	if err != nil {
		return ticks, err
	}

	moved, err := renumber(stored, int64(ticks.Len()))
	if err != nil {
		return ticks, err
	}

	all, err := domain.ConcatTicks(ticks, []domain.Ticks[T]{ticks, moved})
	if err == nil {
		_, err = d.Replace(ctx, all, all.Range())
	}

	return ticks, err
}

// renumber returns the ticks with numbers that count from first.
func renumber[T domain.Tick](ticks domain.Ticks[T], first int64) (domain.Ticks[T], error) {
	b := domain.NewTicksBuilder[T](ticks.Symbol())
	for i, tick := range ticks.All() {
		if err := b.Append(withSeq(tick, first+int64(i))); err != nil {
			return domain.Ticks[T]{}, err
		}
	}

	return b.Ticks()
}

// withSeq returns the tick with the number.
func withSeq[T domain.Tick](tick T, seq int64) T {
	switch t := any(&tick).(type) {
	case *domain.Trade:
		t.Seq = seq
	case *domain.Quote:
		t.Seq = seq
	}

	return tick
}

// cutError is the error for a file that begins or ends within the instant of the ticks.
func cutError[T domain.Tick](ticks domain.Ticks[T], reason string) error {
	return fmt.Errorf("the file begins or ends within %s, and %s; delete the rows of that time, and import the files "+
		"that have it as one file, or with ids: %w",
		ticks.Range().Start.Format(time.RFC3339Nano), reason, ports.ErrConflict)
}
