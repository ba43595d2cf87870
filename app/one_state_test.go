package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/onestate"
)

// TestEveryAnswerIsOneState reads in every way beside a writer, in pages of seven rows, with and without a cache.
func TestEveryAnswerIsOneState(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(map[bool]string{false: "store", true: "cache"}[cached], func(t *testing.T) {
			t.Parallel()
			store, c := memory.New(), clock.NewSimulated(at(60))
			source := app.Source{Name: "test", Bars: store, Catalog: store}
			if cached {
				source, _ = cachedSource(t, source, c, seriescache.Config{})
			}
			md, err := app.NewStepping(7, []app.Source{source}, c, app.Config{})
			if err != nil {
				t.Fatal(err)
			}

			s := onestate.Series{Key: key, Start: at(0), Coarse: domain.Hour1.UTC(), Bars: 60}
			s.Hammer(t, source.Bars, onestate.Reader{Service: md, Writes: true, Answers: 1_000})
		})
	}
}

// TestEveryAnswerOfTradesIsOneState is TestEveryAnswerIsOneState for trades, in pages that end within an instant; the
// trades cross midnight, where a block ends.
func TestEveryAnswerOfTradesIsOneState(t *testing.T) {
	t.Parallel()
	store, midnight := memory.New(), noon.Add(12*time.Hour)
	s := onestate.Series{Key: key, Start: midnight.Add(-25 * time.Minute), Bars: 60}
	md, err := app.NewStepping(7, []app.Source{{Name: "test", Bars: store, Ticks: store, Catalog: store}},
		clock.NewSimulated(midnight.Add(time.Hour)), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	s.HammerTrades(t, store, onestate.Reader{Service: md, Writes: true, Answers: 1_000})
}

// lossy is a store that loses a bar of every read.
type lossy struct{ *memory.Store }

func (s lossy) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		for p, err := range s.Store.ReadBars(ctx, q) {
			if p.State != nil && p.Rows.Len() > 0 {
				p.Rows = p.Rows.Slice(1, p.Rows.Len())
			}
			if (err != nil || p.State != nil || p.Rows.Len() > 0) && !yield(p, err) {
				return
			}
		}
	}
}

// TestLostBarsAreCorruptData has a store with fewer bars than it counts, as after a dropped partition.
func TestLostBarsAreCorruptData(t *testing.T) {
	t.Parallel()
	store := memory.New()
	bars := sound(t, 0, 600)
	if _, err := ports.WriteBars(t.Context(), store, bars, span(-5_000, 5_000), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(6_000)), nil, app.Config{}, app.Source{Name: "test", Bars: lossy{store}, Catalog: store})
	for _, r := range []domain.DataRequest{
		{Key: key, Start: at(-5_000), End: at(5_000)}, {Key: key, Start: at(-5_000), End: at(5_000), Last: 1_000},
	} {
		_, err := md.Fetch(t.Context(), r)
		if !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), "the store counts 600") {
			t.Errorf("%s: %v", r, err)
		}
	}
}
