// Package ledgertest has a ledger.Ledger in memory, and a test of every ledger.
package ledgertest

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

const intentLife = 30 * time.Second

// Memory is a ledger in the memory of the process.
type Memory struct {
	mu     sync.Mutex
	series map[domain.SeriesKey]*record

	identity ledger.Identity

	now time.Duration // how far its clock is ahead
}

var _ ledger.Ledger = (*Memory)(nil)

// NewMemory returns an empty ledger.
func NewMemory() *Memory { return &Memory{series: map[domain.SeriesKey]*record{}} }

// record is what the ledger has of a series.
type record struct {
	version  domain.Version
	coverage []domain.Range
	blocks   map[int64]block
	intents  []intent
}

type block struct {
	version domain.Version
	rows    int
	hash    uint64
	last    domain.Micros
	tail    []uint64
}

type intent struct {
	begun   ledger.Intent // without what a later write took from its range
	owner   string
	took    domain.Range
	expires time.Time
}

// Advance lets the time of the ledger pass.
func (m *Memory) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now += d
}

// ended returns the error of a context that is done.
func ended(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &ports.Error{Kind: ports.ContextKind(err), Op: op, Store: "ledger", Err: err}
	}

	return nil
}

func (m *Memory) time() time.Time { return time.Now().Add(m.now) }

// ReadLedger implements ledger.Ledger.
func (m *Memory) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := make([]ledger.Record, len(queries))
	for i, q := range queries {
		records[i].State = &domain.SeriesState{}
		if r := m.series[q.Key]; r != nil {
			records[i] = r.read(q, m.time())
		}
	}

	return records, ended(ctx, "read ledger")
}

func (r *record) read(q ports.SeriesQuery, now time.Time) ledger.Record {
	var got ledger.Record
	for _, i := range r.intents {
		if now.Before(i.expires) && !i.took.Empty() {
			got.Taken = append(got.Taken, i.took)
		}
	}
	if q.State.Known == r.version && r.version != (domain.Version{}) {
		return got
	}

	got.State = &domain.SeriesState{Version: r.version, Coverage: r.coverage}
	from, to := domain.BarBlocks(q.Key.Grid).Span(q.State.Range)
	for _, index := range slices.Sorted(maps.Keys(r.blocks)) {
		if index < from || index >= to {
			continue
		}

		b := r.blocks[index]
		got.State.Blocks = append(got.State.Blocks, domain.BlockState{Index: index, Rows: b.rows, Version: b.version})
		got.State.Tail = b.tail
		got.Hashes = append(got.Hashes, ledger.BlockHash{Sum: b.hash, Known: true})
	}

	return got
}

// LedgerSeries implements ledger.Ledger.
func (m *Memory) LedgerSeries(ctx context.Context, symbols ...domain.Symbol) ([]ledger.Series, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ledger.Series
	for key, r := range m.series {
		isWritten := r.version != domain.Version{}
		if isWritten && (len(symbols) == 0 || slices.Contains(symbols, key.Symbol)) {
			all = append(all, ledger.Series{Key: key, Coverage: r.coverage})
		}
	}
	slices.SortFunc(all, func(a, b ledger.Series) int { return a.Key.Compare(b.Key) })

	return all, ended(ctx, "ledger series")
}

// BeginIntents implements ledger.Ledger.
func (m *Memory) BeginIntents(ctx context.Context, plans []ledger.IntentPlan) []ledger.BegunIntent {
	begun := make([]ledger.BegunIntent, len(plans))
	for i, plan := range plans {
		begun[i].Intent, begun[i].Err = m.begin(ctx, plan)
	}

	return begun
}

func (m *Memory) begin(ctx context.Context, plan ledger.IntentPlan) (ledger.Intent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ended(ctx, "begin intent"); err != nil {
		return ledger.Intent{}, err
	}
	if m.series[plan.Key] == nil {
		m.series[plan.Key] = &record{blocks: map[int64]block{}}
	}
	r := m.series[plan.Key]
	if err := r.check(&plan, m.time()); err != nil {
		return ledger.Intent{}, err
	}

	isTaken := func(k ledger.BlockSum) bool { return k.Bars != r.blocks[k.Index].rows }
	uncovers := len(domain.ClipRanges(r.coverage, plan.Range)) > 0 || slices.ContainsFunc(plan.Kept, isTaken)
	if isNew := r.version == (domain.Version{}); r.takeOver(plan.Range) || isNew || uncovers {
		r.version = r.version.Next()
	}
	r.keep(plan.Kept)
	begun := intent{
		begun: ledger.Intent{ID: rand.Uint64(), Key: plan.Key, Range: plan.Range, Deletes: plan.Deletes},
		owner: plan.Owner, expires: m.time().Add(intentLife),
	}
	for _, covered := range domain.ClipRanges(r.coverage, plan.Range) {
		if !plan.Deletes {
			begun.took = begun.took.Hull(covered)
		}
	}
	r.intents = append(r.intents, begun)
	var rest []domain.Range
	for _, covered := range r.coverage {
		rest = append(rest, covered.Subtract([]domain.Range{plan.Range})...)
	}
	r.coverage = rest

	return begun.begun, nil
}

