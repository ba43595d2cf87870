package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// writePlan lists the changes that a write has to make.
type writePlan struct {
	intent      ledger.IntentPlan
	wanted      domain.Series // of the range
	report      ports.WriteReport
	isNew       bool // nothing of the range is covered or stored
	isUnchanged bool // nothing is to be done
}

// planAll plans the writes. The records of all series are read at once.
func (s *LedgeredStore) planAll(ctx context.Context, writes []*ledgeredWrite) {
	c, err := s.cut(ctx)
	if err != nil {
		failAll(writes, err)
		return
	}
	records, err := s.readTouchedRecords(ctx, writes)
	if err != nil {
		failAll(writes, err)
		return
	}

	var others []domain.SeriesKey // that are not in the ledger
	for i, record := range records {
		if !record.Exists() {
			others = append(others, writes[i].bars.Key())
		}
	}
	inferred, err := s.inferredRanges(ctx, others)
	if err != nil {
		failAll(writes, err)
		return
	}

	for i, w := range writes {
		key := w.bars.Key()
		if lost := c.lost(domain.BarBlocks(key.Grid), records[i], w.r); !lost.Empty() {
			w.Err = cmp.Or(s.uncover(ctx, key, records[i], lost), ledger.ErrChanged)
			continue
		}

		w.plan, w.Err = s.planWrite(ctx, w, records[i], inferred[key])
		if w.Err == nil && w.plan.isUnchanged {
			w.Report = w.plan.report
		}
	}
}

// readTouchedRecords returns the records of the writes, with the blocks where a part of the range is covered. The other
// writes need none, and most writes are of these, because they append.
func (s *LedgeredStore) readTouchedRecords(ctx context.Context, writes []*ledgeredWrite) ([]ledger.Record, error) {
	queries := make([]ports.SeriesQuery, len(writes))
	for i, w := range writes {
		queries[i] = ports.SeriesQuery{Key: w.bars.Key()}
	}
	records, err := s.ledger.ReadLedger(ctx, queries)
	if err != nil {
		return nil, err
	}

	var touched []int
	var again []ports.SeriesQuery
	for i, w := range writes {
		if len(domain.ClipRanges(records[i].State.Coverage, w.r)) > 0 {
			touched = append(touched, i)
			again = append(again, ports.SeriesQuery{Key: w.bars.Key(), State: ports.StateQuery{Range: w.r}})
		}
	}
	if len(again) == 0 {
		return records, nil
	}

	changed, err := s.ledger.ReadLedger(ctx, again)
	for k, record := range changed {
		records[touched[k]] = record
	}

	return records, err
}

// refuseForeign returns the error of a write that would uncover bars of a series that is not in the ledger. If another
// writer added the series to the ledger meanwhile, they are its bars, and the write begins again.
func (s *LedgeredStore) refuseForeign(ctx context.Context, w *ledgeredWrite, foreign domain.Range) error {
	key := w.bars.Key()
	records, err := s.ledger.ReadLedger(ctx, []ports.SeriesQuery{{Key: key}})
	if err != nil {
		return err
	}
	if records[0].Exists() {
		return ledger.ErrChanged
	}

	return s.failure(ports.ErrConflict, w.op, key, fmt.Errorf("other programs wrote bars of %s, "+
		"which would not be covered any more; write or replace a range that contains them to take them over", foreign))
}

// planWrite compares a write with the stored bars. Bars that are not covered count as absent. foreign has the bars that
// others wrote, of a series that is not in the ledger.
func (s *LedgeredStore) planWrite(
	ctx context.Context, w *ledgeredWrite, record ledger.Record, foreign domain.Range,
) (writePlan, error) {
	key := w.bars.Key()
	p := writePlan{
		intent: ledger.IntentPlan{Key: key, Range: w.r, Read: w.r, Deletes: w.deletes, Owner: s.owner}, wanted: w.bars,
	}
	if !w.r.Covers(foreign) {
		return p, s.refuseForeign(ctx, w, foreign)
	}
	if p.intent.Coverage = domain.ClipRanges(record.State.Coverage, w.r); len(p.intent.Coverage) == 0 {
		p.report.Inserted = w.bars.Len()
		p.isNew = foreign.Empty()
		p.isUnchanged = w.deletes && p.isNew && !w.uncovers // which ends the intents there

		return p, nil
	}

	return p, s.planChange(ctx, w, record, &p)
}

