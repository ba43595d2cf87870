package backtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
)

// shortHistories is how many histories each store replays in the short form.
const shortHistories = 40

// At every step of a random replay, each query has the same result as in an application over a store that contains only
// the data known at that time. So later data does not show in bars, resampled bars, counts, statistics or errors, nor
// in the plan that was chosen.
func TestNothingOfTheFutureShows(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, open := range map[string]func(*rapid.T, *history, ports.Clock) app.Source{
		"memory": func(t *rapid.T, h *history, _ ports.Clock) app.Source { return source(h.write(t, memory.New())) },
		"sqlite": func(t *rapid.T, h *history, _ ports.Clock) app.Source {
			return source(h.write(t, openSQLite(t, folder)))
		},
		"memory, cached": func(t *rapid.T, h *history, now ports.Clock) app.Source {
			return cached(t, source(h.write(t, memory.New())), now)
		},
		"sqlite, cached": func(t *rapid.T, h *history, now ports.Clock) app.Source {
			return cached(t, source(h.write(t, openSQLite(t, folder))), now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			effort.Check(t, shortHistories, func(t *rapid.T) {
				h := drawHistory(t)
				simulated := clock.NewSimulated(historyStart)
				from := open(t, h, simulated)
				market := must(app.New([]app.Source{from}, simulated, nil, app.Config{}))
				for now := range h.steps(t, from.Bars, simulated) {
					known := source(h.until(now).write(t, memory.New()))
					then := must(app.New([]app.Source{known}, clock.NewSimulated(now), nil, app.Config{}))
					for range rapid.IntRange(1, 4).Draw(t, "queries") {
						q := h.drawQuery(t, now)
						got, want := q.run(t, market), q.run(t, then)
						if got.text != want.text {
							t.Fatalf("at %s\n%s\ngot  %s\nwant %s", now.Format(time.RFC3339Nano), q.text, got.text, want.text)
						}
						if got.latest.After(now) {
							t.Fatalf("at %s\n%s\nthe result knows %s", now.Format(time.RFC3339Nano), q.text, got.latest)
						}
					}
				}
			})
		})
	}
}

func openSQLite(t *rapid.T, folder string) store {
	path := filepath.Join(must(os.MkdirTemp(folder, "")), "market.db")
	s, closeStore, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	check(err)
	t.Cleanup(closeStore)

	return s
}

func source(s store) app.Source {
	_, local := s.(*memory.Store)
	return app.Source{Name: "market", Bars: s, Ticks: s, Catalog: s, Aggregate: s, Local: local}
}

// cached returns the source with the cache in front of its bars, as wiring configures it.
func cached(t *rapid.T, s app.Source, now ports.Clock) app.Source {
	local := must(ristretto.NewBlocks(1 << 20))
	states, _ := s.Bars.(ports.StateReader)
	front := must(seriescache.New(seriescache.Dependencies{
		Store: s.Bars, States: states, Caches: seriescache.Caches{Local: local}, Clock: now,
	}, seriescache.Config{Name: s.Name}))
	t.Cleanup(func() {
		front.Close()
		local.Close()
	})
	s.Bars, s.Cache = front, front

	return s
}

// steps advances the clock through the history and yields its time at some of the steps: those of a replay of some
// series, or random ones if no series is replayed.
func (h *history) steps(t *rapid.T, bars ports.BarReader, simulated *clock.Simulated) func(yield func(time.Time) bool) {
	var keys []domain.SeriesKey
	for _, s := range h.bars {
		if rapid.Bool().Draw(t, "replayed") && !s.coverage.Empty() { // else it is not stored
			keys = append(keys, s.data.Key())
		}
	}

	all := domain.Range{Start: historyStart, End: historyStart.Add(historyLength)}

	return func(yield func(time.Time) bool) {
		if len(keys) == 0 {
			for range 5 {
				next := simulated.Now().Add(time.Duration(rapid.Int64Range(0, int64(historyLength/4)).Draw(t, "time passes")))
				for _, trades := range h.trades { // a trade at this instant is not known yet
					later := trades.data.Clip(domain.Range{Start: next, End: all.End})
					if later.Len() > 0 && rapid.Bool().Draw(t, "at a trade") {
						next = later.Time(0)
					}
				}

				check(simulated.Set(next))
				if !yield(simulated.Now()) {
					return
				}
			}

			return
		}

		wait := 0
		p := must(replay.New(bars, simulated, keys, all, replay.Config{Quality: domain.QualityFlag}))
		for step, err := range p.Steps(t.Context()) {
			check(err)
			if wait--; wait >= 0 {
				continue
			}
			if !yield(step.At) {
				return
			}

			wait = rapid.IntRange(0, 200).Draw(t, "steps between")
		}
	}
}

