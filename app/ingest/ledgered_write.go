package ingest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// WriteBatch implements ports.BarWriter. The series are written together: how many requests that takes does not depend
// on how many series there are, unless a part of a range is covered, and then its blocks are read. If a request fails,
// the ranges of all series that were written with it are uncovered.
func (s *LedgeredStore) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", s.name, writes)
	batch := make([]*ledgeredWrite, len(writes))
	for i, w := range writes {
		batch[i] = &ledgeredWrite{
			op: "write bars", bars: w.Bars, r: w.Coverage, onConflict: w.OnConflict, WriteResult: results[i],
		}
	}

	s.write(ctx, batch)
	for i, w := range batch {
		results[i] = w.WriteResult
	}

	return results
}

// maxReplaced limits the bars of a replacement, because its range is uncovered until all of them are written.
const maxReplaced = 1_000_000

// ReplaceBars implements ports.BarWriter. It refuses more than a million bars.
func (s *LedgeredStore) ReplaceBars(
	ctx context.Context, bars domain.Series, r domain.Range,
) (ports.WriteReport, error) {
	w := ledgeredWrite{op: "replace bars", bars: bars, r: r, onConflict: ports.ConflictReplace, replaces: true}
	switch n := bars.Len(); {
	case n == 0:
		return ports.WriteReport{}, access.Refusal(w.op, bars.Key().String(), ports.ErrNothingToReplace)
	case n > maxReplaced:
		return ports.WriteReport{}, s.failure(ports.ErrTooLarge, w.op, bars.Key(), fmt.Errorf("%d bars in one "+
			"replacement, at most %d are allowed; replace the range in parts, the first one up to %s",
			n, maxReplaced, bars.OpenTime(maxReplaced).Format(time.RFC3339)))
	}

	s.write(ctx, []*ledgeredWrite{&w})

	return w.Report, w.Err
}

