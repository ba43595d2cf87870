package production_test

import (
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// A store does not cover what another store has: after the frequency that divides the two has moved, or without InfluxDB,
// bars that are in the other store are not covered, and never look as if nothing was traded.
func TestMovedBoundaryCoversNothing(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	before := open(t, cfg, production.Options{})
	lower, higher, alone := cfg, cfg, cfg
	lower.HighFrequencyBelow, higher.HighFrequencyBelow, alone.Influx = domain.Minute5, domain.Day1, wiring.Influx{}
	for name, c := range map[string]struct {
		cfg  wiring.Config
		lost domain.Series
	}{
		"boundary below":   {lower, bars(t, "BELOW", domain.Minute30)},
		"boundary above":   {higher, bars(t, "ABOVE", domain.Hour1)},
		"without InfluxDB": {alone, bars(t, "ALONE", domain.Minute30)},
	} {
		if _, err := before.Ingest(t.Context(), c.lost, domain.Range{}, ports.ConflictFail); err != nil {
			t.Fatal(err)
		}

		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := open(t, c.cfg, production.Options{})
			r := c.lost.Range()
			got, err := md.Fetch(t.Context(), domain.DataRequest{Key: c.lost.Key(), Start: r.Start, End: r.End})
			if err != nil || got.Series.Len() > 0 || len(got.Uncovered) != 1 || !got.Uncovered[0].Equal(r) {
				t.Fatalf("got %v, uncovered %v, %v; want all of %s uncovered", got.Series, got.Uncovered, err, r)
			}

			if _, err := md.Ingest(t.Context(), c.lost, domain.Range{}, ports.ConflictFail); err != nil {
				t.Fatal(err)
			}

			got, err = md.Fetch(t.Context(), domain.DataRequest{Key: c.lost.Key(), Start: r.Start, End: r.End})
			if err != nil || !got.Series.Equal(c.lost) || len(got.Uncovered) > 0 {
				t.Errorf("written again: %v, uncovered %v, %v; want %v", got.Series, got.Uncovered, err, c.lost)
			}
		})
	}
}