// query is a query that a strategy may run.
type query struct {
	text string
	run  func(t *rapid.T, market *app.Service) outcome
}

// outcome is a whole result as text, and the latest instant that the result says is known.
type outcome struct {
	text   string
	latest time.Time
}

func (h *history) drawQuery(t *rapid.T, now time.Time) query {
	names := []string{
		"fetch", "fetch", "fetch", "stream", "many", "trades", "quotes", "latest", "coverage", "describe",
	}
	switch rapid.SampledFrom(names).Draw(t, "query") {
	case "stream":
		r := h.drawRequest(t, now)
		return query{"stream " + r.String(), func(t *rapid.T, market *app.Service) outcome { return streamed(t, market, r) }}
	case "many":
		requests := []domain.DataRequest{h.drawRequest(t, now), h.drawRequest(t, now), h.drawRequest(t, now)}
		return query{fmt.Sprintf("fetch many %v", requests), func(t *rapid.T, market *app.Service) outcome {
			var all outcome
			for _, a := range market.FetchMany(t.Context(), requests) {
				all = all.and(barsOutcome(a.Result, a.Err))
			}

			return all
		}}
	case "trades":
		r := drawTickRequest(t, now)
		return query{"trades " + r.String(), func(t *rapid.T, market *app.Service) outcome {
			result, err := market.FetchTrades(t.Context(), r)
			return outcomeOf(result, err, result.Ticks.Range().End)
		}}
	case "quotes":
		r := drawTickRequest(t, now)
		return query{"quotes " + r.String(), func(t *rapid.T, market *app.Service) outcome {
			result, err := market.FetchQuotes(t.Context(), r)
			return outcomeOf(result, err, result.Ticks.Range().End)
		}}
	case "latest":
		return query{"latest", func(t *rapid.T, market *app.Service) outcome {
			list, err := market.Latest(t.Context())
			var told []time.Time
			for _, f := range list {
				told = append(told, f.CoveredUntil)
			}

			return outcomeOf(list, err, told...)
		}}
	case "coverage":
		return query{"coverage", func(t *rapid.T, market *app.Service) outcome {
			bars, err := ports.Collect(market.Coverage(t.Context()))
			ticks, tickErr := ports.Collect(market.TickCoverage(t.Context()))
			var told []time.Time
			for _, e := range bars {
				told = append(told, e.Range.End)
			}
			for _, e := range ticks {
				told = append(told, e.Range.End)
			}

			return outcomeOf([]any{bars, ticks}, errors.Join(err, tickErr), told...)
		}}
	case "describe":
		s := symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))
		return query{"describe " + string(s), func(t *rapid.T, market *app.Service) outcome {
			d, err := market.Describe(t.Context(), s)
			return outcomeOf(d, err, d.Statistics.Window.End)
		}}
	default:
		r := h.drawRequest(t, now)
		return query{"fetch " + r.String(), func(t *rapid.T, market *app.Service) outcome {
			result, err := market.Fetch(t.Context(), r)
			return barsOutcome(result, err)
		}}
	}
}

