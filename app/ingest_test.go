package app_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// covered is what the store claims of the key.
func (m market) covered(t *testing.T) []domain.Range {
	t.Helper()
	extents, err := ports.Collect(m.Coverage(t.Context(), key.Symbol))
	if err != nil {
		t.Fatal(err)
	}

	ranges := make([]domain.Range, len(extents))
	for i, e := range extents {
		if e.Store != "test" || e.Key != key || e.Inferred {
			t.Errorf("extent %+v", e)
		}
		ranges[i] = e.Range
	}

	return ranges
}

func TestIngestReports(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	ingest := func(s domain.Series, want ports.WriteReport) {
		t.Helper()
		if got, err := m.Ingest(t.Context(), s, domain.Range{}, ports.ConflictReplace); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	ingest(sound(t, 0, 5), ports.WriteReport{Inserted: 5})
	ingest(sound(t, 0, 5), ports.WriteReport{Unchanged: 5})
	amended := bar(4)
	amended.Close = domain.MustDecimal("100.5")
	ingest(series(t, bar(3), amended, bar(5)), ports.WriteReport{Inserted: 1, Changed: 1, Unchanged: 1})

	if got := m.covered(t); len(got) != 1 || !got[0].Equal(span(0, 6)) {
		t.Errorf("covered %v", got)
	}
	r, err := m.Fetch(t.Context(), domain.DataRequest{Key: key, Last: 2})
	if err != nil || !r.Series.At(0).Equal(amended) {
		t.Errorf("fetched %s, %v", r.Series, err)
	}
}

func TestIngestClaims(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	for _, step := range []struct {
		bars  domain.Series
		claim domain.Range
	}{
		{sound(t, 2, 3), span(0.5, 4)},          // moved up to 1
		{domain.EmptySeries(key), span(10, 12)}, // nothing traded
		{sound(t, 4, 6), domain.Range{}},        // touches the first
		{sound(t, 59, 60), span(50, 60)},        // up to now
	} {
		if _, err := m.Ingest(t.Context(), step.bars, step.claim, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	got := m.covered(t)
	if len(got) != 3 || !got[0].Equal(span(1, 6)) || !got[1].Equal(span(10, 12)) || !got[2].Equal(span(50, 60)) {
		t.Errorf("covered %v", got)
	}
}

func TestIngestMakesTheSymbolKnown(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	request := domain.DataRequest{Key: key}
	if _, err := m.Fetch(t.Context(), request); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	if _, err := m.Ingest(t.Context(), sound(t, 0, 1), domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	if _, err := m.Fetch(t.Context(), request); err != nil {
		t.Errorf("after: %v", err)
	}
	metas, err := ports.Collect(m.Symbols(t.Context(), ports.SymbolQuery{Pattern: "BTC*"}))
	if err != nil || len(metas) != 1 || metas[0].Base != "BTC" {
		t.Errorf("symbols %v, %v", metas, err)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{Settle: time.Minute})
	if _, err := m.Ingest(t.Context(), sound(t, 0, 9), domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	report, err := m.Replace(t.Context(), series(t, bar(3)), span(2, 5))
	if err != nil || report != (ports.WriteReport{Unchanged: 1, Deleted: 2}) {
		t.Errorf("replaced: %+v, %v", report, err)
	}
	report, err = m.Delete(t.Context(), key, span(6.5, 600))
	if err != nil || report != (ports.WriteReport{Deleted: 2}) {
		t.Errorf("deleted beyond now: %+v, %v", report, err)
	}
	r, err := m.Fetch(t.Context(), domain.DataRequest{Key: key, End: at(9)})
	if err != nil {
		t.Fatal(err)
	}

	want{bars: []int{0, 1, 3, 5, 6}, within: span(0, 9), uncovered: []domain.Range{span(7, 9)}, next: at(7)}.check(t, r)
}
