package ingest

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

const (
	// retentionLease is how long a retention policy is believed. A read that finds other bars than the ledger counts asks
	// again at once, because a shorter policy may have dropped them.
	retentionLease = time.Minute

	// retentionTimeout bounds the question for the policy, because most reads wait for nothing else of the store.
	retentionTimeout = time.Second

	// retentionMargin is how much older than allowed a bar may be without being dropped: the clocks of the machines
	// differ, and a read takes its time.
	retentionMargin = time.Minute
)

// retention is how long the store keeps bars, when it was asked.
type retention struct {
	age   time.Duration // 0 keeps all bars
	asked time.Time
}

// cut tells which blocks a retention policy leaves alone. A store drops old bars without telling the ledger, so a block
// that begins before the retention is not covered for readers, and nobody has to write that:
//
//	 block 1       block 2       block 3       block 4
//	├─────────────┼─────────────┼─────────────┼──────── now
//	           ▲ age of the policy
//	 not covered               │ as the ledger says
//
// INVARIANT: two states of a series with equal versions are equal. The number of the first block that is left alone is
// added to the revision, so that the version changes with the cut.
type cut struct{ oldest time.Time } // the zero cut keeps everything

// cut returns the present cut. While the store cannot be asked, the policy is as it was.
func (s *LedgeredStore) cut(ctx context.Context) (cut, error) {
	reporter, isLimited := s.bars.(ports.RetentionReporter)
	if !isLimited {
		return cut{}, nil
	}

	known := s.retention.Load()
	if known == nil || time.Since(known.asked) >= retentionLease {
		askCtx, cancel := context.WithTimeout(ctx, retentionTimeout)
		defer cancel()
		age, err := reporter.Retention(askCtx)
		switch {
		case err == nil:
			known = &retention{age, time.Now()}
		case known == nil:
			return cut{}, err
		default:
			known = &retention{known.age, time.Now()}
		}
		s.retention.Store(known)
	}
	if known.age == 0 {
		return cut{}, nil
	}

	return cut{time.Now().Add(retentionMargin - known.age)}, nil
}

func (c cut) keepsAll() bool { return c.oldest.IsZero() }

// first returns the number of the first block that is left alone.
func (c cut) first(layout domain.BlockLayout) int64 {
	return layout.Index(domain.MicrosFloor(c.oldest)) + 1
}

// split returns the range of the blocks that are left alone, and that of the blocks before them.
func (c cut) split(layout domain.BlockLayout) (kept, lost domain.Range) {
	first := c.first(layout)
	kept = layout.Range(first, math.MaxInt64)
	return kept, layout.Range(math.MinInt64, first)
}

// readKept returns the records of the series as readers see them.
func (s *LedgeredStore) readKept(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	c, err := s.cut(ctx)
	if err != nil {
		return nil, err
	}
	if c.keepsAll() {
		return s.ledger.ReadLedger(ctx, queries)
	}

	stored := slices.Clone(queries)
	for i := range stored {
		if known := &stored[i].State.Known; *known != (domain.Version{}) {
			known.Revision -= c.first(domain.BarBlocks(stored[i].Key.Grid))
		}
	}
	records, err := s.ledger.ReadLedger(ctx, stored)
	for i := range records {
		records[i] = c.clip(domain.BarBlocks(queries[i].Key.Grid), records[i])
	}

	return records, err
}

// keptSeries returns the series of the ledger as readers see them.
func (s *LedgeredStore) keptSeries(ctx context.Context, symbols ...domain.Symbol) ([]ledger.Series, error) {
	c, err := s.cut(ctx)
	if err != nil {
		return nil, err
	}

	series, err := s.ledger.LedgerSeries(ctx, symbols...)
	if !c.keepsAll() {
		for i := range series {
			kept, _ := c.split(domain.BarBlocks(series[i].Key.Grid))
			series[i].Coverage = domain.ClipRanges(series[i].Coverage, kept)
		}
	}

	return series, err
}

// clip returns the record of the blocks that are left alone.
func (c cut) clip(layout domain.BlockLayout, record ledger.Record) ledger.Record {
	kept, _ := c.split(layout)
	record.Taken = domain.ClipRanges(record.Taken, kept)
	if record.State == nil || !record.Exists() {
		return record
	}

	state := *record.State
	state.Version.Revision += c.first(layout)
	state.Coverage = domain.ClipRanges(state.Coverage, kept)
	state.Blocks = state.BlocksWithin(layout, kept)
	record.Hashes = record.Hashes[len(record.Hashes)-len(state.Blocks):]
	if len(state.Blocks) == 0 {
		state.Tail = nil
	}
	record.State = &state

	return record
}

// lost returns the blocks that a write within r would read and that the cut uncovers, while the ledger covers some of
// them: an empty range if there are none. A write of a range of which nothing is covered reads no block.
func (c cut) lost(layout domain.BlockLayout, record ledger.Record, r domain.Range) domain.Range {
	if c.keepsAll() || len(domain.ClipRanges(record.State.Coverage, r)) == 0 {
		return domain.Range{}
	}

	_, lost := c.split(layout)
	touched := layout.Range(layout.Span(r)).Intersect(lost)
	if len(domain.ClipRanges(record.State.Coverage, touched)) == 0 {
		return domain.Range{}
	}

	return touched
}

// uncover takes the coverage and the sums of whole blocks away. It does not read their bars, which may be lost, and
// deletes none: the next write of the range does.
func (s *LedgeredStore) uncover(
	ctx context.Context, key domain.SeriesKey, record ledger.Record, blocks domain.Range,
) error {
	plan := ledger.IntentPlan{
		Key: key, Range: blocks, Owner: s.owner, Deletes: true,
		Read: blocks, Coverage: domain.ClipRanges(record.State.Coverage, blocks),
	}
	for _, b := range record.State.BlocksWithin(domain.BarBlocks(key.Grid), blocks) {
		plan.Kept = append(plan.Kept, ledger.BlockSum{Index: b.Index, Version: b.Version})
	}

	begun := s.ledger.BeginIntents(ctx, []ledger.IntentPlan{plan})[0]
	if begun.Err != nil {
		return begun.Err
	}

	if err := s.ledger.FinishIntents(ctx, []ledger.FinishedIntent{{Intent: begun.Intent}})[0]; err != nil {
		s.abandon(ctx, []ledger.Intent{begun.Intent}) // the range is uncovered since the intent began
	}

	return nil
}
