package checkpoint

import (
	"encoding/base64"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// anyCheckpoint draws one with up to three series.
func anyCheckpoint() *rapid.Generator[*Checkpoint] {
	return rapid.Custom(func(t *rapid.T) *Checkpoint {
		end := time.Date(2018, 2, 1, 0, 0, 0, 0, time.UTC)
		before := func(label string) time.Time {
			return end.Add(-time.Duration(rapid.IntRange(1, 1_000_000).Draw(t, label)) * time.Microsecond)
		}
		c := &Checkpoint{
			Range: domain.Range{Start: before("start"), End: end}, Uncovered: rapid.Uint64().Draw(t, "uncovered"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "series") {
			s := Series{
				Store:    domain.StoreName(rapid.String().Draw(t, "store")),
				Ticks:    rapid.SampledFrom([]domain.TickKind{"", domain.TickTrades, domain.TickQuotes}).Draw(t, "ticks"),
				Range:    domain.Range{Start: before("series start"), End: end},
				Version:  domain.Version{Revision: rapid.Int64().Draw(t, "revision"), Nonce: rapid.Uint64().Draw(t, "nonce")},
				Coverage: rapid.Uint64().Draw(t, "coverage"), Blocks: rapid.Uint64().Draw(t, "blocks"),
				Last: rapid.Uint64().Draw(t, "last"),
				Cut:  domain.Version{Revision: rapid.Int64().Draw(t, "cut revision"), Nonce: rapid.Uint64().Draw(t, "cut nonce")},
			}
			if s.Ticks == "" {
				s.Grid = gen.Key().Draw(t, "grid").Grid
			}
			c.Series = append(c.Series, s)
		}

		return c
	})
}

// TestDecodeReturnsTheCheckpoint tests that Decode inverts Encode, and refuses every part of the text.
func TestDecodeReturnsTheCheckpoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := anyCheckpoint().Draw(t, "checkpoint")
		text := c.Encode()
		if got, err := Decode(text); err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("%+v, %v; want %+v", got, err, c)
		}

		part := text[:rapid.IntRange(1, len(text)-1).Draw(t, "bytes")]
		if got, err := Decode(part); err == nil && got.Encode() != part || err != nil && !errors.Is(err, domain.ErrInvalid) {
			t.Fatalf("%d of %d bytes: %+v, %v", len(part), len(text), got, err)
		}
	})
}

// TestDecodeRefuses tests texts that are none of a checkpoint. There is no checkpoint in an empty one.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	start, end := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 2, 1, 0, 0, 0, 0, time.UTC)
	whole := domain.Range{Start: start, End: end}
	beyond := Series{Store: "memory", Grid: domain.Minute1.UTC(), Range: domain.Range{Start: start, End: end.Add(time.Microsecond)}}
	empty := Series{Store: "memory", Grid: domain.Minute1.UTC(), Range: domain.Range{Start: end, End: end}}
	for name, text := range map[string]domain.Checkpoint{
		"a word":              "next",
		"a position":          (&Checkpoint{Range: whole}).Encode()[:8],
		"half of one":         (&Checkpoint{Range: whole}).Encode() + "\x01\x02\x03",
		"a series beyond":     (&Checkpoint{Range: whole, Series: []Series{beyond}}).Encode(),
		"a series of nothing": (&Checkpoint{Range: whole, Series: []Series{empty}}).Encode(),
		"a range backward":    (&Checkpoint{Range: domain.Range{Start: end, End: start}}).Encode(),
	} {
		if got, err := Decode(text); got != nil || !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}

	if got, err := Decode(""); got != nil || err != nil {
		t.Errorf("no checkpoint: %+v, %v", got, err)
	}
}

// TestEncodeOfVersion2 tests that the text in page tokens that were handed out stays good.
func TestEncodeOfVersion2(t *testing.T) {
	t.Parallel()
	r := domain.Range{Start: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2018, 2, 1, 5, 0, 0, 0, time.UTC)}
	c := Checkpoint{Range: r, Series: []Series{{
		Store: "sqlite", Grid: domain.Minute1.UTC(), Range: r, Version: domain.Version{Revision: 7, Nonce: 8},
		Coverage: 9, Blocks: 10, Last: 11, Cut: domain.Version{Revision: 12, Nonce: 13},
	}}}
	const want = "AFTJdx9kBQAAgNKpq2EFAAAAAAAAAAAABgBzcWxpdGUCADFtAIDSqathBQAAVMl3H2QFAAcAAAAAAAAACAAAAAAAAAAJAAAAAAAAAAoAAAAAAAAACwAAAAAAAAAMAAAAAAAAAA0AAAAAAAAA"
	if got := base64.RawURLEncoding.EncodeToString([]byte(c.Encode())); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