// drawRequest draws a request for bars, stored or resampled, before and after now.
func (h *history) drawRequest(t *rapid.T, now time.Time) domain.DataRequest {
	r := domain.DataRequest{Key: domain.SeriesKey{Symbol: symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))}}
	r.Key.Grid = must(domain.ParseGrid(rapid.SampledFrom([]string{
		"7s", "1m", "5m", "15m", "1h", "4h", "1d", "1d@America/New_York",
	}).Draw(t, "grid")))
	r.Start, r.End, r.First, r.Last = drawWindow(t, now)
	policies := []domain.QualityPolicy{domain.QualityFlag, domain.QualityDrop, domain.QualityFail}
	r.Quality = rapid.SampledFrom(policies).Draw(t, "quality")
	r.Fill = rapid.SampledFrom([]domain.FillPolicy{domain.FillNone, domain.FillPrevious}).Draw(t, "fill")
	r.Resample = rapid.Bool().Draw(t, "resample")

	return r
}

func drawTickRequest(t *rapid.T, now time.Time) domain.TickRequest {
	r := domain.TickRequest{Symbol: symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))}
	r.Start, r.End, r.First, r.Last = drawWindow(t, now)
	return r
}

// drawWindow draws a range and a limit, each of which may be open. The range may end before now, at now, or after it.
func drawWindow(t *rapid.T, now time.Time) (start, end time.Time, first, last int) {
	aroundNow := func(name string) time.Time {
		return now.Add(time.Duration(rapid.SampledFrom([]int{
			-100_000, -9000, -3600, -600, -61, -1, 0, 1, 59, 400, 4000, 90_000,
		}).Draw(t, name)) * time.Second)
	}
	if rapid.Bool().Draw(t, "starts") {
		start = aroundNow("start")
	}
	if rapid.Bool().Draw(t, "ends") {
		end = aroundNow("end")
	}
	if !start.IsZero() && !end.IsZero() && end.Before(start) {
		start, end = end, start
	}
	n := rapid.IntRange(1, 30).Draw(t, "count")
	switch rapid.SampledFrom([]string{"all", "first", "last"}).Draw(t, "limit") {
	case "first":
		first = n
	case "last":
		last = n
	}

	return start, end, first, last
}

func streamed(t *rapid.T, market *app.Service, r domain.DataRequest) outcome {
	pieces, result := market.Stream(t.Context(), r)
	b := domain.NewSeriesBuilder(r.Key, 0)
	for piece, err := range pieces {
		if err != nil {
			return barsOutcome(domain.Result{Series: must(b.Series())}, err)
		}
		check(b.AppendSeries(piece))
	}

	whole := result()
	whole.Series = must(b.Series())

	return barsOutcome(whole, nil)
}

// barsOutcome omits which bars came from a cache, the only difference that two results may have.
func barsOutcome(r domain.Result, err error) outcome {
	r.Provenance = slices.Clone(r.Provenance)
	known := slices.Concat(r.Uncovered, r.Filled, []domain.Range{r.Range})
	for i := range r.Provenance {
		r.Provenance[i].Cached = false
		known = append(known, r.Provenance[i].Range)
	}

	told := []time.Time{r.Series.Range().End}
	for _, k := range known {
		if !k.Empty() {
			told = append(told, k.End)
		}
	}

	bars := r.Series
	r.Series = domain.EmptySeries(bars.Key())
	if err != nil {
		return outcomeOf(nil, err, told...)
	}

	return outcomeOf(struct {
		Beside      domain.Result
		Bars        string
		Fingerprint fingerprint.Digest
	}{r, bars.String(), fingerprint.OfSeries(bars)}, nil, told...)
}

func outcomeOf(answer any, err error, told ...time.Time) outcome {
	latest := slices.MaxFunc(append(told, time.Time{}), time.Time.Compare)
	if err != nil { // without the number of bars read: a store that yields shorter pieces finds a bad bar sooner
		text, _, _ := strings.Cut(err.Error(), ";")
		return outcome{text: text, latest: latest}
	}

	return outcome{text: string(must(json.Marshal(answer))), latest: latest}
}

// and returns both outcomes as one.
func (r outcome) and(o outcome) outcome {
	if o.latest.After(r.latest) {
		r.latest = o.latest
	}
	r.text += "\n" + o.text

	return r
}
