package ledgertest

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// Bars is a store of bars in memory without transactions. A write is several requests, which a test may let fail.
type Bars struct {
	memory   *memory.Store
	identity atomic.Pointer[string]

	// Request, if set, is called before each request with its name: extents, identity, set
	// identity, check, delete, write, write rest, read
	// back. If it returns an error, the request is not done.
	Request atomic.Pointer[func(ctx context.Context, name string) error]

	// Lose, if set, returns what an answer has of the stored bars.
	Lose atomic.Pointer[func(domain.Series) domain.Series]

	// Tear, if set, returns an error where a row is no bar, before each read of stored bars. ReadBars then waits for the
	// rest of the row.
	Tear atomic.Pointer[func(ports.BarQuery) error]
}

var _ ledger.NontransactionalStore = (*Bars)(nil)

// NewBars returns an empty store.
func NewBars() *Bars { return &Bars{memory: memory.New()} }

// Put writes bars as another program does.
func (b *Bars) Put(ctx context.Context, bars domain.Series) error {
	_, err := ports.WriteBars(ctx, b.memory, bars, bars.Range(), ports.ConflictReplace)
	return err
}

func (b *Bars) request(ctx context.Context, name string) error {
	if f := b.Request.Load(); f != nil {
		return (*f)(ctx, name)
	}

	return ended(ctx, name)
}

// ReadBars implements ports.BarReader.
func (b *Bars) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		if tear := b.Tear.Load(); tear != nil && (*tear)(q) != nil {
			time.Sleep(time.Second)
		}
		b.ReadBarsOnce(ctx, q)(yield)
	}
}

// ReadBarsOnce implements ledger.NontransactionalStore.
func (b *Bars) ReadBarsOnce(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	rows := b.memory.ReadBars(ctx, q).Rows()
	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		if tear := b.Tear.Load(); tear != nil {
			if err := (*tear)(q); err != nil {
				yield(domain.Series{}, err)
				return
			}
		}

		rows(func(bars domain.Series, err error) bool {
			if lose := b.Lose.Load(); lose != nil && err == nil {
				bars = (*lose)(bars)
			}

			return err == nil && bars.Len() == 0 || yield(bars, err)
		})
	})
}

// Extents implements ports.CoverageReader: it infers from the first to the last bar.
func (b *Bars) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) { return b.inferred(ctx, q) })
}

func (b *Bars) inferred(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	if err := b.request(ctx, "extents"); err != nil {
		return nil, err
	}

	stored, err := ports.Collect(b.memory.Extents(ctx, q))
	inferred := map[domain.SeriesKey]domain.Range{}
	for _, e := range stored {
		for bars, err := range b.memory.ReadBars(ctx, ports.BarQuery{Key: e.Key, Range: e.Range}).Rows() {
			if err != nil {
				return nil, err
			}
			inferred[e.Key] = inferred[e.Key].Hull(bars.Range())
		}
	}

	var extents []domain.Extent
	for key, r := range inferred {
		extents = append(extents, domain.Extent{Key: key, Range: r, Inferred: true})
	}

	return domain.MergeExtents(extents), err
}

// CheckBars implements ledger.NontransactionalStore.
func (b *Bars) CheckBars(ctx context.Context, sets []ledger.BarSet) []error {
	if len(sets) == 0 {
		return nil
	}

	return slices.Repeat([]error{b.request(ctx, "check")}, len(sets))
}

// SetBars implements ledger.NontransactionalStore. It deletes, writes half of the bars of each set, and then the rest.
func (b *Bars) SetBars(ctx context.Context, sets []ledger.BarSet, permit func(context.Context) error) error {
	requests := []struct {
		name string
		do   func(ledger.BarSet) error
	}{
		{"delete", func(set ledger.BarSet) error {
			_, err := b.memory.DeleteBars(ctx, set.Bars.Key(), set.Range)
			return err
		}},
		{"write", func(set ledger.BarSet) error { return b.Put(ctx, set.Bars.Slice(0, set.Bars.Len()/2)) }},
		{"write rest", func(set ledger.BarSet) error {
			return b.Put(ctx, set.Bars.Slice(set.Bars.Len()/2, set.Bars.Len()))
		}},
	}
	for _, step := range requests {
		if err := permit(ctx); err != nil {
			return err
		}
		if err := b.request(ctx, step.name); err != nil {
			return err
		}
		for _, set := range sets {
			if err := step.do(set); err != nil {
				return err
			}
		}
	}

	return b.request(ctx, "read back")
}

// Identity implements ledger.NontransactionalStore.
func (b *Bars) Identity(ctx context.Context) (string, error) {
	if err := b.request(ctx, "identity"); err != nil {
		return "", err
	}
	if id := b.identity.Load(); id != nil {
		return *id, nil
	}

	return "", nil
}

// SetIdentity implements ledger.NontransactionalStore.
func (b *Bars) SetIdentity(ctx context.Context, id string) error {
	err := b.request(ctx, "set identity")
	if err == nil {
		b.identity.Store(&id)
	}

	return err
}
