package postgres_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// TestWritersInOppositeOrders proves that calls that lock the same rows in opposite orders wait and never deadlock.
func TestWritersInOppositeOrders(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	metas := make([]domain.SymbolMeta, 200)
	for i := range metas {
		metas[i] = domain.NewSymbolMeta(domain.Symbol(fmt.Sprintf("COIN%03d/USD", i)))
	}
	reversed := slices.Clone(metas)
	slices.Reverse(reversed)
	bars := gen.Walk("BTC/USD", 2_000)
	errs := make(chan error)
	calls := []func(i int) error{
		func(int) error { return s.PutSymbols(t.Context(), metas...) },
		func(int) error { return s.PutSymbols(t.Context(), reversed...) },
		func(i int) error {
			_, err := ports.WriteBars(t.Context(), s, bars.Slice(i, 2_000-i), bars.Range(), ports.ConflictReplace)
			return err
		},
		func(i int) error {
			_, err := s.ReplaceBars(t.Context(), bars.Slice(10*i, 10*i+500), bars.Range())
			return err
		},
	}
	for _, call := range calls {
		go func() {
			var err error
			for i := 0; i < 10 && err == nil; i++ {
				err = call(i)
			}
			errs <- err
		}()
	}

	for range calls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
