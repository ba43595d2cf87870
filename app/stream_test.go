package app_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
)

func TestStreamIsLazyAndForOneUse(t *testing.T) {
	t.Parallel()
	untouchable(t, app.Config{}).Stream(t.Context(), domain.DataRequest{Key: key}) // asks nobody
	m := setup(t, at(60), app.Config{})
	m.hold(t, sound(t, 0, 30), span(0, 30))
	pieces, result := m.Stream(t.Context(), domain.DataRequest{Key: key})
	for _, err := range pieces {
		if err != nil {
			t.Fatal(err)
		}
	}

	if r := result(); !r.Next.Equal(at(30)) || r.Series.Len() != 0 || r.Series.Key() != key {
		t.Errorf("beside the stream: %+v", r)
	}
	for s, err := range pieces {
		if !errors.Is(err, ports.ErrInvalid) || s.Len() > 0 {
			t.Errorf("ranged over again: %v, %v", s, err)
		}
	}
}

func TestStreamRefusesAndFails(t *testing.T) {
	t.Parallel()
	store, _ := holding(t, series(t, bar(0), badBar(1), bar(2), bar(3)), app.Config{})
	md := stepping(t, 1, store)
	for name, c := range map[string]struct {
		request domain.DataRequest
		kind    error
		bars    int
	}{
		"no symbol":    {domain.DataRequest{Key: domain.SeriesKey{Grid: key.Grid}}, ports.ErrInvalid, 0},
		"unknown":      {domain.DataRequest{Key: domain.SeriesKey{Symbol: "X/Y", Grid: key.Grid}}, ports.ErrNotFound, 0},
		"a bad bar":    {domain.DataRequest{Key: key}, ports.ErrCorruptData, 1},
		"a wrong fill": {domain.DataRequest{Key: key, Fill: 9}, ports.ErrInvalid, 0},
	} {
		pieces, result := md.Stream(t.Context(), c.request)
		bars := 0
		var last error
		for s, err := range pieces {
			if last != nil {
				t.Errorf("%s: a pair behind the error", name)
			}
			bars += s.Len()
			last = err
		}

		if !errors.Is(last, c.kind) || bars != c.bars || !result().Now.IsZero() {
			t.Errorf("%s: %d bars, %v", name, bars, last)
		}
	}

	store.read = func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] {
		return func(yield func(domain.Series, error) bool) { yield(domain.Series{}, ports.ErrUnavailable) }
	}
	pieces, _ := md.Stream(t.Context(), domain.DataRequest{Key: key})
	for s, err := range pieces {
		if !errors.Is(err, ports.ErrUnavailable) || s.Len() > 0 {
			t.Errorf("%v, %v", s, err)
		}
	}
}

// A stream has no limit of its own: however long the caller works on a piece, nothing of a store is held, and the next query has
// its own limit.
func TestStreamOfASlowCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, _ := holding(t, sound(t, 0, 30), app.Config{})
		md := stepping(t, 10, store)
		open := 0
		store.read = func(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
			return func(yield func(domain.Series, error) bool) {
				open++
				store.Store.ReadBars(ctx, q).Rows()(yield)
				open--
			}
		}
		pieces, _ := md.Stream(t.Context(), domain.DataRequest{Key: key})
		n := 0
		for s, err := range pieces {
			if err != nil || open != 0 {
				t.Fatalf("%v, %d reads open", err, open)
			}

			time.Sleep(10 * time.Minute) // in the bubble's time
			if n += s.Len(); n == 20 {
				break
			}
		}

		if n != 20 {
			t.Errorf("%d bars", n)
		}
	})
}

// endless is a store of one-minute bars that makes them when they are asked for.
func endless(t *testing.T, held domain.Range) *scripted {
	t.Helper()
	s := &scripted{Store: memory.New(), extents: extents(domain.Extent{Key: key, Range: held})}
	if err := s.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}

	s.read = func(_ context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
		return func(yield func(domain.Series, error) bool) {
			b := domain.NewSeriesBuilder(q.Key, q.First)
			made := bar(0)
			for made.OpenTime = q.Range.Start; (q.First == 0 || b.Len() < q.First) && made.OpenTime.Before(q.Range.End); made.OpenTime = made.OpenTime.Add(time.Minute) {
				made.Volume = domain.MustDecimal("1")
				if made.OpenTime.Minute()%2 == 0 {
					made.Volume = domain.MustDecimal("2")
				}
				if err := b.Append(made); err != nil {
					yield(domain.Series{}, err)
					return
				}
			}

			yield(b.Series())
		}
	}

	return s
}

