package replay_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
)

// inPieces is a Provider that streams at most seven bars at a time.
type inPieces struct{ replay.Provider }

func (p inPieces) Stream(
	ctx context.Context, r domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	pieces, result := p.Provider.Stream(ctx, r)
	return func(yield func(domain.Series, error) bool) {
		for s, err := range pieces {
			if err != nil {
				yield(s, err)
				return
			}
			for from := 0; from < s.Len(); from += 7 {
				if !yield(s.Slice(from, min(from+7, s.Len())), nil) {
					return
				}
			}
		}
	}, result
}

// A stream is recorded as a Fetch of the same request. A stream that the caller stops is recorded with an error.
func TestRecorderRecordsStreams(t *testing.T) {
	t.Parallel()
	store, k := memory.New(), key("AAA/USD", "1m")
	write(t, store, k, barsOf(k, 20)...)
	md, err := app.New([]app.Source{{Name: "memory", Bars: store, Catalog: store, Local: true}},
		clock.NewSimulated(noon.Add(time.Hour)), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	r := replay.NewRecorder(inPieces{md})
	request := domain.DataRequest{Key: k}
	if _, err := r.Fetch(t.Context(), request); err != nil {
		t.Fatal(err)
	}

	for range 2 {
		pieces, _ := r.Stream(t.Context(), request)
		for _, err := range pieces {
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Report().Entries) == 2 {
				break // off the second stream
			}
		}
	}

	got := r.Report().Entries
	if len(got) != 3 {
		t.Fatalf("%d entries", len(got))
	}

	if got[1].Fingerprint != got[0].Fingerprint || got[1].Count != 20 || got[1].Error != "" ||
		len(got[1].Provenance) != 1 {
		t.Errorf("recorded %+v, want %+v", got[1], got[0])
	}
	if !strings.Contains(got[2].Error, "broken off") || got[2].Count != 7 {
		t.Errorf("recorded %+v", got[2])
	}
}
