package postgres

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/gen"
)

// TestPayloadsRoundTrip proves that payloads are within the limit, differ from each other, and decode to the changes.
func TestPayloadsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) blockcache.Hint {
			key := gen.Key().Draw(t, "key")
			return blockcache.Hint{
				Store: domain.StoreName(rapid.StringN(0, 1000, 3000).Draw(t, "store")),
				Key:   key,
				Range: gen.Range(key.Grid).Draw(t, "range"),
			}
		})
		want := rapid.SliceOfN(one, 0, 50).Draw(t, "changes")
		if rapid.Bool().Draw(t, "alike") && len(want) > 0 {
			want = slices.Repeat(want[:1], 200)
		}
		const name = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		texts, err := encodeNotifications(name, want)
		if err != nil {
			t.Fatal(err)
		}

		var got []blockcache.Hint
		for i, text := range texts {
			if len(text) > maxPayload || slices.Contains(texts[:i], text) {
				t.Fatalf("part %d of %d: %d bytes, or equal to another part", i, len(texts), len(text))
			}

			n, ok := decodeNotification(text)
			if !ok || n.From != name || len(n.Changes) == 0 {
				t.Fatalf("part %d decodes to %+v", i, n)
			}

			got = append(got, n.Changes...)
		}
		if !slices.EqualFunc(got, want, func(a, b blockcache.Hint) bool {
			return a.Store == b.Store && a.Key == b.Key && a.Range.Equal(b.Range)
		}) {
			t.Fatalf("%d changes became %d, or different ones", len(want), len(got))
		}
	})
}

func FuzzDecodeNotification(f *testing.F) {
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	texts, err := encodeNotifications("x", []blockcache.Hint{{Store: "s", Key: key}})
	if err != nil {
		f.Fatal(err)
	}

	for _, seed := range append(texts, "", "{}", `{"from":"x","proof":"y"}`, `{"from":"x","changes":[{}]}`) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		n, ok := decodeNotification(payload)
		if !ok {
			return
		}

		if n.From == "" {
			t.Error("no publisher")
		}
		if _, err := encodeNotifications(n.From, n.Changes); err != nil && len(payload) < maxPayload/10 {
			t.Errorf("the decoded changes cannot be encoded: %v", err)
		}
	})
}