// Three years of one-minute bars, 88 MiB, pass through less than 64 MiB, and with a cache of 16 MiB, too. The long form streams ten
// years.
func TestStreamInBoundedMemory(t *testing.T) {
	start := time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(3, 0, 0)
	if effort.IsDeep() {
		end = start.AddDate(10, 0, 0)
	}
	s := endless(t, domain.Range{Start: start, End: end})
	c := clock.NewSimulated(end)
	source := app.Source{Name: "test", Bars: s, Catalog: s}
	cached, _ := cachedSource(t, source, c, seriescache.Config{})
	streamInBoundedMemory(t, over(t, c, nil, app.Config{}, source), start, end)
	streamInBoundedMemory(t, over(t, c, nil, app.Config{}, cached), start, start.AddDate(3, 0, 0))
}

func streamInBoundedMemory(t *testing.T, md *app.Service, start, end time.Time) {
	t.Helper()
	const most = 64 << 20
	for _, g := range []domain.Grid{key.Grid, domain.Minute5.UTC()} {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		peak, bars := uint64(0), 0
		pieces, _ := md.Stream(t.Context(), domain.DataRequest{
			Key: domain.SeriesKey{Symbol: key.Symbol, Grid: g}, Start: start, End: end, Fill: domain.FillPrevious,
		})
		for piece, err := range pieces {
			if err != nil {
				t.Fatal(err)
			}

			bars += piece.Len()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}

		if want := int(g.Slots(domain.Range{Start: start, End: end})); bars != want {
			t.Errorf("%s: %d bars, want %d", g, bars, want)
		}
		if used := int64(peak) - int64(before.HeapAlloc); used > most {
			t.Errorf("%s: %d MiB", g, used>>20)
		} else {
			t.Logf("%s: %d bars in %.1f MiB", g, bars, float64(used)/(1<<20))
		}
	}
}

// A gap of years is filled in bounded pieces.
func TestStreamFillsALongGap(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60*24*365), app.Config{})
	m.hold(t, series(t, bar(0), bar(60*24*360)), span(0, 60*24*365))
	pieces, result := m.Stream(t.Context(), domain.DataRequest{Key: key, Fill: domain.FillPrevious})
	bars := 0
	for piece, err := range pieces {
		if err != nil || piece.Len() > 2*8192 {
			t.Fatalf("%v, a piece of %d", err, piece.Len())
		}
		bars += piece.Len()
	}

	if bars != 60*24*365 || len(result().Filled) != 2 {
		t.Errorf("%d bars, filled %v", bars, result().Filled)
	}
	if _, err := m.Fetch(t.Context(), domain.DataRequest{Key: key, Fill: domain.FillPrevious, End: at(60 * 24 * 365)}); err != nil {
		t.Errorf("half a million filled: %v", err)
	}
	small := around(t, m.store, m.store, m.clock, app.Config{MaxBars: new(1000)})
	if _, err := small.Fetch(t.Context(), domain.DataRequest{Key: key, Fill: domain.FillPrevious}); !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("filled beyond the limit: %v", err)
	}
}

// A recorder that appends behind what is requested is no conflict, although the last block of the stream changes.
func TestStreamBesideARecorder(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		store, c := memory.New(), clock.NewSimulated(at(1_000))
		source := app.Source{Name: "test", Bars: store, Catalog: store}
		if cached {
			source, _ = cachedSource(t, source, c, seriescache.Config{})
		}
		md, err := app.NewStepping(7, []app.Source{source}, c, app.Config{})
		if err != nil {
			t.Fatal(err)
		}

		record := func(minute int) error {
			covered := span(float64(minute), float64(minute+1))
			_, err := ports.WriteBars(t.Context(), source.Bars, series(t, bar(minute)), covered, ports.ConflictFail)

			return err
		}
		minute, bars := 0, 0
		for ; minute < 100; minute++ {
			if err := record(minute); err != nil {
				t.Fatal(err)
			}
		}

		pieces, _ := md.Stream(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(100)})
		for piece, err := range pieces {
			if err == nil {
				err = record(minute)
			}
			if err != nil {
				t.Fatalf("cached %t: after %d bars: %v", cached, bars, err)
			}
			bars += piece.Len()
			minute++
		}
		if bars != 100 || minute < 110 {
			t.Errorf("cached %t: %d bars in %d pieces", cached, bars, minute-100)
		}
	}
}

// TestStreamDoesNotStartAgain changes a bar that a stream yielded. The stream ends with a conflict, because its caller
// has the old bar.
func TestStreamDoesNotStartAgain(t *testing.T) {
	t.Parallel()
	s := &scripted{Store: memory.New()}
	if _, err := ports.WriteBars(t.Context(), s, sound(t, 0, 50), span(0, 50), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	bars, _ := stepping(t, 10, s).Stream(t.Context(), domain.DataRequest{Key: key, Start: noon, End: at(50)})
	pieces := 0
	var last error
	for _, err := range bars {
		if last = err; err != nil {
			continue
		}
		if pieces++; pieces == 1 {
			changed := bar(0)
			changed.Trades++
			if _, err := ports.WriteBars(t.Context(), s, series(t, changed), span(0, 1), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pieces != 1 || !errors.Is(last, ports.ErrConflict) {
		t.Errorf("%d pieces, then %v", pieces, last)
	}
}
