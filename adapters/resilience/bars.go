package resilience

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// bars is a store of bars with a policy.
type bars struct {
	policy *Policy
	next   ports.Store
}

var (
	_ ports.BarToucher       = bars{}
	_ ports.BarUncoverer     = bars{}
	_ ports.OnePageLister    = bars{}
	_ ports.PartitionDropper = bars{}
)

// Bars returns the store with the policy. It can what the functions of package ports make of the store: TouchBars,
// UncoverBars, ListsOnePage and DropPartitions.
func (p *Policy) Bars(next ports.Store) ports.Store { return bars{p, next} }

// ReadBars implements ports.BarReader.
func (s bars) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return pieces(ctx, s.policy, "read bars", barRows(q), func() ports.Sequence[domain.Series] {
		return s.next.ReadBars(ctx, q)
	})
}

// Extents implements ports.CoverageReader.
func (s bars) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return sequence(ctx, s.policy, "read coverage", 0, func() iter.Seq2[domain.Extent, error] {
		return s.next.Extents(ctx, q)
	})
}

// ListsOnePage implements ports.OnePageLister.
func (s bars) ListsOnePage() bool { return ports.ListsOnePage(s.next) }

// WriteBatch implements ports.BarWriter.
func (s bars) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	return writeEach(ctx, s.policy, batchWrite[ports.BarWrite, ports.WriteResult]{
		op: "write bars", elements: writes, write: func(writes []ports.BarWrite) []ports.WriteResult {
			return s.next.WriteBatch(ctx, writes)
		},
		rows:  func(w ports.BarWrite) int { return w.Bars.Len() },
		errOf: func(r *ports.WriteResult) *error { return &r.Err },
	})
}

// ReplaceBars implements ports.BarWriter.
func (s bars) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "replace bars", bars.Len(), func() (ports.WriteReport, error) {
		return s.next.ReplaceBars(ctx, bars, r)
	})
}

// DeleteBars implements ports.BarWriter.
func (s bars) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "delete bars", 0, func() (ports.WriteReport, error) {
		return s.next.DeleteBars(ctx, key, r)
	})
}

// TouchBars implements ports.BarToucher.
func (s bars) TouchBars(ctx context.Context, key domain.SeriesKey) error {
	return s.policy.write(ctx, "touch bars", func(*attempt) error { return ports.TouchBars(ctx, s.next, key) })
}

// UncoverBars implements ports.BarUncoverer.
func (s bars) UncoverBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	return writeValue(ctx, s.policy, "uncover bars", 0, func() (domain.Range, error) {
		return ports.UncoverBars(ctx, s.next, key, r)
	})
}

// DropPartitions implements ports.PartitionDropper.
func (s bars) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	return dropPartitions(ctx, s.policy, s.next, before)
}

func dropPartitions(ctx context.Context, p *Policy, store any, before time.Time) ([]ports.Partition, error) {
	return writeValue(ctx, p, "drop partitions", 0, func() ([]ports.Partition, error) {
		return ports.DropPartitions(ctx, store, before)
	})
}

// states is a ports.StateReader with a policy.
type states struct {
	policy *Policy
	next   ports.StateReader
}

// States returns the reader with the policy.
func (p *Policy) States(next ports.StateReader) ports.StateReader { return states{p, next} }

// ReadStates implements ports.StateReader.
func (s states) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	return readValue(ctx, s.policy, "read states", func() ([]*domain.SeriesState, error) {
		return s.next.ReadStates(ctx, queries)
	})
}

// batch is a ports.BatchReader with a policy.
type batch struct {
	policy *Policy
	next   ports.BatchReader
}

// Batch returns the reader with the policy.
func (p *Policy) Batch(next ports.BatchReader) ports.BatchReader { return batch{p, next} }

// barRows returns how many bars the result of a query may have; none for a query that a store refuses.
func barRows(q ports.BarQuery) int64 {
	if q.Key.Validate() != nil {
		return 0
	}

	return q.MaxBars()
}

// batchRows is barRows for all queries.
func batchRows(queries []ports.BarQuery) (rows int64) {
	const maxQueryRows = 1 << 32 // no limit is above it, and the sum does not overflow
	for _, q := range queries {
		rows += min(barRows(q), maxQueryRows)
	}

	return rows
}

// ReadBatch implements ports.BatchReader.
func (s batch) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	return sequence(ctx, s.policy, "read batch", batchRows(queries), func() iter.Seq2[ports.BatchBars, error] {
		return s.next.ReadBatch(ctx, queries)
	})
}

// explainer is a ports.ReadExplainer with a policy.
type explainer struct {
	policy *Policy
	next   ports.ReadExplainer
}

// Explainer returns the explainer with the policy.
func (p *Policy) Explainer(next ports.ReadExplainer) ports.ReadExplainer { return explainer{p, next} }

// ExplainRead implements ports.ReadExplainer.
func (s explainer) ExplainRead(ctx context.Context, q ports.BarQuery) (ports.ReadPlan, error) {
	return readValue(ctx, s.policy, "explain", func() (ports.ReadPlan, error) { return s.next.ExplainRead(ctx, q) })
}
