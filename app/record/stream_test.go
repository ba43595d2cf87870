package record_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// inPieces is a Provider that streams at most seven bars at a time.
type inPieces struct{ record.Provider }

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
	store, k := memory.New(), gen.MinuteKey("AAA/USD")
	write(t, store, gen.FlatBars(k, noon, 20))
	md, err := app.New([]app.Source{{Name: "memory", Bars: store, Catalog: store, Local: true}},
		clock.NewSimulated(noon.Add(time.Hour)), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	r := record.New(inPieces{md})
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

// A stream of trades or quotes is recorded as a fetch of the same request.
func TestRecorderRecordsStreamsOfTicks(t *testing.T) {
	t.Parallel()
	store, one := memory.New(), domain.MustDecimal("1")
	trades := domain.NewTicksBuilder[domain.Trade]("AAA/USD")
	quotes := domain.NewTicksBuilder[domain.Quote]("AAA/USD")
	for i := range 10 {
		at := noon.Add(time.Duration(i) * time.Minute)
		err := errors.Join(trades.Append(domain.Trade{Time: at, Price: one, Size: one}),
			quotes.Append(domain.Quote{Time: at, Bid: one, Ask: one, BidSize: one, AskSize: one}))
		if err != nil {
			t.Fatal(err)
		}
	}

	writeTicks(t, trades, store.WriteTrades)
	writeTicks(t, quotes, store.WriteQuotes)
	r, request := newRecorder(t, store), domain.TickRequest{Symbol: "AAA/USD"}
	_, err1 := r.FetchTrades(t.Context(), request)
	_, err2 := r.FetchQuotes(t.Context(), request)
	tradePieces, _ := r.StreamTrades(t.Context(), request)
	quotePieces, _ := r.StreamQuotes(t.Context(), request)
	unread, _ := r.StreamTrades(t.Context(), domain.TickRequest{Symbol: "AAA/USD", First: 1_000_000_000})
	if err := errors.Join(err1, err2, drain(tradePieces), drain(quotePieces)); err != nil {
		t.Fatal(err)
	}

	got := r.Report().Entries
	if len(got) != 4 || !reflect.DeepEqual(got[2], got[0]) || !reflect.DeepEqual(got[3], got[1]) || got[2].Count != 10 {
		t.Errorf("recorded %+v", got)
	}
	if err := drain(unread); err == nil || r.Report().Entries[4].Error != err.Error() {
		t.Errorf("%v, recorded %+v", err, r.Report().Entries[4])
	}
}

func writeTicks[T domain.Tick](
	t *testing.T, b *domain.TicksBuilder[T],
	write func(context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy) (ports.WriteReport, error),
) {
	t.Helper()
	ticks, err := b.Ticks()
	if err == nil {
		_, err = write(t.Context(), ticks, ticks.Range(), ports.ConflictFail)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// drain reads the whole stream and returns its error.
func drain[S any](pieces iter.Seq2[S, error]) (last error) {
	for _, err := range pieces {
		last = err
	}

	return last
}