// planChange plans a write of a range that is covered in part.
func (s *LedgeredStore) planChange(
	ctx context.Context, w *ledgeredWrite, record ledger.Record, p *writePlan,
) error {
	stored, err := s.readTouched(ctx, w, record)
	if err != nil {
		return err
	}

	var inside []domain.Series
	for _, bars := range stored.bars {
		inside = append(inside, bars.Clip(w.r))
	}
	before, err := domain.ConcatSeries(domain.EmptySeries(w.bars.Key()), nonEmpty(inside))
	if err != nil {
		return err
	}
	if p.wanted, p.report, err = mergeBars(before, w); err != nil {
		if errors.Is(err, ports.ErrConflict) {
			err = s.failure(ports.ErrConflict, w.op, w.bars.Key(), err)
		}

		return err
	}

	if !stored.isBroken {
		p.intent.Range = w.changedRange(record.State.Coverage, before, p.wanted)
	}
	if p.isUnchanged = p.intent.Range.Empty(); !p.isUnchanged {
		p.wanted = p.wanted.Clip(p.intent.Range)
		p.intent.Kept = s.keptSums(&p.intent, record, stored.bars)
	}

	return nil
}

// changedRange returns the part of the range from the first to the last instant at which a bar or the coverage changes.
// A write of what is stored already, and of what follows it, so becomes an append.
func (w *ledgeredWrite) changedRange(coverage []domain.Range, before, wanted domain.Series) (changed domain.Range) {
	parts := w.r.Subtract(coverage)
	if w.deletes {
		parts = domain.ClipRanges(coverage, w.r)
	}
	for _, r := range parts {
		changed = changed.Hull(r)
	}

	first := 0
	for first < min(before.Len(), wanted.Len()) && before.At(first).Equal(wanted.At(first)) {
		first++
	}
	before, wanted = before.Slice(first, before.Len()), wanted.Slice(first, wanted.Len())
	last := 0
	for last < min(before.Len(), wanted.Len()) &&
		before.At(before.Len()-1-last).Equal(wanted.At(wanted.Len()-1-last)) {
		last++
	}

	before, wanted = before.Slice(0, before.Len()-last), wanted.Slice(0, wanted.Len()-last)

	return changed.Hull(before.Range().Hull(wanted.Range()).Intersect(w.r))
}

// lastInstant is later than any bar.
var lastInstant = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

func nonEmpty(pieces []domain.Series) []domain.Series {
	return slices.DeleteFunc(pieces, func(s domain.Series) bool { return s.Len() == 0 })
}

// keptSums returns the sums of the stored bars outside of the range of the intent, for each block that was read.
func (s *LedgeredStore) keptSums(
	intent *ledger.IntentPlan, record ledger.Record, stored []domain.Series,
) (sums []ledger.BlockSum) {
	b := s.blocksOf(intent.Key)
	var kept []domain.Series
	for _, bars := range stored {
		kept = append(kept, bars.Clip(domain.Range{End: intent.Range.Start}))
		kept = append(kept, bars.Clip(domain.Range{Start: intent.Range.End, End: lastInstant}))
	}
	found := b.sums(nonEmpty(kept)...)
	for _, block := range record.State.BlocksWithin(b.layout, intent.Read) {
		sum := ledger.BlockSum{Index: block.Index}
		if i := slices.IndexFunc(found, func(s ledger.BlockSum) bool { return s.Index == block.Index }); i >= 0 {
			sum = found[i]
		}
		sum.Version = block.Version
		sums = append(sums, sum)
	}

	return sums
}

// storedBars are the covered bars of the blocks that a write touches.
type storedBars struct {
	bars     []domain.Series
	isBroken bool // without those of blocks that the write replaces whole, because they are lost or altered
}

