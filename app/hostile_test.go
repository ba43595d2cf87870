package app_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/hostile"
)

// TestHostileRequests sends 50,000 hostile requests, a million in the long form, to an application whose stores fail the
// test when they are called. Each is refused, in a short message without control characters, and in a few microseconds.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	requests := 50_000
	if effort.IsDeep() {
		requests = 1_000_000
	}

	const batch = 1_000
	md, g := untouchable(t, app.Config{}), hostile.New(7)
	fastest := time.Hour // the mean of a batch that no other test disturbed
	for range requests / batch {
		var took time.Duration
		for range batch {
			r := g.Request()
			began := time.Now()
			_, err := md.Fetch(t.Context(), r)
			took += time.Since(began)
			checkRefusal(t, err)
			if t.Failed() {
				t.Fatalf("the request %.200q, %s to %s, grid %s, first %d, last %d",
					r.Key.Symbol, r.Start, r.End, r.Key.Grid, r.First, r.Last)
			}
		}
		fastest = min(fastest, took/batch)
	}
	if fastest > maxRefusal {
		t.Errorf("a refusal took %s, want at most %s", fastest, maxRefusal)
	}
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ports.ErrInvalid) && !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("got %v", err)
		return
	}

	text := err.Error()
	for _, c := range text {
		if c < ' ' || c >= 0x7f && c <= 0x9f || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069' {
			t.Errorf("the message has control characters: %q", text)
			return
		}
	}
	if len(text) > 500 {
		t.Errorf("the message has %d bytes", len(text))
	}
}

// TestHostileSymbols passes hostile symbols to the other calls.
func TestHostileSymbols(t *testing.T) {
	t.Parallel()
	md, g := untouchable(t, app.Config{}), hostile.New(8)
	for range 1_000 {
		symbol := g.Symbol()
		key := domain.SeriesKey{Symbol: symbol, Grid: key.Grid}
		_, trades := md.FetchTrades(t.Context(), domain.TickRequest{Symbol: symbol, Start: at(-9), End: at(-1)})
		_, quotes := md.FetchQuotes(t.Context(), domain.TickRequest{Symbol: symbol, Start: at(-9), End: at(-1)})
		_, latest := md.Latest(t.Context(), symbol)
		_, ingested := md.Ingest(t.Context(), domain.EmptySeries(key), span(-9, -5), ports.ConflictReplace)
		_, deleted := md.Delete(t.Context(), key, span(-9, -5))
		for _, err := range []error{trades, quotes, latest, ingested, deleted} {
			checkRefusal(t, err)
		}
		if t.Failed() {
			t.Fatalf("the symbol %.200q", symbol)
		}
	}
}
