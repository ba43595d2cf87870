package differential

import (
	"context"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

func openMemory(testing.TB) contract.Store {
	s := memory.New()
	return contract.Store{Bars: s, Ticks: s, Catalog: s, Symbols: s}
}

func openSQLite(tb testing.TB) contract.Store {
	tb.Helper()
	s, closeStore, err := sqlite.Open(tb.Context(), sqlite.Config{Path: filepath.Join(tb.TempDir(), "market.db")})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)

	return contract.Store{Bars: s, Ticks: s, Catalog: s, Symbols: s}
}

func TestMemoryAgainstSQLite(t *testing.T) {
	t.Parallel()
	Run(t, openMemory, openSQLite)
}

func TestMemoryAgainstItself(t *testing.T) {
	t.Parallel()
	Run(t, openMemory, openMemory)
}

func TestTicksOfMemoryAgainstSQLite(t *testing.T) {
	t.Parallel()
	RunTicks(t, openMemory, openSQLite)
}

func TestTicksOfMemoryAgainstItself(t *testing.T) {
	t.Parallel()
	RunTicks(t, openMemory, openMemory)
}

// forgetful is a store that sometimes loses the last bar or trade of a write.
type forgetful struct {
	*memory.Store
	writes int
}

func (f *forgetful) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := f.Store.WriteBatch(ctx, writes)
	for i, w := range writes {
		f.writes++
		if b := w.Bars; results[i].Err == nil && f.writes%10 == 0 && b.Len() > 0 {
			last := b.Slice(b.Len()-1, b.Len()).Range()
			_, results[i].Err = f.DeleteBars(ctx, b.Key(), last)
		}
	}

	return results
}

func (f *forgetful) WriteTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	f.writes++
	if f.writes%10 == 0 && trades.Len() > 0 {
		report, err := f.Store.WriteTrades(ctx, trades.Slice(0, trades.Len()-1), coverage, onConflict)
		report.Inserted++ // the report counts the lost row, too
		return report, err
	}

	return f.Store.WriteTrades(ctx, trades, coverage, onConflict)
}

func TestComparisonFindsALostBar(t *testing.T) {
	t.Parallel()
	program := rapid.SliceOfN(barOperations(), 200, 200).Example(1)
	s := memory.New()
	lossy := contract.Store{Bars: &forgetful{Store: s}, Catalog: s, Symbols: s}
	if applyAndReadBars(t.Context(), openMemory(t), lossy, program) == nil {
		t.Error("a store that loses bars was found equal to one that does not")
	}
	if err := applyAndReadBars(t.Context(), openMemory(t), openMemory(t), program); err != nil {
		t.Errorf("two equal stores were found to differ: %v", err)
	}
}

func TestComparisonFindsALostTrade(t *testing.T) {
	t.Parallel()
	program := rapid.SliceOfN(tickOperations(), 300, 300).Example(1)
	s := memory.New()
	lossy := contract.Store{Ticks: &forgetful{Store: s}, Catalog: s}
	if applyAndReadTicks(t.Context(), openMemory(t), lossy, program) == nil {
		t.Error("a store that loses trades was found equal to one that does not")
	}
	if err := applyAndReadTicks(t.Context(), openMemory(t), openMemory(t), program); err != nil {
		t.Errorf("two equal stores were found to differ: %v", err)
	}
}
