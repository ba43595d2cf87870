// Package onestate checks, beside a writer, that every result is one state of the series. It is for tests: app runs it
// over one store, and wiring/production over processes that share servers and caches. It must not know a store.
package onestate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Series is a series that a writer changes again and again: it deletes the first part, writes it again with the volume
// i, and then writes the last part with the volume i. The other bars have the volume 3. So a result of one state has the
// volume i in the first part, or none and tells that it is not covered, and in the last part i or the volume before.
type Series struct {
	Key    domain.SeriesKey
	Start  time.Time
	Coarse domain.Grid // a bar of it has Bars of the series
	Bars   int

	written atomic.Int64 // the last volume that was written everywhere
}

// otherVolume is the volume of the bars that do not change.
const otherVolume = 3

func (s *Series) at(n int) time.Time {
	return s.Start.Add(time.Duration(n) * s.Key.Grid.Frequency().Nominal())
}

func (s *Series) span(from, to int) domain.Range {
	return domain.Range{Start: s.at(from), End: s.at(to)}
}

// firstPart and lastPart are the parts that change; of 60 bars the bars 20 to 30 and 40 to 50.
func (s *Series) firstPart() domain.Range { return s.span(s.Bars/3, s.Bars/2) }

func (s *Series) lastPart() domain.Range { return s.span(2*s.Bars/3, 5*s.Bars/6) }

// bars returns the bars of r, all with the volume.
func (s *Series) bars(r domain.Range, volume int64) domain.Series {
	price := domain.MustDecimal("100")
	b := domain.NewSeriesBuilder(s.Key, s.Bars)
	for at := r.Start; at.Before(r.End); at = s.Key.Grid.Next(at) {
		err := b.Append(domain.Bar{
			OpenTime: at, Open: price, High: price, Low: price, Close: price,
			Volume: domain.MustDecimal(strconv.FormatInt(volume, 10)), Trades: 1,
		})
		if err != nil {
			panic(err)
		}
	}

	bars, err := b.Series()
	if err != nil {
		panic(err)
	}

	return bars
}

// writer writes the rows of a range, all with the volume, and deletes ranges.
type writer struct {
	write  func(ctx context.Context, r domain.Range, volume int64) error
	delete func(ctx context.Context, r domain.Range) error
}

func (s *Series) barWriter(w ports.BarWriter) writer {
	return writer{
		write: func(ctx context.Context, r domain.Range, volume int64) error {
			_, err := ports.WriteBars(ctx, w, s.bars(r, volume), r, ports.ConflictReplace)
			return err
		},
		delete: func(ctx context.Context, r domain.Range) error {
			_, err := w.DeleteBars(ctx, s.Key, r)
			return err
		},
	}
}

// begin writes the first state.
func (s *Series) begin(ctx context.Context, w writer) error {
	return errors.Join(w.write(ctx, s.span(0, s.Bars), otherVolume), s.change(ctx, w, 1))
}

// rewrite changes the series until ctx is done.
func (s *Series) rewrite(ctx context.Context, w writer) error {
	for i := int64(2); ctx.Err() == nil; i++ {
		if err := s.change(context.WithoutCancel(ctx), w, i); err != nil {
			return err
		}
	}

	return nil
}

func (s *Series) change(ctx context.Context, w writer, volume int64) error {
	first, last := s.firstPart(), s.lastPart()
	err := errors.Join(w.delete(ctx, first), w.write(ctx, first, volume), w.write(ctx, last, volume))
	if err == nil {
		s.written.Store(volume)
	}

	return err
}

// way is a way to ask for the series.
type way struct {
	name  string
	ask   func(context.Context, *app.Service) (domain.Result, error)
	check func(domain.Result) (volume int64, err error) // volume is that of the last part, 0 if it is not in the result
}

// barWays returns every way to ask for the bars.
func (s *Series) barWays() []way {
	all := domain.DataRequest{Key: s.Key, Start: s.at(0), End: s.at(s.Bars)}
	last := domain.DataRequest{Key: s.Key, End: s.at(s.Bars), Last: s.Bars}
	coarse := all
	coarse.Key.Grid = s.Coarse

	return []way{
		{"fetch", fetch(all), s.checkAll},
		{"last", fetch(last), s.checkLast},
		{"fetch many", fetchMany(all), s.checkAll},
		{"stream", stream(all), s.checkAll},
		{"resampled", fetch(coarse), s.checkCoarse},
	}
}

func fetch(r domain.DataRequest) func(context.Context, *app.Service) (domain.Result, error) {
	return func(ctx context.Context, md *app.Service) (domain.Result, error) { return md.Fetch(ctx, r) }
}

func fetchMany(r domain.DataRequest) func(context.Context, *app.Service) (domain.Result, error) {
	return func(ctx context.Context, md *app.Service) (domain.Result, error) {
		result := md.FetchMany(ctx, []domain.DataRequest{r})[0]
		return result.Result, result.Err
	}
}

