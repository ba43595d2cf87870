package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/app/ingest"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

// keeper keeps claims in a store that holds no bars.
type keeper struct{ *memory.Store }

func (k keeper) DeclareCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	_, err := k.WriteBars(ctx, domain.EmptySeries(key), r)
	return err
}

func (k keeper) RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	_, err := k.ReplaceBars(ctx, domain.EmptySeries(key), r)
	return err
}

// assuming is a store that holds no claims: it assumes its first to its last bar.
type assuming struct{ *memory.Store }

func (a assuming) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	held, err := a.Store.Extents(ctx, symbols...)
	var assumed []domain.Extent
	for _, e := range held {
		for bars, err := range a.ReadBars(ctx, ports.BarQuery{Key: e.Key, Range: e.Range}).Rows() {
			if err != nil {
				return nil, err
			}
			assumed = append(assumed, domain.Extent{Key: e.Key, Range: bars.Range(), Inferred: true})
		}
	}

	merged := map[domain.SeriesKey]domain.Range{}
	for _, e := range assumed {
		if r, found := merged[e.Key]; found {
			e.Range.Start = r.Start
		}
		merged[e.Key] = e.Range
	}

	assumed = assumed[:0]
	for k, r := range merged {
		assumed = append(assumed, domain.Extent{Key: k, Range: r, Inferred: true})
	}

	return domain.MergeExtents(assumed), err
}

func TestClaimedStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, func(tb testing.TB) contract.Store {
		return contract.Store{Bars: ingest.WithClaims(assuming{memory.New()}, keeper{memory.New()}), UnversionedBars: true}
	}, contract.Profile{})
}

// What somebody else wrote before the first claim, or after the last, is assumed; between claims nobody knows.
func TestClaimedStoreAssumesAroundItsClaims(t *testing.T) {
	t.Parallel()
	bars, claims := assuming{memory.New()}, keeper{memory.New()}
	others := sound(t, 0, 30)
	if _, err := bars.WriteBars(t.Context(), others, others.Range()); err != nil {
		t.Fatal(err)
	}

	s := ingest.WithClaims(bars, claims)
	check := func(want ...domain.Extent) {
		t.Helper()
		got, err := s.Extents(t.Context(), key.Symbol)
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}

		for i, e := range got {
			if e.Key != want[i].Key || !e.Range.Equal(want[i].Range) || e.Inferred != want[i].Inferred {
				t.Errorf("got %v, want %v", e, want[i])
			}
		}
	}
	check(domain.Extent{Key: key, Range: span(0, 30), Inferred: true})
	for _, s2 := range []domain.Series{sound(t, 10, 12), sound(t, 15, 20)} {
		if _, err := s.WriteBars(t.Context(), s2, s2.Range()); err != nil {
			t.Fatal(err)
		}
	}

	check(
		domain.Extent{Key: key, Range: span(0, 10), Inferred: true}, domain.Extent{Key: key, Range: span(10, 12)},
		domain.Extent{Key: key, Range: span(15, 20)}, domain.Extent{Key: key, Range: span(20, 30), Inferred: true},
	)
}

// failing refuses to replace bars.
type failing struct{ assuming }

var errOutage = errors.New("gone")

func (failing) ReplaceBars(context.Context, domain.Series, domain.Range) (ports.WriteReport, error) {
	return ports.WriteReport{}, errOutage
}

