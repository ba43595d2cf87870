package app_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

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

			deletes := rapid.Bool().Draw(t, "delete")
			coverage := domain.Range{Start: open, End: k.Grid.Next(open)}
			write := func(md *app.Service) (ports.WriteReport, error) {
				if deletes {
					return md.Delete(t.Context(), k, coverage)
				}
				return md.Ingest(t.Context(), s, coverage, ports.ConflictReplace)
			}
			want, err := write(single)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := write(spread); err != nil || got != want {
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

		a, errA := ports.Collect(single.Coverage(t.Context()))
		z, errZ := ports.Collect(spread.Coverage(t.Context()))
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
		"no name":       {{Bars: s, Catalog: s}},
		"two have this": {{Name: "a", Bars: s, Catalog: s}, {Name: "a", Bars: s}},
		"neither bars":  {{Name: "a"}},
		"no frequency": {
			{Name: "a", Bars: s, Catalog: s, Takes: domain.FrequencyRange{From: domain.Hour1, Below: domain.Minute1}},
		},
		"sources a, b, c: none has a Catalog": {
			{Name: "a", Health: described{nil, new(string)}, Optional: true}, {Name: "b", Bars: s}, {Name: "c", Ticks: s},
		},
		"sources c: none has a Catalog": {{Name: "c", Ticks: s}},
	} {
		_, err := app.New(list, clock.NewSimulated(noon), nil, app.Config{})
		if !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an ErrInvalid that says %q", err, says)
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
	if _, err := md.Ingest(t.Context(), sound(t, -9, -5), domain.Range{}, ports.ConflictReplace); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("ingest: %v", err)
	}
}