// stream puts the pieces of a stream together.
func stream(r domain.DataRequest) func(context.Context, *app.Service) (domain.Result, error) {
	return func(ctx context.Context, md *app.Service) (domain.Result, error) {
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
}

// volumeOf returns the volume of the bars, which must be one.
func volumeOf(bars domain.Series) (int64, error) {
	for _, b := range bars.All() {
		if b.Volume.Cmp(bars.At(0).Volume) != 0 {
			return 0, fmt.Errorf("the volumes %s and %s of two writes", bars.At(0).Volume, b.Volume)
		}
	}

	return strconv.ParseInt(bars.At(0).Volume.String(), 10, 64)
}

// checkAll checks a result of the whole series.
func (s *Series) checkAll(r domain.Result) (int64, error) {
	first, last := r.Series.Clip(s.firstPart()), r.Series.Clip(s.lastPart())
	if last.Len() != 5*s.Bars/6-2*s.Bars/3 || r.Series.Len() != first.Len()+s.Bars-(s.Bars/2-s.Bars/3) {
		return 0, fmt.Errorf("%d bars", r.Series.Len())
	}

	j, err := volumeOf(last)
	if err != nil {
		return 0, err
	}
	if first.Len() == 0 {
		if len(r.Uncovered) != 1 || !r.Uncovered[0].Equal(s.firstPart()) {
			return 0, fmt.Errorf("no bars of the first part, and %v not covered", r.Uncovered)
		}
		return j, nil
	}

	i, err := volumeOf(first)
	if err == nil && (len(r.Uncovered) > 0 || first.Len() != s.Bars/2-s.Bars/3 || j != i && j != i-1) {
		err = fmt.Errorf("%d bars of volume %d in the first part, volume %d in the last, not covered %v",
			first.Len(), i, j, r.Uncovered)
	}

	return j, err
}

// checkLast checks a result of the last bars, which reaches further back where a part is not covered.
func (s *Series) checkLast(r domain.Result) (int64, error) {
	if r.Series.Len() == s.Bars {
		return s.checkAll(r)
	}

	return 0, nil
}

// checkCoarse checks the bar that is resampled from the whole series: its volume is that of one state.
func (s *Series) checkCoarse(r domain.Result) (int64, error) {
	if r.Series.Len() == 0 && len(r.Uncovered) > 0 {
		return 0, nil
	}
	if r.Series.Len() != 1 {
		return 0, fmt.Errorf("%d coarse bars, not covered %v", r.Series.Len(), r.Uncovered)
	}

	volume, err := volumeOf(r.Series)
	if err != nil {
		return 0, err
	}
	first, last := int64(s.Bars/2-s.Bars/3), int64(5*s.Bars/6-2*s.Bars/3)
	changed := volume - otherVolume*(int64(s.Bars)-first-last)
	if rest := changed % (first + last); rest != 0 && rest != first {
		return 0, fmt.Errorf("volume %d", volume)
	}

	return 0, nil
}

// Reader asks for the series through one process.
type Reader struct {
	Service *app.Service
	Writes  bool // the writer writes through the same process, so that its writes are seen at once
	Answers int  // that are wanted
}

// read asks until it has the wanted answers, and fails the test at the first one that is not one state, or older than
// one before it, or than an own write.
func (s *Series) read(t *testing.T, r Reader, w way) {
	t.Helper()
	answers, conflicts, newest := 0, 0, int64(0)
	for answers < r.Answers && conflicts < 100*r.Answers && !t.Failed() {
		if r.Writes {
			newest = max(newest, s.written.Load())
		}
		result, err := w.ask(t.Context(), r.Service)
		if errors.Is(err, ports.ErrConflict) {
			conflicts++
			continue
		}

		volume := int64(0)
		if err == nil {
			volume, err = w.check(result)
		}
		if err == nil && volume > 0 && volume < newest {
			err = fmt.Errorf("the volume %d, after %d was seen", volume, newest)
		}
		if err != nil {
			t.Errorf("%s: answer %d: %v", w.name, answers, err)
			return
		}
		newest = max(newest, volume)
		answers++
	}

	t.Logf("%s: %d answers, %d conflicts", w.name, answers, conflicts)
	if answers == 0 {
		t.Errorf("%s: no answer was given beside the writer", w.name)
	}
}

// Hammer writes bars through w while all readers read them in every way.
func (s *Series) Hammer(t *testing.T, w ports.BarWriter, readers ...Reader) {
	t.Helper()
	s.hammer(t, s.barWriter(w), s.barWays(), readers)
}

func (s *Series) hammer(t *testing.T, w writer, ways []way, readers []Reader) {
	t.Helper()
	if err := s.begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var writer, reading sync.WaitGroup
	writer.Go(func() {
		if err := s.rewrite(ctx, w); err != nil {
			t.Error(err)
		}
	})
	defer writer.Wait()
	defer stop()
	for _, r := range readers {
		for _, way := range ways {
			reading.Go(func() { s.read(t, r, way) })
		}
	}
	reading.Wait()
}
