package ingest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// derived is a catalog that removes no symbols.
type derived struct{ ports.SymbolCatalog }

// A symbol is removed from all catalogs, unless it has data in a store, or a catalog that removes none lists it.
func TestRemoveSymbol(t *testing.T) {
	t.Parallel()
	first, second, third := memory.New(), memory.New(), memory.New()
	md, err := app.New([]app.Source{
		{Name: "first", Bars: first, Catalog: first},
		{Name: "second", Catalog: second},
		{Name: "third", Catalog: derived{third}},
	}, clock.NewSimulated(today), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	remove := func(want ...string) {
		t.Helper()
		err := md.RemoveSymbol(t.Context(), "A/B")
		var inUse *ports.SymbolInUseError
		switch {
		case len(want) == 0 && err != nil:
			t.Error(err)
		case len(want) > 0 && (!errors.As(err, &inUse) || !errors.Is(err, ports.ErrConflict)):
			t.Errorf("got %v, want a conflict", err)
		case len(want) > 0 && !slices.Equal(inUse.Series, want):
			t.Errorf("left are %q, want %q", inUse.Series, want)
		}
	}
	known := func(want bool) {
		t.Helper()
		if err := md.ValidateSymbol(t.Context(), "A/B"); (err == nil) != want {
			t.Errorf("the symbol is known: %v, want %t", err, want)
		}
	}

	bars := gen.FlatBars(minuteKey, minute(0), 3)
	if _, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	meta := domain.NewSymbolMeta("A/B")
	if err := errors.Join(second.PutSymbols(t.Context(), meta), third.PutSymbols(t.Context(), meta)); err != nil {
		t.Fatal(err)
	}

	remove("bars")
	known(true)
	if err := third.RemoveSymbol(t.Context(), "A/B"); err != nil {
		t.Fatal(err)
	}
	remove("trade 1m")
	known(true)
	if _, err := md.Delete(t.Context(), minuteKey, bars.Range()); err != nil {
		t.Fatal(err)
	}
	remove()
	known(false)
	remove()
	if err := md.RemoveSymbol(t.Context(), "A,B"); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("an invalid symbol: %v", err)
	}
}
