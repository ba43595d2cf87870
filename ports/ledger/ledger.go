// Package ledger has the ports of a store without transactions whose state is kept in another store: the bars are in a
// NontransactionalStore, and their versions, coverage and hashes in a Ledger. ingest.WithLedger makes one store of the
// two. adapters/store/influx and adapters/store/postgres implement the ports; other programs need them only for a pair
// of stores of that kind.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Ledger keeps the state of series whose bars are in another store, which has no transactions: versions, coverage, and
// for each block the number and the hash of its covered bars. A series is in the ledger from its first write on.
//
// A writer changes bars only under an intent. BeginIntents uncovers the range in one transaction, then the writer
// changes the bars, and FinishIntents covers the range in a second transaction:
//
//	BeginIntents ──► change bars ──► RenewIntents, change bars ──► FinishIntents
//	     └── at any time later ──► AbandonIntents, or the intent expires
//
// A request that changes bars is sent while the intent lives long enough for it. If the writer is paused, or the
// request is late, it may meet the bars of the next writer, and readers see by the hash that they are not right.
//
// INVARIANT: a range that is covered has exactly the bars of the last write that finished. So a reader that compares
// the hash of what it read never sees a part of a write, and a writer that dies leaves an uncovered range, which the
// next write of the range covers again.
//
// The methods are safe for concurrent use.
type Ledger interface {
	// ReadLedger returns the records of the series of the queries, under the promises of ports.StateReader.ReadStates.
	ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]Record, error)

	// LedgerSeries returns the series of the symbols that are in the ledger, or of every symbol where none is given.
	LedgerSeries(ctx context.Context, symbols ...domain.Symbol) ([]Series, error)

	// BeginIntents uncovers the range of each plan and returns an intent for it: result i is that of plan i. A series
	// gets a new version if it is new, or loses coverage or an expired intent. Each plan succeeds or fails by itself.
	// The plans are of different series; the ledger adds a series that it does not have.
	//
	// The error is ErrChanged if the blocks are not as the plan says, and then the writer must read them again. It
	// is a *HeldError if a live intent overlaps the range. An expired intent that overlaps loses the range, so
	// that its writer cannot finish.
	BeginIntents(ctx context.Context, plans []IntentPlan) []BegunIntent

	// RenewIntents extends the life of the intents. It returns ErrIntentLost if another writer took a part of the range
	// of one; the writer must then not change bars of any of them any more, although the others are renewed.
	RenewIntents(ctx context.Context, intents []Intent) error

	// FinishIntents ends the intents and covers their ranges, except of those that delete: error i is that of intent i,
	// each for itself. It is ErrIntentLost if another writer took a part of the range.
	FinishIntents(ctx context.Context, intents []FinishedIntent) []error

	// AbandonIntents lets the intents expire at once, so that no writer waits for them. Their ranges stay uncovered.
	AbandonIntents(ctx context.Context, intents []Intent) error

	// UnfinishedWrites returns the intents that expired, or what later writes left of them: those that expired first, at
	// most ports.MaxUnfinished.
	UnfinishedWrites(ctx context.Context) ([]ports.UnfinishedWrite, error)

	// ReadIdentity returns the identity of the store whose bars the ledger describes.
	ReadIdentity(ctx context.Context) (Identity, error)

	// WriteIdentity keeps an identity. It changes nothing if the ledger is bound already, or if a proposal would replace
	// another one.
	WriteIdentity(ctx context.Context, id Identity) error
}

// Identity tells apart the stores whose bars a ledger may describe:
//
//	"" ──► proposed, for a store without an identity ──► bound
//
// A ledger that is not bound describes no bars yet. The proposal makes several writers, and a writer after one that
// died, give the store the same identity.
type Identity struct {
	ID      string // random, or ""
	IsBound bool
}

