package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

var minuteKey = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}

// instant returns the start of the nth of the quarters of blocks from 2024 on.
func instant(n int) time.Time {
	layout := domain.BarBlocks(minuteKey.Grid)
	first := layout.Index(domain.MicrosFloor(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)))
	start, _ := layout.Bounds(first)
	return (start + domain.Micros(int64(n)*layout.LengthMicros()/4)).Time()
}

// quarters is how many quarters of blocks an operation may touch.
const quarters = 16

var everything = domain.Range{Start: instant(0), End: instant(quarters)}

// maxBatch is how many series a call is for at most.
const maxBatch = 3

// Differential runs random calls on a ledger and on one in memory, which must answer alike. A call is for one series or
// for several.
func Differential(t *testing.T, open func(tb testing.TB) ledger.Ledger) {
	t.Helper()
	subject := open(t)
	symbol := 0
	rapid.Check(t, func(t *rapid.T) {
		p := pair{sides: [2]*side{newSide(NewMemory()), newSide(subject)}}
		for range rapid.IntRange(1, maxBatch).Draw(t, "series") {
			key := minuteKey
			key.Symbol = domain.Symbol(fmt.Sprintf("S%d/USD", symbol)) // a new series each time
			p.keys = append(p.keys, key)
			symbol++
		}
		for range rapid.IntRange(1, 25).Draw(t, "calls") {
			p.call(t)
		}
	})
}

// pair is two ledgers that get the same calls.
type pair struct {
	keys  []domain.SeriesKey
	sides [2]*side
}

// side is a ledger with the intents that were begun there.
type side struct {
	ledger  ledger.Ledger
	intents map[domain.SeriesKey][]ledger.Intent
}

func newSide(l ledger.Ledger) *side {
	return &side{ledger: l, intents: map[domain.SeriesKey][]ledger.Intent{}}
}

// change is a part of a call, for one series.
type change struct {
	key              domain.SeriesKey
	r, read          domain.Range
	bars             int
	isStale, deletes bool
	intent           int // the index of an intent that was begun
}

func drawChange(t *rapid.T, key domain.SeriesKey) change {
	from := rapid.IntRange(0, quarters-1).Draw(t, "from")
	r := domain.Range{Start: instant(from), End: instant(rapid.IntRange(from+1, quarters).Draw(t, "to"))}

	return change{
		key: key, r: r,
		read:    r.Hull(domain.Range{Start: instant(rapid.IntRange(0, from).Draw(t, "read from")), End: r.End}),
		bars:    rapid.IntRange(0, 3).Draw(t, "bars"),
		isStale: rapid.IntRange(0, 9).Draw(t, "stale") == 0, deletes: rapid.IntRange(0, 4).Draw(t, "deletes") == 0,
		intent: rapid.IntRange(0, 3).Draw(t, "intent"),
	}
}

// call makes one random call on both sides, and compares the answers.
func (p *pair) call(t *rapid.T) {
	name := rapid.SampledFrom([]string{"begin", "begin", "renew", "renew", "finish", "abandon"}).Draw(t, "call")
	var changes []change
	for _, key := range p.keys {
		if len(p.keys) == 1 || rapid.Bool().Draw(t, "is in the batch") {
			changes = append(changes, drawChange(t, key))
		}
	}

	var answers [2]string
	for i, s := range p.sides {
		for _, err := range s.call(name, changes) {
			answers[i] += kind(err) + "\n"
		}
		for _, key := range p.keys {
			answers[i] += s.describe(key)
		}
	}
	if answers[0] != answers[1] {
		t.Fatalf("after %s of %+v, the ledger in memory has\n%s\nthe other has\n%s", name, changes, answers[0], answers[1])
	}
}

// call makes a call and returns its errors.
func (s *side) call(name string, changes []change) []error {
	ctx := context.Background()
	if name == "begin" {
		return s.begin(ctx, changes)
	}

	var intents []ledger.Intent
	var finished []ledger.FinishedIntent
	for _, c := range changes {
		if begun := s.intents[c.key]; c.intent < len(begun) {
			intent := begun[c.intent]
			intents = append(intents, intent)
			finished = append(finished, ledger.FinishedIntent{Intent: intent, Added: added(intent.Range, c.bars)})
		}
	}
	switch name {
	case "renew":
		return []error{s.ledger.RenewIntents(ctx, intents)}
	case "abandon":
		return []error{s.ledger.AbandonIntents(ctx, intents)}
	}

	return s.ledger.FinishIntents(ctx, finished)
}

