package hostile

import (
	"context"
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
)

// CheckStore passes hostile symbols to a store that has the bars, past the checks of the application. Each read must
// return nothing, or ErrInvalid, and afterwards the store must have the bars and no others. The long form passes twenty
// times as many symbols.
func CheckStore(t *testing.T, s ports.Store, bars domain.Series, symbols int) {
	t.Helper()
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	const maxLength = 1 << 10 // a store may be far away; the longer ones are equal to it
	if effort.IsDeep() {
		symbols *= 20
	}
	g := New(1)
	for range symbols {
		symbol := g.Symbol()
		if len(symbol) > maxLength {
			symbol = symbol[:maxLength]
		}

		key := bars.Key()
		key.Symbol = symbol
		n, err := count(t.Context(), s, ports.BarQuery{Key: key, Range: bars.Range()})
		if n > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
			t.Fatalf("bars of %.100q: got %d, %v", symbol, n, err)
		}

		found, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: []domain.Symbol{symbol}}))
		if len(found) > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
			t.Fatalf("extents of %.100q: got %v, %v", symbol, found, err)
		}
	}

	n, err := count(t.Context(), s, ports.BarQuery{Key: bars.Key(), Range: bars.Range()})
	if n != bars.Len() || err != nil {
		t.Errorf("afterwards %d bars, %v; want %d", n, err, bars.Len())
	}
	extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{}))
	if len(extents) != 1 || extents[0].Key != bars.Key() || err != nil {
		t.Errorf("afterwards the extents %v, %v", extents, err)
	}
}

func count(ctx context.Context, s ports.Store, q ports.BarQuery) (n int, err error) {
	for piece, failed := range s.ReadBars(ctx, q).Rows() {
		if err = failed; err != nil {
			return n, err
		}

		n += piece.Len()
	}

	return n, nil
}
