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
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// At every step of a random replay, whatever is asked is answered as an application would that has never heard of what comes later:
// one over a store that holds nothing but what had closed by then. So nothing later shows, be it in bars, made ones, counts,
// statistics, errors, or in which way of making an answer was chosen.
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
			rapid.Check(t, func(t *rapid.T) {
				h := drawHistory(t)
				simulated := clock.NewSimulated(opening)
				from := open(t, h, simulated)
				market := must(app.New([]app.Source{from}, simulated, nil, app.Config{}))
				for now := range h.instants(t, from.Bars, simulated) {
					known := source(h.until(now).write(t, memory.New()))
					then := must(app.New([]app.Source{known}, clock.NewSimulated(now), nil, app.Config{}))
					for range rapid.IntRange(1, 4).Draw(t, "questions") {
						ask := h.drawQuestion(t, now)
						got, want := ask.of(t, market), ask.of(t, then)
						if got.text != want.text {
							t.Fatalf("at %s\n%s\ngot  %s\nwant %s", now.Format(time.RFC3339Nano), ask.what, got.text, want.text)
						}
						if got.latest.After(now) {
							t.Fatalf("at %s\n%s\ntells of %s", now.Format(time.RFC3339Nano), ask.what, got.latest)
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

// cached puts the chunk cache before the bars, as wiring does.
func cached(t *rapid.T, s app.Source, now ports.Clock) app.Source {
	near := must(ristretto.NewSeries(1 << 20))
	front := must(chunks.New(s.Bars, chunks.Caches{Near: near}, nil, now, chunks.Config{Name: s.Name}))
	t.Cleanup(func() {
		front.Close()
		near.Close()
	})
	s.Bars, s.Cache = front, front

	return s
}

// instants drives the clock through the history and yields where it stands, at some of the steps: those of a replay of some series,
// or, where none are, any.
func (h *history) instants(t *rapid.T, bars ports.BarReader, simulated *clock.Simulated) func(yield func(time.Time) bool) {
	var keys []domain.SeriesKey
	for _, s := range h.bars {
		if rapid.Bool().Draw(t, "played") {
			keys = append(keys, s.data.Key())
		}
	}

	all := domain.Range{Start: opening, End: opening.Add(lasting)}
	return func(yield func(time.Time) bool) {
		if len(keys) == 0 {
			for range 5 {
				next := simulated.Now().Add(time.Duration(rapid.Int64Range(0, int64(lasting/4)).Draw(t, "time passes")))
				for _, trades := range h.trades { // a trade of this very instant is not known yet
					if later := trades.data.Clip(domain.Range{Start: next, End: all.End}); later.Len() > 0 && rapid.Bool().Draw(t, "as it trades") {
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

// question is one that a strategy may ask.
type question struct {
	what string
	of   func(t *rapid.T, market *app.Service) reply
}

// reply is all that an answer says, and the latest instant it speaks of as known.
type reply struct {
	text   string
	latest time.Time
}

func (h *history) drawQuestion(t *rapid.T, now time.Time) question {
	switch rapid.SampledFrom([]string{"fetch", "fetch", "fetch", "stream", "many", "trades", "quotes", "latest", "coverage", "describe"}).Draw(t, "question") {
	case "stream":
		r := h.drawRequest(t, now)
		return question{"stream " + r.String(), func(t *rapid.T, market *app.Service) reply { return streamed(t, market, r) }}
	case "many":
		requests := []domain.DataRequest{h.drawRequest(t, now), h.drawRequest(t, now), h.drawRequest(t, now)}
		return question{fmt.Sprintf("fetch many %v", requests), func(t *rapid.T, market *app.Service) reply {
			var all reply
			for _, a := range market.FetchMany(t.Context(), requests) {
				all = all.and(ofBars(a.Result, a.Err))
			}
			return all
		}}
	case "trades":
		r := drawTickRequest(t, now)
		return question{"trades " + r.String(), func(t *rapid.T, market *app.Service) reply {
			result, err := market.FetchTrades(t.Context(), r)
			return replyOf(result, err, result.Ticks.Range().End)
		}}
	case "quotes":
		r := drawTickRequest(t, now)
		return question{"quotes " + r.String(), func(t *rapid.T, market *app.Service) reply {
			result, err := market.FetchQuotes(t.Context(), r)
			return replyOf(result, err, result.Ticks.Range().End)
		}}
	case "latest":
		return question{"latest", func(t *rapid.T, market *app.Service) reply {
			list, err := market.Latest(t.Context())
			var told []time.Time
			for _, f := range list {
				told = append(told, f.CoveredUntil)
			}

			return replyOf(list, err, told...)
		}}
	case "coverage":
		return question{"coverage", func(t *rapid.T, market *app.Service) reply {
			bars, err := market.Coverage(t.Context())
			ticks, tickErr := market.TickCoverage(t.Context())
			var told []time.Time
			for _, e := range bars {
				told = append(told, e.Range.End)
			}
			for _, e := range ticks {
				told = append(told, e.Range.End)
			}

			return replyOf([]any{bars, ticks}, errors.Join(err, tickErr), told...)
		}}
	case "describe":
		s := symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))
		return question{"describe " + string(s), func(t *rapid.T, market *app.Service) reply {
			d, err := market.Describe(t.Context(), s)
			return replyOf(d, err, d.Statistics.Window.End)
		}}
	default:
		r := h.drawRequest(t, now)
		return question{"fetch " + r.String(), func(t *rapid.T, market *app.Service) reply {
			result, err := market.Fetch(t.Context(), r)
			return ofBars(result, err)
		}}
	}
}

// drawRequest asks for bars that are held or could be made, up to now, or for what is yet to come.
func (h *history) drawRequest(t *rapid.T, now time.Time) domain.DataRequest {
	r := domain.DataRequest{Key: domain.SeriesKey{Symbol: symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))}}
	r.Key.Grid = must(domain.ParseGrid(rapid.SampledFrom([]string{
		"7s", "1m", "5m", "15m", "1h", "4h", "1d", "1d@America/New_York",
	}).Draw(t, "grid")))
	r.Start, r.End, r.First, r.Last = drawWindow(t, now)
	r.Quality = rapid.SampledFrom([]domain.QualityPolicy{domain.QualityFlag, domain.QualityDrop, domain.QualityFail}).Draw(t, "quality")
	r.Fill = rapid.SampledFrom([]domain.FillPolicy{domain.FillNone, domain.FillPrevious}).Draw(t, "fill")
	r.Resample = rapid.Bool().Draw(t, "resample")

	return r
}

func drawTickRequest(t *rapid.T, now time.Time) domain.TickRequest {
	r := domain.TickRequest{Symbol: symbol(rapid.IntRange(0, symbols-1).Draw(t, "symbol"))}
	r.Start, r.End, r.First, r.Last = drawWindow(t, now)
	return r
}

// drawWindow is a range and a count, each of which may be open; the range may end before now, at it, or after it.
func drawWindow(t *rapid.T, now time.Time) (start, end time.Time, first, last int) {
	near := func(name string) time.Time {
		return now.Add(time.Duration(rapid.SampledFrom([]int{
			-100_000, -9000, -3600, -600, -61, -1, 0, 1, 59, 400, 4000, 90_000,
		}).Draw(t, name)) * time.Second)
	}
	if rapid.Bool().Draw(t, "starts") {
		start = near("start")
	}
	if rapid.Bool().Draw(t, "ends") {
		end = near("end")
	}
	if !start.IsZero() && !end.IsZero() && end.Before(start) {
		start, end = end, start
	}
	switch n := rapid.IntRange(1, 30).Draw(t, "count"); rapid.SampledFrom([]string{"all", "first", "last"}).Draw(t, "part") {
	case "first":
		first = n
	case "last":
		last = n
	}

	return start, end, first, last
}

func streamed(t *rapid.T, market *app.Service, r domain.DataRequest) reply {
	pieces, result := market.Stream(t.Context(), r)
	b := domain.NewSeriesBuilder(r.Key, 0)
	for piece, err := range pieces {
		if err != nil {
			return ofBars(domain.Result{Series: must(b.Series())}, err)
		}
		check(b.AppendSeries(piece))
	}

	whole := result()
	whole.Series = must(b.Series())
	return ofBars(whole, nil)
}

// ofBars leaves out what came from a cache, in which alone two answers may differ.
func ofBars(r domain.Result, err error) reply {
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
		return replyOf(nil, err, told...)
	}

	return replyOf(struct {
		Beside      domain.Result
		Bars        string
		Fingerprint domain.Fingerprint
	}{r, bars.String(), bars.Fingerprint()}, nil, told...)
}

func replyOf(answer any, err error, told ...time.Time) reply {
	latest := slices.MaxFunc(append(told, time.Time{}), time.Time.Compare)
	if err != nil { // without how many bars were looked at: a store that answers in shorter pieces comes by a bad one sooner
		text, _, _ := strings.Cut(err.Error(), ";")
		return reply{text: text, latest: latest}
	}

	return reply{text: string(must(json.Marshal(answer))), latest: latest}
}

// and is both.
func (r reply) and(o reply) reply {
	if o.latest.After(r.latest) {
		r.latest = o.latest
	}
	r.text += "\n" + o.text
	return r
}