// begin begins an intent for each change.
func (s *side) begin(ctx context.Context, changes []change) (failed []error) {
	var plans []ledger.IntentPlan
	for _, c := range changes {
		plan, err := s.plan(ctx, c)
		if err != nil {
			return []error{err}
		}
		plans = append(plans, plan)
	}
	for i, begun := range s.ledger.BeginIntents(ctx, plans) {
		if failed = append(failed, begun.Err); begun.Err == nil {
			s.intents[changes[i].key] = append(s.intents[changes[i].key], begun.Intent)
		}
	}

	return failed
}

// plan returns the plan of a change that keeps so many bars of each block.
func (s *side) plan(ctx context.Context, c change) (ledger.IntentPlan, error) {
	query := ports.SeriesQuery{Key: c.key, State: ports.StateQuery{Range: c.read}}
	records, err := s.ledger.ReadLedger(ctx, []ports.SeriesQuery{query})
	if err != nil {
		return ledger.IntentPlan{}, err
	}

	state := records[0].State
	plan := ledger.IntentPlan{
		Key: c.key, Range: c.r, Read: c.read, Owner: "test", Deletes: c.deletes,
		Coverage: domain.ClipRanges(state.Coverage, c.read),
	}
	for i, block := range state.Blocks {
		kept := ledger.BlockSum{Index: block.Index, Version: block.Version, Bars: min(c.bars, block.Rows)}
		if kept.Hash = uint64(kept.Bars); kept.Bars == block.Rows {
			kept.Hash = records[0].Hashes[i].Sum
		}
		start, _ := domain.BarBlocks(c.key.Grid).Bounds(block.Index)
		if kept.First, kept.Last = start, start+domain.Micros(kept.Bars); c.isStale {
			kept.Version.Nonce++
		}
		plan.Kept = append(plan.Kept, kept)
	}

	return plan, nil
}

// added returns sums of so many bars for each block of the range.
func added(r domain.Range, bars int) (sums []ledger.BlockSum) {
	from, to := domain.BarBlocks(minuteKey.Grid).Span(r)
	for ; from < to && bars > 0; from++ {
		start, _ := domain.BarBlocks(minuteKey.Grid).Bounds(from)
		first := max(start, domain.MicrosFloor(r.Start))
		sums = append(sums, ledger.BlockSum{
			Index: from, Bars: bars, Hash: 1 << 63, First: first, Last: first + domain.Micros(bars),
		})
	}

	return sums
}

// kind names an error of a ledger.
func kind(err error) string {
	var held *ledger.HeldError
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, ledger.ErrIntentLost), errors.Is(err, ledger.ErrChanged):
		return err.Error()
	case errors.As(err, &held):
		return "held by " + held.Owner
	}

	return "failed: " + err.Error()
}

// describe returns what the ledger has of the series, without the nonces.
func (s *side) describe(key domain.SeriesKey) string {
	query := ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: everything}}
	records, err := s.ledger.ReadLedger(context.Background(), []ports.SeriesQuery{query})
	if err != nil {
		return err.Error()
	}
	series, err := s.ledger.LedgerSeries(context.Background(), key.Symbol)
	if err != nil {
		return err.Error()
	}

	var text strings.Builder
	record := records[0]
	fmt.Fprintf(&text, "\nexists %t, revision %d, tail of %d\n",
		record.Exists(), record.State.Version.Revision, len(record.State.Tail))
	fmt.Fprintf(&text, "coverage %v, taken %v, listed %v\n", record.State.Coverage, domain.MergeRanges(record.Taken), series)
	for i, b := range record.State.Blocks {
		fmt.Fprintf(&text, "block %d: %d bars, revision %d, hash %v\n", b.Index, b.Rows, b.Version.Revision, record.Hashes[i])
	}

	return text.String()
}
