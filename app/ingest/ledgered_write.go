package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBatch implements ports.BarWriter.
func (s *LedgeredStore) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", s.name, writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			write := ledgeredWrite{op: "write bars", bars: w.Bars, r: w.Coverage, onConflict: w.OnConflict}
			r.Report, r.Err = s.write(ctx, write)
		}
	}

	return results
}

// ReplaceBars implements ports.BarWriter.
func (s *LedgeredStore) ReplaceBars(
	ctx context.Context, bars domain.Series, r domain.Range,
) (ports.WriteReport, error) {
	w := ledgeredWrite{op: "replace bars", bars: bars, r: r, onConflict: ports.ReplaceOnConflict, replaces: true}
	if bars.Len() == 0 {
		return ports.WriteReport{}, access.Refusal(w.op, bars.Key().String(), ports.ErrNothingToReplace)
	}

	return s.write(ctx, w)
}

// DeleteBars implements ports.BarWriter.
func (s *LedgeredStore) DeleteBars(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (ports.WriteReport, error) {
	return s.write(ctx, ledgeredWrite{
		op: "delete bars", bars: domain.EmptySeries(key), r: r, replaces: true, deletes: true,
	})
}

// ledgeredWrite is a write of the bars of a range.
type ledgeredWrite struct {
	op       string
	bars     domain.Series
	r        domain.Range
	replaces bool // covered bars of r that are not written go
	deletes  bool // r is uncovered afterwards

	onConflict ports.ConflictPolicy
}

// write writes. Where the blocks change or another write is under way, it begins again, for as long as a writer waits.
func (s *LedgeredStore) write(ctx context.Context, w ledgeredWrite) (ports.WriteReport, error) {
	if err := s.check(ctx, &w); err != nil || w.r.Empty() {
		return ports.WriteReport{}, err
	}

	deadline := time.Now().Add(s.wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		report, err := s.tryWrite(ctx, w)
		var held *ports.IntentHeldError
		if !errors.As(err, &held) && !errors.Is(err, ports.ErrLedgerChanged) {
			return report, err
		}
		if !time.Now().Before(deadline) {
			return ports.WriteReport{}, s.failure(ports.ErrConflict, w.op, w.bars.Key(), err)
		}
		if err := s.pause(ctx, w.op, w.bars.Key(), pause); err != nil {
			return ports.WriteReport{}, err
		}
	}
}

// check refuses a write that is invalid, before anything changes.
func (s *LedgeredStore) check(ctx context.Context, w *ledgeredWrite) error {
	key := w.bars.Key()
	r, err := domain.NewRange(w.r.Start, w.r.End)
	if err == nil {
		err = key.Validate()
	}
	if err == nil && !r.Covers(openTimes(w.bars)) {
		err = fmt.Errorf("the bars span %s, which %s does not cover: %w", w.bars.Range(), r, ports.ErrInvalid)
	}
	if err != nil {
		return access.Refusal(w.op, key.String(), err)
	}
	if err := ctx.Err(); err != nil {
		return s.failure(ports.ContextKind(err), w.op, key, err)
	}

	w.r = r

	return s.bars.CheckBars(ctx, w.bars, r)
}

// openTimes returns the range from the first open time to just behind the last.
func openTimes(bars domain.Series) domain.Range {
	if bars.Len() == 0 {
		return domain.Range{}
	}
	return domain.Range{Start: bars.OpenTime(0), End: bars.OpenTime(bars.Len() - 1).Add(time.Microsecond)}
}

// tryWrite writes once.
func (s *LedgeredStore) tryWrite(ctx context.Context, w ledgeredWrite) (ports.WriteReport, error) {
	p, err := s.plan(ctx, w)
	if err != nil {
		return ports.WriteReport{}, err
	}
	if p.isUnchanged {
		return p.report, nil
	}

	p.intent.Owner = s.owner
	begun := s.ledger.BeginIntents(ctx, []ports.IntentPlan{p.intent})[0]
	if begun.Err != nil {
		return ports.WriteReport{}, begun.Err
	}
	intent := begun.Intent
	if err := s.fill(ctx, intent, p.wanted); err != nil {
		s.abandon(ctx, intent)
		if errors.Is(err, ports.ErrIntentLost) {
			err = s.failure(ports.ErrConflict, w.op, w.bars.Key(), err)
		}

		return ports.WriteReport{}, err
	}

	return p.report, nil
}

// fill makes the store have the wanted bars and finishes the intent. A deletion is done when its intent begins: bars
// that it leaves are not covered, and the next write of the range removes them.
func (s *LedgeredStore) fill(ctx context.Context, intent ports.Intent, wanted domain.Series) error {
	permit := func(ctx context.Context) error { return s.ledger.RenewIntents(ctx, []ports.Intent{intent}) }
	err := s.bars.SetBars(ctx, wanted, intent.Range, permit)
	if err != nil && intent.Deletes {
		s.abandon(ctx, intent)
		return nil
	}
	if err != nil {
		return err
	}

	finished := ports.FinishedIntent{Intent: intent, Added: s.blocksOf(intent.Key).sums(wanted)}

	return s.ledger.FinishIntents(ctx, []ports.FinishedIntent{finished})[0]
}

// abandonTimeout bounds how long a failed write takes to tell the ledger.
const abandonTimeout = 2 * time.Second

// abandon lets other writers begin at once. If it fails, too, they wait until the intent expires.
func (s *LedgeredStore) abandon(ctx context.Context, intent ports.Intent) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_ = s.ledger.AbandonIntents(ctx, []ports.Intent{intent}) // the write has failed already, with its own error
}

