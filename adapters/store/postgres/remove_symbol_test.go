package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestRemoveSymbolBesideWriters removes a symbol again and again, while two processes, which remember its series, write
// bars and delete them. No write is lost: its bars are there, and the symbol is known.
func TestRemoveSymbolBesideWriters(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	remover := openMigrated(t, dsn)
	ctx, stop := context.WithCancel(t.Context())
	var removing sync.WaitGroup
	removed := 0
	removing.Go(func() {
		for ctx.Err() == nil {
			var inUse *ports.SymbolInUseError
			err := remover.RemoveSymbol(t.Context(), "BTC/USD")
			if err == nil {
				removed++
			} else if !errors.As(err, &inUse) {
				t.Error(err)
				return
			}
			time.Sleep(50 * time.Millisecond) // a write is tried three times
		}
	})

	errs := make(chan error)
	for n, grid := range []domain.Grid{domain.Hour1.UTC(), domain.Minute1.UTC()} {
		s := openEmpty(t, dsn)
		bars := hourlyBars(t, "BTC/USD", year(2018+n), 3)
		bars, err := domain.NewSeriesFromColumns(domain.SeriesKey{Symbol: "BTC/USD", Grid: grid}, bars.Columns())
		if err != nil {
			t.Fatal(err)
		}
		go func() { errs <- writeAndDelete(t, s, bars) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	stop()
	removing.Wait()
	if removed == 0 {
		t.Error("the symbol was never removed")
	}
}

// writeAndDelete writes bars, reads them and their symbol, and deletes them, many times.
func writeAndDelete(t *testing.T, s *Store, bars domain.Series) error {
	for range 150 {
		if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictFail); err != nil {
			return err
		}
		if n := countBars(t.Context(), t, s, bars); n != bars.Len() {
			return fmt.Errorf("%d bars, want %d", n, bars.Len())
		}
		known, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{}))
		if err != nil || len(known) != 1 {
			return fmt.Errorf("known are %v, %w", known, err)
		}
		if _, err := s.DeleteBars(t.Context(), bars.Key(), bars.Range()); err != nil {
			return err
		}
	}

	return nil
}