// A replacement that fails may have taken bars away: its range is not claimed any more.
func TestFailedReplacementLeavesNoClaim(t *testing.T) {
	t.Parallel()
	claims := keeper{memory.New()}
	s := ingest.WithClaims(failing{assuming{memory.New()}}, claims)
	if _, err := s.WriteBars(t.Context(), sound(t, 0, 9), span(0, 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReplaceBars(t.Context(), sound(t, 3, 4), span(2, 5)); !errors.Is(err, errOutage) {
		t.Fatal(err)
	}

	got, err := claims.Extents(t.Context())
	if err != nil || len(got) != 2 || !got[0].Range.Equal(span(0, 2)) || !got[1].Range.Equal(span(5, 9)) {
		t.Errorf("claimed %v, %v", got, err)
	}
}

// However frequencies are spread over sources, every answer is the one that a single store gives; the source that holds the bars
// is named.
func TestRoutingEqualsASingleStore(t *testing.T) {
	t.Parallel()
	frequencies := []domain.Frequency{domain.Second30, domain.Minute1, domain.Minute5, domain.Hour1, domain.Day1}
	rapid.Check(t, func(t *rapid.T) {
		cut := rapid.SampledFrom(frequencies).Draw(t, "cut")
		c := clock.NewSimulated(at(60 * 24 * 9))
		low, high, one := memory.New(), memory.New(), memory.New()
		single := over(t, c, nil, app.Config{}, app.Source{Name: "one", Bars: one, Catalog: one})
		spread := over(t, c, nil, app.Config{},
			app.Source{Name: "low", Bars: low, Catalog: low, Takes: domain.FrequencyRange{From: cut}},
			app.Source{Name: "high", Bars: high, Catalog: high, Takes: domain.FrequencyRange{Below: cut}, Local: true},
		)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			k := domain.SeriesKey{Symbol: "BTC/USD", Grid: rapid.SampledFrom(frequencies).Draw(t, "frequency").UTC()}
			open := k.Grid.Ceil(noon)
			for range rapid.IntRange(0, 3).Draw(t, "skip") {
				open = k.Grid.Next(open)
			}
			b := bar(0)
			b.OpenTime = open
			s, err := domain.NewSeries(k, b)
			if err != nil {
				t.Fatal(err)
			}

			write := (*app.Service).Ingest
			if rapid.Bool().Draw(t, "delete") {
				s, write = domain.EmptySeries(k), (*app.Service).Replace
			}
			claim := domain.Range{Start: open, End: k.Grid.Next(open)}
			want, err := write(single, t.Context(), s, claim)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := write(spread, t.Context(), s, claim); err != nil || got != want {
				t.Fatalf("wrote %+v, %v; want %+v", got, err, want)
			}

			request := domain.DataRequest{Key: k, Start: at(0)}
			a, errA := single.Fetch(t.Context(), request)
			z, errZ := spread.Fetch(t.Context(), request)
			if (errA == nil) != (errZ == nil) || !a.Series.Equal(z.Series) || !a.Range.Equal(z.Range) || !a.Next.Equal(z.Next) ||
				len(a.Uncovered) != len(z.Uncovered) {
				t.Fatalf("got %+v, %v; want %+v, %v", z, errZ, a, errA)
			}

			name := domain.StoreName("low")
			if k.Grid.Frequency().Nominal() < cut.Nominal() {
				name = "high"
			}
			for _, leg := range z.Provenance {
				if leg.Grid == k.Grid && leg.Store != name {
					t.Fatalf("%s came from %s", k, leg.Store)
				}
			}
		}

		a, errA := single.Coverage(t.Context())
		z, errZ := spread.Coverage(t.Context())
		if errA != nil || errZ != nil || len(a) != len(z) {
			t.Fatalf("covered %v, %v; want %v, %v", z, errZ, a, errA)
		}
	})
}

func TestSourcesThatContradict(t *testing.T) {
	t.Parallel()
	s := memory.New()
	for says, list := range map[string][]app.Source{
		"at least one":  nil,
		"no name":       {{Bars: s}},
		"two have this": {{Name: "a", Bars: s}, {Name: "a", Bars: s}},
		"neither bars":  {{Name: "a"}},
		"no frequency":  {{Name: "a", Bars: s, Takes: domain.FrequencyRange{From: domain.Hour1, Below: domain.Minute1}}},
	} {
		if _, err := app.New(list, clock.NewSimulated(noon), nil, app.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want one that says %q", err, says)
		}
	}
}

func TestNobodyTakesTheFrequency(t *testing.T) {
	t.Parallel()
	s := memory.New()
	md := over(t, clock.NewSimulated(noon), nil, app.Config{},
		app.Source{Name: "low", Bars: s, Catalog: s, Takes: domain.FrequencyRange{From: domain.Hour1}})
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "no store takes bars of 1m") {
		t.Errorf("fetch: %v", err)
	}
	if _, err := md.Ingest(t.Context(), sound(t, -9, -5), domain.Range{}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("ingest: %v", err)
	}
}