// writePlan is what a write has to do.
type writePlan struct {
	intent      ports.IntentPlan
	wanted      domain.Series // of the range
	report      ports.WriteReport
	isUnchanged bool // nothing
}

// plan compares the write with what is stored. Bars that are not covered count as absent.
func (s *LedgeredStore) plan(ctx context.Context, w ledgeredWrite) (writePlan, error) {
	key := w.bars.Key()
	p := writePlan{intent: ports.IntentPlan{Key: key, Range: w.r, Read: w.r, Deletes: w.deletes}, wanted: w.bars}
	record, err := s.record(ctx, key, w.r)
	if err != nil {
		return p, err
	}

	hasForeign := false
	if !record.Exists() {
		if hasForeign, err = s.checkForeign(ctx, w); err != nil {
			return p, err
		}
	}
	if p.intent.Coverage = domain.ClipRanges(record.State.Coverage, w.r); len(p.intent.Coverage) == 0 {
		p.report.Inserted = w.bars.Len()
		p.isUnchanged = w.deletes && !hasForeign

		return p, nil
	}

	return p, s.planChange(ctx, w, record, &p)
}

// checkForeign reports whether others wrote bars of the series, which is not in the ledger. It refuses a write that
// would uncover some of them without a word.
func (s *LedgeredStore) checkForeign(ctx context.Context, w ledgeredWrite) (bool, error) {
	inferred, err := s.inferredExtent(ctx, w.bars.Key())
	if err == nil && !w.r.Covers(inferred) {
		err = s.failure(ports.ErrConflict, w.op, w.bars.Key(), fmt.Errorf("other programs wrote bars of %s, "+
			"which would not be covered any more; write or replace a range that contains them to take them over", inferred))
	}

	return !inferred.Empty(), err
}

// planChange plans a write of a range that is covered in part.
func (s *LedgeredStore) planChange(
	ctx context.Context, w ledgeredWrite, record ports.LedgerRecord, p *writePlan,
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
	intent *ports.IntentPlan, record ports.LedgerRecord, stored []domain.Series,
) (sums []ports.BlockSum) {
	b := s.blocksOf(intent.Key)
	var kept []domain.Series
	for _, bars := range stored {
		kept = append(kept, bars.Clip(domain.Range{End: intent.Range.Start}))
		kept = append(kept, bars.Clip(domain.Range{Start: intent.Range.End, End: lastInstant}))
	}
	found := b.sums(nonEmpty(kept)...)
	for _, block := range record.State.BlocksWithin(b.layout, intent.Read) {
		sum := ports.BlockSum{Index: block.Index}
		if i := slices.IndexFunc(found, func(s ports.BlockSum) bool { return s.Index == block.Index }); i >= 0 {
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
	ctx context.Context, w ledgeredWrite, record ports.LedgerRecord,
) (stored storedBars, err error) {
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

// explainMismatch returns ErrLedgerChanged if the series changed since the record was read, else an error that says
// that the stored bars are wrong.
func (s *LedgeredStore) explainMismatch(
	ctx context.Context, w ledgeredWrite, record ports.LedgerRecord, mismatch error,
) error {
	present, err := s.record(ctx, w.bars.Key(), domain.Range{})
	switch {
	case err != nil:
		return err
	case present.State.Version != record.State.Version:
		return ports.ErrLedgerChanged
	}

	return s.failure(ports.ErrCorruptData, w.op, w.bars.Key(), mismatch)
}

// mergeBars returns the bars after a write, and the report of it. A replacement keeps no stored bar.
func mergeBars(stored domain.Series, w ledgeredWrite) (domain.Series, ports.WriteReport, error) {
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
	case w.onConflict == ports.ReplaceOnConflict:
		report.Changed++
	case w.onConflict == ports.KeepOnConflict:
		report.Kept++
		return stored
	default:
		conflicts.Add(stored.OpenTime, 1)
	}

	return written
}
