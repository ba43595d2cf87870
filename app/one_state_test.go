package app_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A writer deletes the minutes 20 to 30, writes them again with the volume i, and then writes the minutes 40 to 50 with
// the volume i. A result of one state has the volume i in the first minutes, or none and tells that they are not
// covered, and in the last minutes i or the volume before.
const (
	firstFrom, firstTo = 20, 30
	lastFrom, lastTo   = 40, 50
)

// volumes returns bars of the minutes [from, to) that all have the volume i.
func volumes(from, to, i int) []domain.Bar {
	var bars []domain.Bar
	for m := from; m < to; m++ {
		b := bar(m)
		b.Volume = domain.MustDecimal(strconv.Itoa(i))
		bars = append(bars, b)
	}

	return bars
}

// rewrite is the writer. It stops when ctx is done.
func rewrite(ctx context.Context, t *testing.T, s ports.BarWriter) {
	write := func(do func() (ports.WriteReport, error)) {
		if _, err := do(); err != nil {
			t.Error(err)
		}
	}
	for i := 2; ctx.Err() == nil; i++ {
		a, b := series(t, volumes(firstFrom, firstTo, i)...), series(t, volumes(lastFrom, lastTo, i)...)
		write(func() (ports.WriteReport, error) {
			return s.ReplaceBars(t.Context(), domain.EmptySeries(key), span(firstFrom, firstTo))
		})
		write(func() (ports.WriteReport, error) { return s.WriteBars(t.Context(), a, span(firstFrom, firstTo)) })
		write(func() (ports.WriteReport, error) { return s.WriteBars(t.Context(), b, span(lastFrom, lastTo)) })
	}
}

// checkOneState checks a result of the minutes 0 to 60.
func checkOneState(r domain.Result) error {
	first, last := r.Series.Clip(span(firstFrom, firstTo)), r.Series.Clip(span(lastFrom, lastTo))
	volume := func(bars domain.Series) (string, error) {
		for _, b := range bars.All() {
			if b.Volume.Cmp(bars.At(0).Volume) != 0 {
				return "", fmt.Errorf("the volumes %s and %s of one write and another", bars.At(0).Volume, b.Volume)
			}
		}

		return bars.At(0).Volume.String(), nil
	}
	if last.Len() != lastTo-lastFrom || r.Series.Len() != first.Len()+50 {
		return fmt.Errorf("%d bars", r.Series.Len())
	}

	b, err := volume(last)
	if err != nil {
		return err
	}
	if first.Len() == 0 {
		if len(r.Uncovered) != 1 || !r.Uncovered[0].Equal(span(firstFrom, firstTo)) {
			return fmt.Errorf("no bars of the first minutes, and %v not covered", r.Uncovered)
		}
		return nil
	}

	a, err := volume(first)
	if err != nil {
		return err
	}
	i, _ := strconv.Atoi(a)
	if j, _ := strconv.Atoi(b); len(r.Uncovered) > 0 || first.Len() != firstTo-firstFrom || j != i && j != i-1 {
		return fmt.Errorf("%d first minutes of volume %s, last minutes of volume %s, not covered %v", first.Len(), a, b, r.Uncovered)
	}

	return nil
}

// checkHour checks the hour that is resampled from the minutes 0 to 60: its volume is that of one state.
func checkHour(r domain.Result) error {
	if r.Series.Len() == 0 && len(r.Uncovered) > 0 {
		return nil
	}
	if r.Series.Len() != 1 {
		return fmt.Errorf("%d hours, not covered %v", r.Series.Len(), r.Uncovered)
	}

	var volume int
	if _, err := fmt.Sscan(r.Series.At(0).Volume.String(), &volume); err != nil {
		return err
	}
	if rest := (volume - 40*3) % 20; rest != 0 && rest != 10 { // 10 minutes of i, 10 of i or i-1
		return fmt.Errorf("volume %d", volume)
	}

	return nil
}