// DeleteBars implements ports.BarWriter.
func (s *LedgeredStore) DeleteBars(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (ports.WriteReport, error) {
	w := ledgeredWrite{op: "delete bars", bars: domain.EmptySeries(key), r: r, replaces: true, deletes: true}
	s.write(ctx, []*ledgeredWrite{&w})

	return w.Report, w.Err
}

// UncoverBars implements ports.BarUncoverer.
func (s *LedgeredStore) UncoverBars(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (domain.Range, error) {
	w := ledgeredWrite{
		op: "uncover bars", bars: domain.EmptySeries(key), r: r, replaces: true, deletes: true, uncovers: true,
	}
	s.write(ctx, []*ledgeredWrite{&w})

	return w.r, w.Err
}

// ledgeredWrite is a write of the bars of a range.
type ledgeredWrite struct {
	ports.WriteResult // of the last attempt

	op       string
	bars     domain.Series
	r        domain.Range
	replaces bool // covered bars of r that are not written go
	deletes  bool // r is uncovered afterwards
	uncovers bool // the blocks of r are not read, and are uncovered whole

	onConflict ports.ConflictPolicy

	plan   writePlan     // of the last attempt
	intent ledger.Intent // that it began
}

// isBusy reports whether the blocks changed or another write is under way, so that the write has to begin again.
func (w *ledgeredWrite) isBusy() bool {
	var held *ledger.HeldError
	return errors.As(w.Err, &held) || errors.Is(w.Err, ledger.ErrChanged)
}

// failAll sets the error of each write.
func failAll(writes []*ledgeredWrite, err error) {
	for _, w := range writes {
		w.Report, w.Err = ports.WriteReport{}, err
	}
}

// partSeries is how many series of a batch are written together, maxParts how many parts of it at once: of the store
// and the ledger, one waits while the other works for a part.
const (
	partSeries = 5_000
	maxParts   = 2
)

// write writes the parts of a batch.
func (s *LedgeredStore) write(ctx context.Context, writes []*ledgeredWrite) {
	pending := s.check(ctx, writes)
	if len(pending) == 0 {
		return
	}
	if err := s.bind(ctx); err != nil {
		failAll(pending, err)
		return
	}

	parts := slices.Collect(slices.Chunk(pending, partSeries))
	if len(parts) == 1 {
		s.writePart(ctx, parts[0])
		return
	}

	var workers sync.WaitGroup
	var taken atomic.Int64
	for range maxParts {
		workers.Go(func() {
			for n := int(taken.Add(1)); n <= len(parts); n = int(taken.Add(1)) {
				s.writePartSafely(ctx, parts[n-1])
			}
		})
	}

	workers.Wait()
}

// writePartSafely writes a part on a goroutine of its own. A panic is the error of its writes.
func (s *LedgeredStore) writePartSafely(ctx context.Context, writes []*ledgeredWrite) {
	defer func() {
		if v := recover(); v != nil {
			err := &ports.PanicError{Value: v, Stack: debug.Stack()}
			failAll(writes, s.failure(ports.ErrInternal, writes[0].op, writes[0].bars.Key(), err))
		}
	}()
	s.writePart(ctx, writes)
}

// writePart writes. The writes that are busy begin again, for as long as a writer waits; the others are done by then,
// so that nobody waits for them.
func (s *LedgeredStore) writePart(ctx context.Context, pending []*ledgeredWrite) {
	deadline := time.Now().Add(s.wait)
	for pause := firstPause; len(pending) > 0; pause = min(2*pause, maxPause) {
		s.tryWrite(ctx, pending)
		pending = slices.DeleteFunc(pending, func(w *ledgeredWrite) bool { return !w.isBusy() })
		if len(pending) == 0 {
			return
		}

		if !time.Now().Before(deadline) {
			for _, w := range pending {
				w.Err = s.failure(ports.ErrConflict, w.op, w.bars.Key(), w.Err)
			}

			return
		}
		if err := s.pause(ctx, pending[0].op, pending[0].bars.Key(), pause); err != nil {
			failAll(pending, err)
			return
		}
	}
}

// check returns the writes that have something to do. It refuses those that are invalid, before anything changes.
func (s *LedgeredStore) check(ctx context.Context, writes []*ledgeredWrite) (valid []*ledgeredWrite) {
	var sets []ledger.BarSet
	for _, w := range writes {
		if w.Err == nil {
			w.Err = s.checkWrite(ctx, w)
		}
		if w.Err == nil {
			valid, sets = append(valid, w), append(sets, ledger.BarSet{Bars: w.bars, Range: w.r})
		}
	}

	for i, err := range s.bars.CheckBars(ctx, sets) {
		valid[i].Err = err
	}

	return slices.DeleteFunc(valid, func(w *ledgeredWrite) bool { return w.Err != nil || w.r.Empty() })
}

func (s *LedgeredStore) checkWrite(ctx context.Context, w *ledgeredWrite) error {
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

	if w.r = r; w.uncovers {
		layout := domain.BarBlocks(key.Grid)
		w.r = layout.Range(layout.Span(r))
	}

	return nil
}

// openTimes returns the range from the first open time to just behind the last.
func openTimes(bars domain.Series) domain.Range {
	if bars.Len() == 0 {
		return domain.Range{}
	}
	return domain.Range{Start: bars.OpenTime(0), End: bars.OpenTime(bars.Len() - 1).Add(time.Microsecond)}
}

// tryWrite writes once. Each write succeeds or fails by itself until the bars are changed.
func (s *LedgeredStore) tryWrite(ctx context.Context, writes []*ledgeredWrite) {
	s.planAll(ctx, writes)
	var planned, begun []*ledgeredWrite
	var plans []ledger.IntentPlan
	for _, w := range writes {
		if w.Err == nil && !w.plan.isUnchanged {
			planned, plans = append(planned, w), append(plans, w.plan.intent)
		}
	}
	if len(planned) == 0 {
		return
	}

	began := time.Now()
	for i, b := range s.ledger.BeginIntents(ctx, plans) {
		w := planned[i]
		if w.intent, w.Err = b.Intent, b.Err; w.Err == nil {
			begun = append(begun, w)
		}
	}
	if len(begun) > 0 {
		s.fill(ctx, begun, began)
	}
	for _, w := range planned {
		if errors.Is(w.Err, ledger.ErrIntentLost) {
			w.Err = s.failure(ports.ErrConflict, w.op, w.bars.Key(), w.Err)
		}
		if w.Err == nil {
			w.Report = w.plan.report
		}
	}
}

// fill makes the store have the wanted bars and finishes the intents. A deletion is done when its intent begins: bars
// that it leaves are not covered, and the next write of the range removes them. The intents are live since began.
func (s *LedgeredStore) fill(ctx context.Context, writes []*ledgeredWrite, began time.Time) {
	intents, sets := make([]ledger.Intent, len(writes)), make([]ledger.BarSet, len(writes))
	finished := make([]ledger.FinishedIntent, len(writes))
	for i, w := range writes {
		intents[i] = w.intent
		sets[i] = ledger.BarSet{Bars: w.plan.wanted, Range: w.intent.Range, IsNew: w.plan.isNew}
		finished[i] = ledger.FinishedIntent{Intent: w.intent, Added: s.blocksOf(w.intent.Key).sums(w.plan.wanted)}
	}

	alive := liveIntents{ledger: s.ledger, intents: intents, asked: began, renewAfter: s.renewAfter}
	if err := s.bars.SetBars(ctx, sets, alive.permit); err != nil {
		s.abandon(ctx, intents)
		failAll(slices.DeleteFunc(writes, func(w *ledgeredWrite) bool { return w.deletes }), err)

		return
	}

	var unfinished []ledger.Intent
	for i, err := range s.ledger.FinishIntents(ctx, finished) {
		if writes[i].Err = err; err != nil {
			unfinished = append(unfinished, intents[i])
		}
	}
	if len(unfinished) > 0 {
		s.abandon(ctx, unfinished)
	}
}

// defaultRenewAfter is the age of intents from which they are renewed before a request. It leaves a request 20 s of the
// 30 s that an intent lives.
const defaultRenewAfter = 10 * time.Second

// liveIntents are intents of a write under way.
type liveIntents struct {
	ledger     ledger.Ledger
	intents    []ledger.Intent
	asked      time.Time // before the last question that gave them 30 s
	renewAfter time.Duration
}

// permit permits a request if the intents live long enough for it, and renews them otherwise. Both clocks must agree,
// because the monotonic one stands still while a machine sleeps, and the other one may be set.
//
// INVARIANT: no other writer may take the range over within 20 s after a request was permitted.
func (l *liveIntents) permit(ctx context.Context) error {
	now := time.Now()
	monotonic, wall := now.Sub(l.asked), now.Round(0).Sub(l.asked.Round(0))
	if wall >= 0 && max(monotonic, wall) < l.renewAfter {
		return nil
	}

	if err := l.ledger.RenewIntents(ctx, l.intents); err != nil {
		return err
	}
	l.asked = now

	return nil
}

// abandonTimeout bounds how long a failed write takes to tell the ledger.
const abandonTimeout = 2 * time.Second

// abandon lets other writers begin at once. If it fails, too, they wait until the intents expire.
func (s *LedgeredStore) abandon(ctx context.Context, intents []ledger.Intent) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_ = s.ledger.AbandonIntents(ctx, intents) // the write has failed already, with its own error
}
