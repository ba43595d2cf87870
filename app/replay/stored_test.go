package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TestReplayOfWhatIsNotStored says so: hours where minutes are stored, and an unknown symbol. A range without bars is no error.
func TestReplayOfWhatIsNotStored(t *testing.T) {
	t.Parallel()
	store, minutes := memory.New(), key("A/B", "1m")
	write(t, store, minutes, barsOf(minutes, 90)...)
	day := domain.Range{Start: noon, End: noon.AddDate(0, 0, 1)}
	for name, c := range map[string]struct {
		key  domain.SeriesKey
		r    domain.Range
		want string // of the error; "" for none
	}{
		"hours":                {key("A/B", "1h"), day, "only A/B 1m"},
		"an unknown symbol":    {key("X/Y", "1m"), day, "import them first"},
		"stored, not in range": {minutes, domain.Range{Start: noon.AddDate(0, 0, 5), End: noon.AddDate(0, 0, 6)}, ""},
	} {
		keys := []domain.SeriesKey{c.key}
		if c.want != "" {
			keys = append(keys, minutes) // a series beside it that is stored does not hide it
		}
		play, err := replay.New(store, clock.NewSimulated(noon), keys, c.r, replay.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		for _, err := range play.Steps(t.Context()) {
			failed = err
			if err == nil {
				t.Errorf("%s: a step", name)
			}
		}
		ahead, err := replay.NewLookahead(store, clock.NewSimulated(noon), c.r, replay.Config{})
		if err != nil {
			t.Fatal(err)
		}
		_, found, lookErr := ahead.Next(t.Context(), c.key)
		for _, err := range []error{failed, lookErr} {
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ports.ErrNotFound) || !strings.Contains(err.Error(), c.want)) || found {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestReplayBefore1970 plays days across 1970, when instants turn from negative to positive.
func TestReplayBefore1970(t *testing.T) {
	t.Parallel()
	store, days, weeks := memory.New(), key("A/B", "1d"), key("A/B", "1w")
	first := time.Date(1969, 12, 1, 0, 0, 0, 0, time.UTC)
	end := first.AddDate(0, 0, 63)
	for _, k := range []domain.SeriesKey{days, weeks} {
		var bars []domain.Bar
		for at := k.Grid.Ceil(first); at.Before(end); at = k.Grid.Next(at) {
			bars = append(bars, bar(at, 100))
		}
		write(t, store, k, bars...)
	}

	simulated := clock.NewSimulated(first)
	play, err := replay.New(store, simulated, []domain.SeriesKey{days, weeks}, domain.Range{Start: first, End: end}, replay.Config{ChunkBars: 7})
	if err != nil {
		t.Fatal(err)
	}
	n, last := 0, first
	for event, err := range play.Events(t.Context()) {
		if err != nil || event.At.Before(last) || !simulated.Now().Equal(event.At) {
			t.Fatalf("event %d at %s, after %s: %v", n, event.At, last, err)
		}
		n, last = n+1, event.At
	}
	if n != 63+9 {
		t.Errorf("%d events, want 72", n)
	}
}