func TestEveryAnswerIsOneState(t *testing.T) {
	t.Parallel()
	minutes := domain.DataRequest{Key: key, Start: at(0), End: at(60)}
	hour := domain.DataRequest{Key: domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()}, Start: at(0), End: at(60)}
	for name, c := range map[string]struct {
		request domain.DataRequest
		ask     func(context.Context, *app.Service, domain.DataRequest) (domain.Result, error)
		check   func(domain.Result) error
	}{
		"fetch": {minutes, fetch, checkOneState},
		"last 60": {domain.DataRequest{Key: key, End: at(60), Last: 60}, fetch, func(r domain.Result) error {
			if r.Series.Len() == 60 {
				return checkOneState(r)
			}
			return nil
		}},
		"fetch many": {minutes, func(ctx context.Context, md *app.Service, r domain.DataRequest) (domain.Result, error) {
			result := md.FetchMany(ctx, []domain.DataRequest{r})[0]
			return result.Result, result.Err
		}, checkOneState},
		"stream":    {minutes, collectStream, checkOneState},
		"resampled": {hour, fetch, checkHour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memory.New()
			bars := append(volumes(0, firstFrom, 3), volumes(firstFrom, firstTo, 1)...)
			bars = append(append(bars, volumes(firstTo, lastFrom, 3)...), append(volumes(lastFrom, lastTo, 1), volumes(lastTo, 60, 3)...)...)
			if _, err := store.WriteBars(t.Context(), series(t, bars...), span(0, 60)); err != nil {
				t.Fatal(err)
			}
			sources := []app.Source{{Name: "test", Bars: store, Catalog: store}}
			md, err := app.NewStepping(7, sources, clock.NewSimulated(at(60)), app.Config{})
			if err != nil {
				t.Fatal(err)
			}

			ctx, stop := context.WithCancel(t.Context())
			var writer sync.WaitGroup
			writer.Go(func() { rewrite(ctx, t, store) })
			defer writer.Wait()
			defer stop()

			answers, conflicts := 0, 0
			for answers < 2_000 && conflicts < 200_000 {
				r, err := c.ask(t.Context(), md, c.request)
				if errors.Is(err, ports.ErrConflict) {
					conflicts++
					continue
				}
				if err == nil {
					err = c.check(r)
				}
				if err != nil {
					t.Fatalf("answer %d: %v", answers, err)
				}
				answers++
			}

			t.Logf("%d answers, %d conflicts", answers, conflicts)
			if answers == 0 {
				t.Error("no answer was given beside the writer")
			}
		})
	}
}

func fetch(ctx context.Context, md *app.Service, r domain.DataRequest) (domain.Result, error) {
	return md.Fetch(ctx, r)
}

// collectStream puts the pieces of a stream together.
func collectStream(ctx context.Context, md *app.Service, r domain.DataRequest) (domain.Result, error) {
	pieces, result := md.Stream(ctx, r)
	b := domain.NewSeriesBuilder(r.Key, 0)
	for piece, err := range pieces {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			return domain.Result{}, err
		}
	}

	bars, err := b.Series()
	collected := result()
	collected.Series = bars

	return collected, err
}

// lossy is a store that loses a bar of every read.
type lossy struct{ *memory.Store }

func (s lossy) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		for p, err := range s.Store.ReadBars(ctx, q) {
			if p.State != nil && p.Rows.Len() > 0 {
				p.Rows = p.Rows.Slice(1, p.Rows.Len())
			}
			if (err != nil || p.State != nil || p.Rows.Len() > 0) && !yield(p, err) {
				return
			}
		}
	}
}

// TestLostBarsAreCorruptData has a store with fewer bars than it counts, as after a dropped partition.
func TestLostBarsAreCorruptData(t *testing.T) {
	t.Parallel()
	store := memory.New()
	bars := sound(t, 0, 600)
	if _, err := store.WriteBars(t.Context(), bars, span(-5_000, 5_000)); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(6_000)), nil, app.Config{}, app.Source{Name: "test", Bars: lossy{store}, Catalog: store})
	for _, r := range []domain.DataRequest{
		{Key: key, Start: at(-5_000), End: at(5_000)}, {Key: key, Start: at(-5_000), End: at(5_000), Last: 1_000},
	} {
		_, err := md.Fetch(t.Context(), r)
		if !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), "the store counts 600") {
			t.Errorf("%s: %v", r, err)
		}
	}
}
