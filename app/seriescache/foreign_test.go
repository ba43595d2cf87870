package seriescache_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// TestForeignSeries reads a series that another program writes through the cache, and then one that is written here. The
// bars of the first are not cached, and have no state.
func TestForeignSeries(t *testing.T) {
	t.Parallel()
	bars := ledgertest.NewBars()
	next := ingest.WithLedger("ledgered", "", bars, ledgertest.NewMemory())
	local, err := ristretto.NewBlocks(16 << 20)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(local.Close)
	s, err := seriescache.New(seriescache.Dependencies{
		Store: next, States: next, Foreign: true, Caches: seriescache.Caches{Local: local}, Clock: clock.NewSystem(),
	}, seriescache.Config{Name: "ledgered"})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(s.Close)
	want := makeBars(t, 0, 10, 1)
	for n := range 3 { // the last time, the bars have other values
		if n == 2 {
			want = makeBars(t, 0, 10, 2)
		}
		if err := bars.Put(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		for _, q := range []ports.BarQuery{query(minutes(0, 10)), {Key: key, Range: minutes(-20, 20), Last: 10}} {
			if got, state := readPieces(t, s, q); !got.Equal(want) || state != nil {
				t.Fatalf("got %v with the state %v", got, state)
			}
			if _, _, ok := s.LocalBars(nil, q); ok {
				t.Error("bars of others are in the cache")
			}
		}
	}

	if _, err := s.ReplaceBars(t.Context(), want, minutes(0, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, state := readPieces(t, s, query(minutes(0, 10))); !got.Equal(want) || state == nil || !state.Covers(minutes(0, 10)) {
			t.Fatalf("got %v with the state %v", got, state)
		}
	}
	if _, _, ok := s.LocalBars(nil, query(minutes(0, 10))); !ok {
		t.Error("the bars are not in the cache")
	}
}

// readPieces returns the bars and the state of a read.
func readPieces(t *testing.T, s ports.BarReader, q ports.BarQuery) (domain.Series, *domain.SeriesState) {
	t.Helper()
	var state *domain.SeriesState
	b := domain.NewSeriesBuilder(q.Key, 0)
	for piece, err := range s.ReadBars(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if piece.State != nil {
			state = piece.State
		}
		if piece.Rows.Len() > 0 {
			if err := b.AppendSeries(piece.Rows); err != nil {
				t.Fatal(err)
			}
		}
	}

	bars, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return bars, state
}
