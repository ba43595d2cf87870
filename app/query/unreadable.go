package query

import (
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/domain/sorting"
)

// A stored bar that no Series can represent is left out of a result whose policy is not to fail, but something traded
// in its slot: the slot is not covered, is not filled, and has no bar that is resampled from the rest of it. Its open
// time is in the findings and among the dropped ones.

// reportsUnreadable reports whether the policy leaves such bars out.
func (q *query) reportsUnreadable() bool { return q.request.Quality != domain.QualityFail }

// slotsOf returns the slots of the grid that have the bars.
func slotsOf(g domain.Grid, bars []*domain.RuleError) []domain.Range {
	slots := make([]domain.Range, len(bars))
	for i, b := range bars {
		slots[i] = domain.Range{Start: g.Floor(b.At), End: g.Next(b.At)}
	}

	return slots
}

// rowRange returns the range from the first row of the reading to the end of the last, unreadable ones included.
func (r *reading) rowRange() (rows domain.Range) {
	c := &r.collector
	if n := len(c.Pieces); n > 0 {
		rows = domain.Range{Start: c.Pieces[0].Bars.OpenTime(0), End: c.Pieces[n-1].Bars.Range().End}
	}
	if len(c.Unreadable) > 0 {
		for _, slot := range slotsOf(r.query.Key.Grid, c.Unreadable) {
			rows = rows.Hull(slot)
		}
	}

	return rows
}

// withoutUnreadable yields the resampled bars that no unreadable bar is part of.
func (t *task) withoutUnreadable(bars iter.Seq2[domain.Series, error]) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for s, err := range bars {
			if err != nil || len(t.result.unreadable) == 0 {
				if !yield(s, err) {
					return
				}
				continue
			}
			for _, part := range s.Range().Subtract(slotsOf(t.query.grid(), t.result.unreadable)) {
				if kept := s.Clip(part); kept.Len() > 0 && !yield(kept, nil) {
					return
				}
			}
		}
	}
}

// reportUnreadable adds the unreadable bars of the result's range.
func (a *result) reportUnreadable(result *domain.Result, g domain.Grid) {
	var found []*domain.RuleError
	for _, b := range a.unreadable {
		if result.Range.Contains(g.Floor(b.At)) {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return
	}

	sorting.Func(found, func(x, y *domain.RuleError) int { return x.At.Compare(y.At) })
	for _, b := range found {
		result.Quality.Findings = quality.Merge(result.Quality.Findings, []domain.Finding{{
			Rule: b.Rule, Severity: domain.SeverityFatal, Detail: b.Detail, Count: 1, First: b.At,
		}})
		result.Quality.Dropped = append(result.Quality.Dropped, b.At)
	}
	sorting.Func(result.Quality.Dropped, time.Time.Compare)

	slots := slotsOf(g, found)
	result.Uncovered = domain.MergeRanges(append(slots, result.Uncovered...))
	var inferred []domain.Range
	for _, r := range result.Inferred {
		inferred = append(inferred, r.Subtract(slots)...)
	}
	result.Inferred = inferred
}