// NontransactionalStore is a store of bars that has neither coverage nor transactions: its ReadBars yields no state,
// its Extents are inferred. A Ledger beside it makes its writes atomic.
type NontransactionalStore interface {
	ports.BarReader
	ports.CoverageReader

	// ReadBarsOnce is ReadBars for a range that nobody writes, as far as the ledger knows. A row that is no bar is
	// ports.ErrCorruptData at once, whereas ReadBars may wait, because the writer of the row may be between two requests.
	ReadBarsOnce(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series]

	// CheckBars returns an error for each set that SetBars would refuse: error i is that of set i. It changes nothing.
	CheckBars(ctx context.Context, sets []BarSet) []error

	// SetBars makes the bars of each set the only ones of their series in the range, and reads them back. The sets are of
	// different series. It calls permit before each request that changes bars, and returns its error. If it fails, any of
	// the bars may have been written or deleted.
	SetBars(ctx context.Context, sets []BarSet, permit func(context.Context) error) error

	// Identity returns the identity that SetIdentity gave the database, or "". It is lost with the bars.
	Identity(ctx context.Context) (string, error)

	// SetIdentity gives the database an identity.
	SetIdentity(ctx context.Context, id string) error
}

// BarSet is the bars that a range of a series is to have.
type BarSet struct {
	Bars  domain.Series
	Range domain.Range // contains the bars

	// IsNew tells that the range most likely has no stored bars, so that reading it before the write is no use.
	IsNew bool
}

// Record has everything that a ledger stores of a series.
type Record struct {
	State  *domain.SeriesState // as ports.StateReader returns it
	Hashes []BlockHash         // of State.Blocks, in the same order
	Taken  []domain.Range      // that live intents uncovered, and that will be covered when they finish
}

// Exists reports whether the ledger has the series.
func (r Record) Exists() bool { return r.State == nil || r.State.Version != domain.Version{} }

// BlockHash is the sum of blockhash.OfBar of the covered bars of a block.
type BlockHash struct {
	Sum   uint64
	Known bool // false where nobody computed the sum
}

// Series is a series of a ledger with its coverage, which may be empty.
type Series struct {
	Key      domain.SeriesKey
	Coverage []domain.Range // ascending, disjoint, not touching
}

// IntentPlan is what a writer is about to do, and what it read before. BeginIntents compares the coverage of Read, and
// the versions of the blocks of Read, with what is stored then.
type IntentPlan struct {
	Key     domain.SeriesKey
	Range   domain.Range // to be changed; not empty
	Owner   string       // names the writer to people
	Deletes bool         // the range stays uncovered

	Read     domain.Range   // contains Range
	Coverage []domain.Range // of Read: ascending, disjoint, not touching

	// Kept has every block of Read with bars: its version, and the sum of its covered bars outside of Range. If nothing of
	// Read is covered, the writer need not read the blocks, and Kept is nil.
	Kept []BlockSum
}

// IsCurrent reports whether the coverage and the blocks of Read are as the plan says.
func (p *IntentPlan) IsCurrent(coverage []domain.Range, blocks map[int64]domain.Version) bool {
	if !slices.EqualFunc(domain.ClipRanges(coverage, p.Read), p.Coverage, domain.Range.Equal) {
		return false
	}
	if len(p.Coverage) == 0 {
		return true
	}

	isCurrent := func(k BlockSum) bool { return blocks[k.Index] == k.Version }

	return len(p.Kept) == len(blocks) && !slices.ContainsFunc(p.Kept, func(k BlockSum) bool { return !isCurrent(k) })
}

// BlockSum sums bars of a block.
type BlockSum struct {
	Index       int64
	Version     domain.Version // of the block as it was read; only in a plan
	Bars        int
	Hash        uint64        // sum of blockhash.OfBar
	First, Last domain.Micros // open times, if there are bars
}

// Intent is the right to change the bars of a range. It is live until it expires, 30 s after it was begun or renewed.
type Intent struct {
	ID      uint64 // random
	Key     domain.SeriesKey
	Range   domain.Range
	Deletes bool
}

// BegunIntent is the outcome of one plan.
type BegunIntent struct {
	Intent Intent
	Err    error
}

// FinishedIntent is an intent whose range has the added bars: one sum for each block that gets bars.
type FinishedIntent struct {
	Intent Intent
	Added  []BlockSum
}

var (
	// ErrChanged reports that the blocks of a plan changed since they were read.
	ErrChanged = errors.New("the blocks changed since they were read")

	// ErrIntentLost reports that another writer took the range of an intent over, because the intent had expired.
	ErrIntentLost = errors.New("another write took the range over")
)

// HeldError reports that another write of the range is under way.
type HeldError struct {
	Range   domain.Range
	Owner   string
	Expires time.Time // unless it is renewed
}

// Error names the write.
func (e *HeldError) Error() string {
	return fmt.Sprintf("a write of %s by %s is under way until %s", e.Range, e.Owner, e.Expires.Format(time.RFC3339))
}