// check compares the plan with what is stored.
func (r *record) check(plan *ledger.IntentPlan, now time.Time) error {
	for _, i := range r.intents {
		if now.Before(i.expires) && !i.begun.Range.Intersect(plan.Range).Empty() {
			return &ledger.HeldError{Range: i.begun.Range, Owner: i.owner, Expires: i.expires}
		}
	}
	versions := map[int64]domain.Version{}
	from, to := domain.BarBlocks(plan.Key.Grid).Span(plan.Read)
	for index, b := range r.blocks {
		if index >= from && index < to {
			versions[index] = b.version
		}
	}
	if !plan.IsCurrent(r.coverage, versions) {
		return ledger.ErrChanged
	}

	return nil
}

// keep takes the bars away that the plan does not keep.
func (r *record) keep(kept []ledger.BlockSum) {
	for _, k := range kept {
		switch {
		case k.Bars == 0:
			delete(r.blocks, k.Index)
		case k.Bars != r.blocks[k.Index].rows:
			r.blocks[k.Index] = block{r.version, k.Bars, k.Hash, k.Last, []uint64{r.version.Nonce}}
		}
	}
}

// takeOver takes the range from the intents, and reports whether one had a part of it.
func (r *record) takeOver(within domain.Range) (found bool) {
	var left []intent
	for _, i := range r.intents {
		found = found || !i.begun.Range.Intersect(within).Empty()
		for _, rest := range i.begun.Range.Subtract([]domain.Range{within}) {
			part := i
			part.begun.Range = rest
			left = append(left, part)
		}
	}
	r.intents = left

	return found
}

// find returns the position of an intent that has its whole range, -1 if there is none.
func (m *Memory) find(want ledger.Intent) (r *record, position int) {
	if r = m.series[want.Key]; r == nil {
		return nil, -1
	}

	return r, slices.IndexFunc(r.intents, func(i intent) bool { return i.begun.ID == want.ID && i.begun.Range.Equal(want.Range) })
}

// RenewIntents implements ledger.Ledger.
func (m *Memory) RenewIntents(ctx context.Context, intents []ledger.Intent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := ended(ctx, "renew intents")
	for _, renewed := range intents {
		r, position := m.find(renewed)
		if position < 0 {
			err = cmp.Or(err, ledger.ErrIntentLost)
			continue
		}

		r.intents[position].expires = m.time().Add(intentLife)
	}

	return err
}

// FinishIntents implements ledger.Ledger.
func (m *Memory) FinishIntents(ctx context.Context, intents []ledger.FinishedIntent) []error {
	failed := make([]error, len(intents))
	for i, finished := range intents {
		failed[i] = m.finish(ctx, finished.Intent, finished.Added)
	}

	return failed
}

func (m *Memory) finish(ctx context.Context, finished ledger.Intent, added []ledger.BlockSum) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ended(ctx, "finish intent"); err != nil {
		return err
	}
	r, position := m.find(finished)
	if position < 0 {
		return ledger.ErrIntentLost
	}

	r.intents = slices.Delete(r.intents, position, position+1)
	r.version = r.version.Next()
	if finished.Deletes {
		return nil
	}

	r.coverage = domain.MergeRanges(append(slices.Clone(r.coverage), finished.Range))
	for _, a := range added {
		b, found := r.blocks[a.Index]
		var tail []uint64
		if found && a.First > b.last {
			tail = b.tail
		}
		r.blocks[a.Index] = block{
			r.version, b.rows + a.Bars, b.hash + a.Hash, max(b.last, a.Last),
			domain.PushTail(tail, r.version.Nonce),
		}
	}

	return nil
}

// AbandonIntents implements ledger.Ledger.
func (m *Memory) AbandonIntents(_ context.Context, intents []ledger.Intent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, abandoned := range intents {
		if r, position := m.find(abandoned); position >= 0 {
			r.intents[position].expires = m.time()
		}
	}

	return nil
}

// UnfinishedWrites implements ledger.Ledger.
func (m *Memory) UnfinishedWrites(ctx context.Context) ([]ports.UnfinishedWrite, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var expired []ports.UnfinishedWrite
	for key, r := range m.series {
		for _, i := range r.intents {
			if !m.time().Before(i.expires) {
				expired = append(expired, ports.UnfinishedWrite{
					Key: key, Range: i.begun.Range, Owner: i.owner, Expired: i.expires,
				})
			}
		}
	}
	slices.SortFunc(expired, func(a, b ports.UnfinishedWrite) int { return a.Expired.Compare(b.Expired) })

	return expired[:min(len(expired), ports.MaxUnfinished)], ended(ctx, "unfinished writes")
}

// ReadIdentity implements ledger.Ledger.
func (m *Memory) ReadIdentity(ctx context.Context) (ledger.Identity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.identity, ended(ctx, "read identity")
}

// WriteIdentity implements ledger.Ledger.
func (m *Memory) WriteIdentity(ctx context.Context, id ledger.Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := ended(ctx, "write identity")
	if err == nil && !m.identity.IsBound && (id.IsBound || m.identity.ID == "") {
		m.identity = id
	}

	return err
}
