package codec

import (
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// Pieces of a Series, each packed at the scale that suits it, join to the Series.
func TestJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		var chunks []Chunk
		for from := 0; from < s.Len(); {
			to := rapid.IntRange(from+1, s.Len()).Draw(t, "to")
			chunks = append(chunks, mustOpen(t, mustPack(t, s.Slice(from, to))))
			from = to
		}
		first := rapid.IntRange(0, chunks[0].Len()).Draw(t, "first") // a read may begin within a chunk
		chunks[0] = chunks[0].Slice(first, chunks[0].Len())
		got, err := Join(s.Key(), chunks...)
		if err != nil {
			t.Fatalf("Join: %v", err)
		}
		sameBars(t, "joined", got, s.Slice(first, s.Len()))
	})
}

func TestJoinOfNothing(t *testing.T) {
	t.Parallel()
	chunk := mustOpen(t, mustPack(t, goldenSeries(t, "gaps")))
	for _, chunks := range [][]Chunk{nil, {chunk.Slice(3, 3)}} {
		if s, err := Join(minute(), chunks...); err != nil || s.Len() != 0 || s.Key() != minute() {
			t.Errorf("Join of %d chunks = %v, %v; want no bars of %v", len(chunks), s, err, minute())
		}
	}
}

func TestJoinRefusesDisorder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gaps", "wide"} { // decoded into place, and copied
		s := goldenSeries(t, name)
		a := mustOpen(t, mustPack(t, s.Slice(0, 1)))
		b := mustOpen(t, mustPack(t, s.Slice(1, s.Len())))
		var rule *domain.RuleError
		if _, err := Join(s.Key(), b, a); !errors.As(err, &rule) || rule.Rule != domain.RuleOrder {
			t.Errorf("%s in the wrong order: %v, want a breach of %s", name, err, domain.RuleOrder)
		}
		if _, err := Join(s.Key(), a, a); !errors.As(err, &rule) || rule.Rule != domain.RuleDuplicate {
			t.Errorf("%s twice: %v, want a breach of %s", name, err, domain.RuleDuplicate)
		}
	}
}