// readTouched reads the blocks that the write touches. Blocks of which a replacement keeps no bar may be corrupt.
func (s *LedgeredStore) readTouched(
	ctx context.Context, w *ledgeredWrite, record ledger.Record,
) (stored storedBars, err error) {
	if w.uncovers {
		return storedBars{isBroken: true}, nil
	}

	b := s.blocksOf(w.bars.Key())
	blocks := record.State.BlocksWithin(b.layout, w.r)
	stored.bars, err = b.read(ctx, record, blocks)
	if w.replaces && isBroken(err) {
		keeps := func(block domain.BlockState) bool {
			covered := domain.ClipRanges(record.State.Coverage, b.bounds(block.Index, block.Index+1))
			return slices.ContainsFunc(covered, func(r domain.Range) bool { return !w.r.Covers(r) })
		}
		stored.isBroken, stored.bars, err = true, nil, nil
		for _, block := range blocks {
			if err == nil && keeps(block) {
				var bars []domain.Series
				bars, err = b.read(ctx, record, []domain.BlockState{block})
				stored.bars = append(stored.bars, bars...)
			}
		}
	}
	if errors.Is(err, errMismatch) {
		err = s.explainMismatch(ctx, w, record, err)
	}

	return stored, err
}

// isBroken reports whether bars cannot be read, or are not those of the record.
func isBroken(err error) bool {
	return errors.Is(err, errMismatch) || errors.Is(err, ports.ErrCorruptData)
}

// explainMismatch returns ledger.ErrChanged if the series changed since the record was read, or a new retention policy
// dropped bars, else an error that says that the stored bars are wrong.
func (s *LedgeredStore) explainMismatch(
	ctx context.Context, w *ledgeredWrite, record ledger.Record, mismatch error,
) error {
	key := w.bars.Key()
	present, err := s.record(ctx, key, domain.Range{})
	if err != nil {
		return err
	}
	s.retention.Store(nil)
	c, err := s.cut(ctx)
	isLost := !c.lost(domain.BarBlocks(key.Grid), record, w.r).Empty()
	switch {
	case err != nil:
		return err
	case isLost || present.State.Version != record.State.Version:
		return ledger.ErrChanged
	}

	return s.corrupt(w.op, key, mismatch)
}

// mergeBars returns the bars after a write, and the report of it. A replacement keeps no stored bar.
func mergeBars(stored domain.Series, w *ledgeredWrite) (domain.Series, ports.WriteReport, error) {
	var report ports.WriteReport
	var conflicts ports.ConflictError
	b := domain.NewSeriesBuilder(w.bars.Key(), stored.Len()+w.bars.Len())
	var err error
	add := func(bar domain.Bar) {
		if err == nil {
			err = b.Append(bar)
		}
	}

	at := 0 // of the stored bars
	keepUntil := func(t time.Time) {
		for ; at < stored.Len() && stored.OpenTime(at).Before(t); at++ {
			if w.replaces {
				report.Deleted++
			} else {
				add(stored.At(at))
			}
		}
	}
	for _, bar := range w.bars.All() {
		keepUntil(bar.OpenTime)
		if at == stored.Len() || !stored.OpenTime(at).Equal(bar.OpenTime) {
			report.Inserted++
			add(bar)

			continue
		}

		add(w.resolve(stored.At(at), bar, &report, &conflicts))
		at++
	}
	keepUntil(lastInstant)
	switch {
	case err != nil:
		return domain.Series{}, report, err
	case conflicts.Rows > 0:
		return domain.Series{}, report, &conflicts
	}

	merged, err := b.Series()

	return merged, report, err
}

// resolve counts a bar that is written over a stored one, and returns the one that stays.
func (w *ledgeredWrite) resolve(
	stored, written domain.Bar, report *ports.WriteReport, conflicts *ports.ConflictError,
) domain.Bar {
	switch {
	case stored.Equal(written):
		report.Unchanged++
	case w.onConflict == ports.ConflictReplace:
		report.Changed++
	case w.onConflict == ports.ConflictKeep:
		report.Kept++
		return stored
	default:
		conflicts.Add(stored.OpenTime, 1)
	}

	return written
}
