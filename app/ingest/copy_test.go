package ingest_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// memoryTarget is a dataset of bars in memory. It can do what Copy needs.
type memoryTarget struct {
	ingest.Dataset[domain.Series]
	t        fataler
	bars     map[time.Time]domain.Bar
	coverage []domain.Range
	writes   int
	spoil    bool // every write stores a wrong close
}

func newMemoryTarget(t fataler, bars domain.Series, coverage []domain.Range) *memoryTarget {
	m := &memoryTarget{t: t, bars: map[time.Time]domain.Bar{}, coverage: coverage}
	for _, b := range bars.All() {
		m.bars[b.OpenTime] = b
	}

	return m
}

func (m *memoryTarget) series(t fataler) domain.Series {
	b := domain.NewSeriesBuilder(minuteKey, 0)
	for n := range 20 {
		if bar, ok := m.bars[minute(n)]; ok {
			if err := b.Append(bar); err != nil {
				t.Fatal(err)
			}
		}
	}

	return seriesOf(t, b)
}

// Name returns the text of the key.
func (m *memoryTarget) Name() string { return minuteKey.String() }

// Coverage returns the declared coverage.
func (m *memoryTarget) Coverage(context.Context) ([]domain.Range, error) { return m.coverage, nil }

// Read returns the first bars of r.
func (m *memoryTarget) Read(_ context.Context, r domain.Range, limit int) (ingest.Page[domain.Series], error) {
	bars := m.series(m.t).Clip(r)
	return ingest.Page[domain.Series]{Rows: bars.Slice(0, min(limit, bars.Len())), Range: r}, nil
}

// Ingest stores the bars, or spoiled ones.
func (m *memoryTarget) Ingest(_ context.Context, s domain.Series, coverage domain.Range) (ports.WriteReport, error) {
	m.writes++
	m.coverage = domain.MergeRanges(append(m.coverage, coverage))
	for _, b := range s.All() {
		if m.spoil {
			b.Close = domain.MustDecimal("8")
		}
		m.bars[b.OpenTime] = b
	}

	return ports.WriteReport{Inserted: s.Len()}, nil
}

// Replace deletes the bars of r and stores the others.
func (m *memoryTarget) Replace(ctx context.Context, s domain.Series, r domain.Range) (ports.WriteReport, error) {
	deleted, _ := m.Delete(ctx, r)
	m.coverage = domain.MergeRanges(append(m.coverage, r))
	for _, b := range s.All() {
		m.bars[b.OpenTime] = b
	}

	return deleted.Add(ports.WriteReport{Inserted: s.Len()}), nil
}

// Delete deletes the bars of r.
func (m *memoryTarget) Delete(_ context.Context, r domain.Range) (ports.WriteReport, error) {
	m.writes++
	deleted := 0
	for at := range m.bars {
		if r.Contains(at) {
			delete(m.bars, at)
			deleted++
		}
	}
	m.coverage = subtractRange(m.coverage, r)

	return ports.WriteReport{Deleted: deleted}, nil
}

func subtractRange(ranges []domain.Range, r domain.Range) (rest []domain.Range) {
	for _, from := range ranges {
		rest = append(rest, from.Subtract([]domain.Range{r})...)
	}
	return rest
}

// pagesOf cuts the bars of r into pages of n minutes.
func pagesOf(
	bars domain.Series, r domain.Range, n int, uncovered []domain.Range,
) iter.Seq2[ingest.Page[domain.Series], error] {
	return func(yield func(ingest.Page[domain.Series], error) bool) {
		for !r.Empty() {
			span := domain.Range{Start: r.Start, End: r.Start.Add(time.Duration(n) * time.Minute)}
			span = span.Intersect(r)
			p := ingest.Page[domain.Series]{Rows: bars.Clip(span), Range: span}
			for _, u := range uncovered {
				if u = u.Intersect(span); !u.Empty() {
					p.Uncovered = append(p.Uncovered, u)
				}
			}
			if !yield(p, nil) {
				return
			}

			r.Start = span.End
		}
	}
}

// A copy makes the target equal to the source in what the source covers, changes nothing else, and writes nothing the
// second time. Without overwrite it stops at the first conflict.
func TestCopyMakesTheTargetEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minuteRange := func(from, to int) domain.Range { return domain.Range{Start: minute(from), End: minute(to)} }
		covered := minuteRange(rapid.IntRange(0, 9).Draw(t, "start"), rapid.IntRange(10, 20).Draw(t, "end"))
		gap := minuteRange(rapid.IntRange(0, 19).Draw(t, "gap"), 0)
		gap.End = gap.Start.Add(time.Minute)
		source := drawBars(t, "source")
		existing := minuteRange(0, rapid.IntRange(0, 20).Draw(t, "existing"))
		before := drawBars(t, "target").Clip(existing)
		target := newMemoryTarget(t, before, domain.MergeRanges([]domain.Range{existing}))
		overwrite, n := rapid.Bool().Draw(t, "overwrite"), rapid.IntRange(1, 7).Draw(t, "page")
		options := ingest.CopyOptions{Overwrite: overwrite, MaxRows: n}
		pages := func() iter.Seq2[ingest.Page[domain.Series], error] {
			return pagesOf(source, covered, n, []domain.Range{gap})
		}
		copied := covered.Subtract([]domain.Range{gap})

		report, err := ingest.Copy(context.Background(), pages(), target, options)
		if conflict := firstConflictIn(before, source, copied); !overwrite && conflict != nil {
			var got *ingest.ConflictError
			if !errors.As(err, &got) || !got.Time.Equal(*conflict) {
				t.Fatalf("got %v; want a conflict at %s", err, conflict)
			}

			return
		}
		if err != nil || !report.Range.Equal(covered) || report.Rows != source.Clip(covered).Len() {
			t.Fatalf("got %+v, %v; want %s", report, err, covered)
		}

		after := target.series(t)
		for n := range 20 {
			r, want := minuteRange(n, n+1), before
			if len(r.Subtract(copied)) == 0 {
				want = source
			}
			if !after.Clip(r).Equal(want.Clip(r)) {
				t.Fatalf("minute %d is %s; want %s", n, after.Clip(r), want.Clip(r))
			}
		}
		for _, r := range copied {
			if len(r.Subtract(target.coverage)) > 0 {
				t.Fatalf("%s is not covered: %v", r, target.coverage)
			}
		}

		writes := target.writes
		_, err = ingest.Copy(context.Background(), pages(), target, options)
		if err != nil || target.writes != writes {
			t.Fatalf("the second copy wrote %d times, %v", target.writes-writes, err)
		}
	})
}

// firstConflictIn returns the time of the first bar of before in the ranges that source lacks or contradicts.
func firstConflictIn(before, source domain.Series, ranges []domain.Range) *time.Time {
	for _, r := range ranges {
		for _, b := range before.Clip(r).All() {
			minute := domain.Range{Start: b.OpenTime, End: b.OpenTime.Add(time.Minute)}
			if !before.Clip(minute).Equal(source.Clip(minute)) {
				return &b.OpenTime
			}
		}
	}

	return nil
}

// Bars that read back differently after they were written are an error.
func TestCopyComparesWhatItWrote(t *testing.T) {
	t.Parallel()
	bars, target := gen.FlatBars(minuteKey, minute(0), 3), newMemoryTarget(t, domain.EmptySeries(minuteKey), nil)
	target.spoil = true
	_, err := ingest.Copy(t.Context(), pagesOf(bars, bars.Range(), 2, nil), target, ingest.CopyOptions{})
	if !errors.Is(err, ports.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
}
