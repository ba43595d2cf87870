package ledger

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

// Differential runs random calls on a ledger and on one in memory, which must answer alike.
func Differential(t *testing.T, open func(tb testing.TB) ports.Ledger) {
	t.Helper()
	subject := open(t)
	symbol := 0
	rapid.Check(t, func(t *rapid.T) {
		key := minuteKey
		key.Symbol = domain.Symbol(fmt.Sprintf("S%d/USD", symbol)) // a new series each time
		symbol++
		p := pair{key: key, sides: [2]*side{{ledger: NewMemory()}, {ledger: subject}}}
		for range rapid.IntRange(1, 25).Draw(t, "calls") {
			p.call(t)
		}
	})
}

// pair is two ledgers that get the same calls.
type pair struct {
	key   domain.SeriesKey
	sides [2]*side
}

// side is a ledger with the intents that were begun there.
type side struct {
	ledger  ports.Ledger
	intents []ports.Intent
}

// call makes one random call on both sides, and compares the answers.
func (p *pair) call(t *rapid.T) {
	from := rapid.IntRange(0, quarters-1).Draw(t, "from")
	r := domain.Range{Start: instant(from), End: instant(rapid.IntRange(from+1, quarters).Draw(t, "to"))}
	read := r.Hull(domain.Range{Start: instant(rapid.IntRange(0, from).Draw(t, "read from")), End: r.End})
	name := rapid.SampledFrom([]string{"begin", "begin", "renew", "finish", "finish", "abandon"}).Draw(t, "call")
	bars := rapid.IntRange(0, 3).Draw(t, "bars")
	isStale, deletes := rapid.IntRange(0, 9).Draw(t, "stale") == 0, rapid.IntRange(0, 4).Draw(t, "deletes") == 0
	which := rapid.IntRange(0, 5).Draw(t, "intent")

	var answers [2]string
	for i, s := range p.sides {
		var err error
		switch {
		case name == "begin":
			err = s.begin(p.key, r, read, bars, isStale, deletes)
		case which >= len(s.intents):
		case name == "renew":
			err = s.ledger.RenewIntents(context.Background(), s.intents[which:which+1])
		case name == "abandon":
			err = s.ledger.AbandonIntents(context.Background(), s.intents[which:which+1])
		default:
			intent := s.intents[which]
			finished := []ports.FinishedIntent{{Intent: intent, Added: added(intent.Range, bars)}}
			err = s.ledger.FinishIntents(context.Background(), finished)[0]
		}
		answers[i] = kind(err) + s.describe(p.key)
	}
	if answers[0] != answers[1] {
		t.Fatalf("after %s of %s, the ledger in memory has\n%s\nthe other has\n%s", name, r, answers[0], answers[1])
	}
}

// begin begins an intent that keeps so many bars of each block.
func (s *side) begin(key domain.SeriesKey, r, read domain.Range, bars int, isStale, deletes bool) error {
	query := ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: read}}
	records, err := s.ledger.ReadLedger(context.Background(), []ports.SeriesQuery{query})
	if err != nil {
		return err
	}

	state := records[0].State
	plan := ports.IntentPlan{
		Key: key, Range: r, Read: read, Owner: "test", Deletes: deletes, Coverage: domain.ClipRanges(state.Coverage, read),
	}
	for i, block := range state.Blocks {
		kept := ports.BlockSum{Index: block.Index, Version: block.Version, Bars: min(bars, block.Rows)}
		if kept.Hash = uint64(kept.Bars); kept.Bars == block.Rows {
			kept.Hash = records[0].Hashes[i].Sum
		}
		start, _ := domain.BarBlocks(key.Grid).Bounds(block.Index)
		if kept.First, kept.Last = start, start+domain.Micros(kept.Bars); isStale {
			kept.Version.Nonce++
		}
		plan.Kept = append(plan.Kept, kept)
	}
	begun := s.ledger.BeginIntents(context.Background(), []ports.IntentPlan{plan})[0]
	if begun.Err == nil {
		s.intents = append(s.intents, begun.Intent)
	}

	return begun.Err
}

// added returns sums of so many bars for each block of the range.
func added(r domain.Range, bars int) (sums []ports.BlockSum) {
	from, to := domain.BarBlocks(minuteKey.Grid).Span(r)
	for ; from < to && bars > 0; from++ {
		start, _ := domain.BarBlocks(minuteKey.Grid).Bounds(from)
		first := max(start, domain.MicrosFloor(r.Start))
		sums = append(sums, ports.BlockSum{
			Index: from, Bars: bars, Hash: 1 << 63, First: first, Last: first + domain.Micros(bars),
		})
	}

	return sums
}

// kind names an error of a ledger.
func kind(err error) string {
	var held *ports.IntentHeldError
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, ports.ErrIntentLost), errors.Is(err, ports.ErrLedgerChanged):
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
