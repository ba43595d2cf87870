package main

import (
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A pattern is replaced by the symbols it matches, sorted; each symbol is returned once.
func TestResolveSymbols(t *testing.T) {
	t.Parallel()
	md := openFile(t, "symbols.db")
	for _, symbol := range []domain.Symbol{"B/USD", "A/USD", "A/EUR", "C/USD"} {
		key := domain.SeriesKey{Symbol: symbol, Grid: minuteKey.Grid}
		coverage := domain.Range{Start: minute(0), End: minute(1)}
		if _, err := md.Ingest(t.Context(), domain.EmptySeries(key), coverage, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct{ names, want, unmatched []string }{
		{names: []string{"C/USD", "NOBODY", "C/USD"}, want: []string{"C/USD", "NOBODY"}},
		{names: []string{"*"}, want: []string{"A/EUR", "A/USD", "B/USD", "C/USD"}},
		{names: []string{"B/USD", "*/USD", "A*"}, want: []string{"B/USD", "A/USD", "C/USD", "A/EUR"}},
		{names: []string{"X*", "A/?UR", "X*"}, want: []string{"X*", "A/EUR"}, unmatched: []string{"X*"}},
	} {
		all, err := resolveSymbols(t.Context(), md, c.names)
		if err != nil {
			t.Fatal(err)
		}

		var got, unmatched []string
		for _, a := range all {
			got = append(got, a.name)
			if a.err != nil {
				unmatched = append(unmatched, a.name)
			}
		}

		if !slices.Equal(got, c.want) || !slices.Equal(unmatched, c.unmatched) {
			t.Errorf("%q: %q, unmatched %q; want %q, %q", c.names, got, unmatched, c.want, c.unmatched)
		}
	}
}
