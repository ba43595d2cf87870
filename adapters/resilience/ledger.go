package resilience

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// ledgerStore is a ledger with a policy.
type ledgerStore struct {
	policy *Policy
	next   ledger.Ledger
}

// Ledger returns the ledger with the policy.
func (p *Policy) Ledger(next ledger.Ledger) ledger.Ledger { return ledgerStore{p, next} }

// ReadLedger implements ledger.Ledger.
func (s ledgerStore) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	return readValue(ctx, s.policy, "read ledger", func() ([]ledger.Record, error) {
		return s.next.ReadLedger(ctx, queries)
	})
}

// LedgerSeries implements ledger.Ledger.
func (s ledgerStore) LedgerSeries(ctx context.Context, symbols ...domain.Symbol) ([]ledger.Series, error) {
	return readValue(ctx, s.policy, "read ledger", func() ([]ledger.Series, error) {
		return s.next.LedgerSeries(ctx, symbols...)
	})
}

// BeginIntents implements ledger.Ledger.
func (s ledgerStore) BeginIntents(ctx context.Context, plans []ledger.IntentPlan) []ledger.BegunIntent {
	return writeEach(ctx, s.policy, batchWrite[ledger.IntentPlan, ledger.BegunIntent]{
		op: "begin intents", elements: plans, write: func(plans []ledger.IntentPlan) []ledger.BegunIntent {
			return s.next.BeginIntents(ctx, plans)
		},
		errOf: func(b *ledger.BegunIntent) *error { return &b.Err },
	})
}

// RenewIntents implements ledger.Ledger.
func (s ledgerStore) RenewIntents(ctx context.Context, intents []ledger.Intent) error {
	return s.policy.write(ctx, "renew intents", func(*attempt) error { return s.next.RenewIntents(ctx, intents) })
}

// FinishIntents implements ledger.Ledger.
func (s ledgerStore) FinishIntents(ctx context.Context, intents []ledger.FinishedIntent) []error {
	return writeEach(ctx, s.policy, batchWrite[ledger.FinishedIntent, error]{
		op: "finish intents", elements: intents, errOf: sameError,
		write: func(intents []ledger.FinishedIntent) []error { return s.next.FinishIntents(ctx, intents) },
	})
}

// AbandonIntents implements ledger.Ledger.
func (s ledgerStore) AbandonIntents(ctx context.Context, intents []ledger.Intent) error {
	return s.policy.write(ctx, "abandon intents", func(*attempt) error { return s.next.AbandonIntents(ctx, intents) })
}

// UnfinishedWrites implements ledger.Ledger.
func (s ledgerStore) UnfinishedWrites(ctx context.Context) ([]ports.UnfinishedWrite, error) {
	return readValue(ctx, s.policy, "read unfinished writes", func() ([]ports.UnfinishedWrite, error) {
		return s.next.UnfinishedWrites(ctx)
	})
}

// ReadIdentity implements ledger.Ledger.
func (s ledgerStore) ReadIdentity(ctx context.Context) (ledger.Identity, error) {
	return readValue(ctx, s.policy, "read identity", func() (ledger.Identity, error) { return s.next.ReadIdentity(ctx) })
}

// WriteIdentity implements ledger.Ledger.
func (s ledgerStore) WriteIdentity(ctx context.Context, id ledger.Identity) error {
	return s.policy.write(ctx, "write identity", func(*attempt) error { return s.next.WriteIdentity(ctx, id) })
}

// NontransactionalStore is what LedgeredBars wraps: the store of a ledger with everything that ingest.WithLedger can
// make use of.
type NontransactionalStore interface {
	ledger.NontransactionalStore
	ports.BatchReader
	ports.RetentionReporter
}

// ledgeredBars is the store of a ledger with a policy.
type ledgeredBars struct {
	batch
	next NontransactionalStore
}

// LedgeredBars returns the store with the policy.
func (p *Policy) LedgeredBars(next NontransactionalStore) NontransactionalStore {
	return ledgeredBars{batch{p, next}, next}
}

// ReadBars implements ports.BarReader.
func (s ledgeredBars) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return pieces(ctx, s.policy, "read bars", barRows(q), func() ports.Sequence[domain.Series] {
		return s.next.ReadBars(ctx, q)
	})
}

// ReadBarsOnce implements ledger.NontransactionalStore.
func (s ledgeredBars) ReadBarsOnce(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return pieces(ctx, s.policy, "read bars", barRows(q), func() ports.Sequence[domain.Series] {
		return s.next.ReadBarsOnce(ctx, q)
	})
}

// Extents implements ports.CoverageReader.
func (s ledgeredBars) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return sequence(ctx, s.policy, "read coverage", 0, func() iter.Seq2[domain.Extent, error] {
		return s.next.Extents(ctx, q)
	})
}

// CheckBars implements ledger.NontransactionalStore. It changes nothing, and is repeated as a write.
func (s ledgeredBars) CheckBars(ctx context.Context, sets []ledger.BarSet) []error {
	return writeEach(ctx, s.policy, batchWrite[ledger.BarSet, error]{
		op: "check bars", elements: sets, errOf: sameError,
		write: func(sets []ledger.BarSet) []error { return s.next.CheckBars(ctx, sets) },
	})
}

// SetBars implements ledger.NontransactionalStore. An error of permit is that of the ledger.
func (s ledgeredBars) SetBars(
	ctx context.Context, sets []ledger.BarSet, permit func(context.Context) error,
) error {
	const op = "write bars"
	rows := 0
	for _, set := range sets {
		rows += set.Bars.Len()
	}
	write := func(a *attempt) error {
		return s.next.SetBars(ctx, sets, func(ctx context.Context) error {
			err := permit(ctx)
			if err != nil {
				a.exempt()
			}

			return err
		})
	}

	return s.policy.withReservation(ctx, op, int64(rows), s.policy.limits.reserveWrite, func() error {
		return s.policy.write(ctx, op, write)
	})
}

// Identity implements ledger.NontransactionalStore.
func (s ledgeredBars) Identity(ctx context.Context) (string, error) {
	return readValue(ctx, s.policy, "read identity", func() (string, error) { return s.next.Identity(ctx) })
}

// SetIdentity implements ledger.NontransactionalStore.
func (s ledgeredBars) SetIdentity(ctx context.Context, id string) error {
	return s.policy.write(ctx, "set identity", func(*attempt) error { return s.next.SetIdentity(ctx, id) })
}

// Retention implements ports.RetentionReporter.
func (s ledgeredBars) Retention(ctx context.Context) (time.Duration, error) {
	return readValue(ctx, s.policy, "read retention", func() (time.Duration, error) { return s.next.Retention(ctx) })
}
