package production_test

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// retained is a deployment whose retention policy dropped the older ones of the bars.
type retained struct {
	cfg  wiring.Config
	all  domain.Series // a bar a minute, on the grid of seconds
	kept domain.Range  // the blocks that begin within the retention
}

// newRetained writes bars of 20 h and then lets the retention policy keep about 6 h. The server itself drops shards every half
// an hour, so the test does that in its place.
func newRetained(t *testing.T, cache wiring.Cache) (retained, *app.Service) {
	t.Helper()
	cfg, server := configWith(t)
	cfg.Cache = cache
	server.SetRetention(t, 100*time.Hour)
	start := time.Now().UTC().Truncate(time.Hour).Add(-20 * time.Hour)
	r := retained{cfg: cfg, all: minutely(t, start, 20*60)}
	md := open(t, cfg, production.Options{})
	ingest(t, md, r.all)

	layout := domain.BarBlocks(r.all.Key().Grid)
	first := layout.Index(domain.MicrosFloor(time.Now().Add(-6 * time.Hour)))
	r.kept = domain.Range{Start: layout.Range(first, first+1).Start, End: r.all.Range().End}
	oldest := r.kept.Start.Add(-30 * time.Minute) // far from any edge of a block
	server.SetRetention(t, time.Since(oldest).Truncate(time.Second))
	deleteUnseen(t, cfg.Influx, r.all.Key(), domain.Range{Start: start, End: oldest.Truncate(time.Hour)})

	return r, md
}

// minutely returns n bars, one a minute, on the grid of seconds.
func minutely(tb testing.TB, start time.Time, n int) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()}, n)
	p := domain.MustDecimal("67000.5")
	for i := range n {
		at := start.Add(time.Duration(i) * time.Minute)
		bar := domain.Bar{OpenTime: at, Open: p, High: p, Low: p, Close: p, Volume: p, Trades: int64(i)}
		if err := b.Append(bar); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// deleteUnseen deletes bars from InfluxDB behind the back of the ledger.
func deleteUnseen(tb testing.TB, cfg wiring.Influx, key domain.SeriesKey, r domain.Range) {
	tb.Helper()
	s, closeStore, err := influx.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}

	defer closeStore()
	if _, err := s.DeleteBars(tb.Context(), key, r); err != nil {
		tb.Fatal(err)
	}
}

// Blocks that begin before the retention are not covered: neither corrupt, nor "nothing traded".
func TestRetentionIsUncovered(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]wiring.Cache{"cached": {Bytes: 4 << 20}, "disabled": {Disabled: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, md := newRetained(t, cache)
			for range 2 {
				r.check(t, md)
				md = open(t, r.cfg, production.Options{})
			}
			r.check(t, md)
			r.checkWrites(t, md)
		})
	}
}

// check reads the bars in every way.
func (r retained) check(t *testing.T, md *app.Service) {
	t.Helper()
	within, kept := r.all.Range(), r.all.Clip(r.kept)
	lost := domain.Range{Start: within.Start, End: r.kept.Start}
	request := domain.DataRequest{Key: r.all.Key(), Start: within.Start, End: within.End}
	last := domain.DataRequest{Key: r.all.Key(), End: within.End, Last: r.all.Len()}
	hours := domain.DataRequest{
		Key:   domain.SeriesKey{Symbol: r.all.Key().Symbol, Grid: domain.Minute30.UTC()},
		Start: within.Start, End: within.End.Truncate(30 * time.Minute),
	}

	for _, request := range []domain.DataRequest{request, last} {
		got, err := md.Fetch(t.Context(), request)
		if err != nil || !got.Series.Equal(kept) {
			t.Errorf("%s: got %s, %v; want %s", request, got.Series, err, kept)
		}
	}
	got, err := md.Fetch(t.Context(), request)
	if err != nil || len(got.Uncovered) != 1 || !got.Uncovered[0].Equal(lost) {
		t.Errorf("not covered: got %v, %v; want %s", got.Uncovered, err, lost)
	}
	got, err = md.Fetch(t.Context(), hours)
	if err != nil || got.Series.Len() == 0 || got.Series.OpenTime(0).Before(r.kept.Start) {
		t.Errorf("resampled: got %s, %v; want bars from %s", got.Series, err, r.kept.Start)
	}
	if len(got.Uncovered) != 1 || got.Uncovered[0].End.Before(r.kept.Start) {
		t.Errorf("resampled: not covered is %v, want up to %s", got.Uncovered, r.kept.Start)
	}
	streamed := 0
	pieces, _ := md.Stream(t.Context(), request)
	for piece, err := range pieces {
		if err != nil {
			t.Fatal(err)
		}
		streamed += piece.Len()
	}
	if streamed != kept.Len() {
		t.Errorf("streamed %d bars, want %d", streamed, kept.Len())
	}
	extents, err := ports.Collect(md.Coverage(t.Context(), r.all.Key().Symbol))
	if err != nil || len(extents) != 1 || !extents[0].Range.Equal(r.kept) {
		t.Errorf("coverage: got %v, %v; want %s", extents, err, r.kept)
	}
}

// checkWrites overwrites bars in the block that begins before the retention, of which nothing can be verified.
func (r retained) checkWrites(t *testing.T, md *app.Service) {
	t.Helper()
	late := domain.Range{Start: r.kept.Start.Add(-5 * time.Minute), End: r.kept.End}
	ingest(t, md, r.all.Clip(late))
	r.check(t, md)
	if _, err := md.Delete(t.Context(), r.all.Key(), r.all.Range()); err != nil {
		t.Fatal(err)
	}
	if got, _ := fetch(t, md, r.all); got.Len() > 0 {
		t.Errorf("after a deletion: got %s", got)
	}
}
