package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestCoverageMergesAndSubtracts(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	ctx := t.Context()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()}
	day := func(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }
	days := func(from, to int) domain.Range { return domain.Range{Start: day(from), End: day(to)} }
	declare := func(r domain.Range) (ports.WriteReport, error) {
		return ports.WriteBars(ctx, s, domain.EmptySeries(key), r, ports.ConflictReplace)
	}
	remove := func(r domain.Range) (ports.WriteReport, error) { return s.DeleteBars(ctx, key, r) }
	for _, step := range []struct {
		change func(domain.Range) (ports.WriteReport, error)
		r      domain.Range
		want   []domain.Range
	}{
		{remove, days(1, 9), nil},
		{declare, days(1, 2), []domain.Range{days(1, 2)}},
		{declare, days(3, 4), []domain.Range{days(1, 2), days(3, 4)}},
		{declare, days(2, 3), []domain.Range{days(1, 4)}},
		{declare, days(1, 4), []domain.Range{days(1, 4)}},
		{remove, days(2, 3), []domain.Range{days(1, 2), days(3, 4)}},
		{remove, days(1, 9), nil},
	} {
		if _, err := step.change(step.r); err != nil {
			t.Fatal(err)
		}

		extents, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{key.Symbol}}))
		if err != nil {
			t.Fatal(err)
		}

		var got []domain.Range
		for _, e := range extents {
			got = append(got, e.Range)
		}
		if fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Fatalf("after %s: %v, want %v", step.r, got, step.want)
		}
	}
	if known, err := ports.Collect(s.Symbols(ctx, ports.SymbolQuery{})); err != nil || len(known) != 1 {
		t.Fatal(known, err)
	}
}
