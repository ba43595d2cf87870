package differential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// role is a symbol of an act: the grids that its bars are stored on, and those that they are asked for on. The bars of a symbol with
// several stored grids are all of one truth, so that whichever the planner reads gives the same.
type role struct {
	name   domain.Symbol
	stored []string
	asked  []string
	kinds  []domain.PriceType
}

var roles = []role{
	{"MINUTES", []string{"1m"}, []string{"1m", "1m", "5m", "1h"}, []domain.PriceType{domain.PriceTrade, domain.PriceBid}},
	{"HOURS", []string{"1h"}, []string{"1h", "1h", "4h", "1d@America/New_York"}, []domain.PriceType{domain.PriceTrade}},
	{"DAYS", []string{"1d@America/New_York"}, []string{"1d@America/New_York", "1M@America/New_York"}, []domain.PriceType{domain.PriceTrade}},
	{"BOTH", []string{"1m", "1h"}, []string{"1m", "5m", "1h", "4h"}, []domain.PriceType{domain.PriceTrade}},
}

// apart is the time between two acts. It is a whole count of chunks of minutes and of hours, so every act finds them cut alike.
const apart = 4096 * time.Hour

// actsAStage is how many acts a stage serves, at most.
const actsAStage = 20

// act is a play of two processes against a model: the application without a cache over one memory store.
type act struct {
	*stage
	number  int
	cast    []role
	middle  time.Time // a chunk of minutes, and of hours, begins there
	store   *memory.Store
	model   *app.Service
	history map[domain.SeriesKey][]version // of what was written since the last barrier, and before it one
	pending bool                           // writes since the last barrier
}

func (s *stage) newAct(ctx context.Context) (*act, error) {
	a := &act{
		stage: s, number: s.acts, middle: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(64+s.acts) * apart),
		store: memory.New(), history: map[domain.SeriesKey][]version{},
	}
	s.acts++
	var metas []domain.SymbolMeta
	for _, r := range roles {
		metas = append(metas, domain.NewSymbolMeta(a.symbol(r)))
	}
	err := errors.Join(s.postgres.PutSymbols(ctx, metas...), a.store.PutSymbols(ctx, metas...))
	if err != nil {
		return nil, err
	}

	a.model, err = app.New([]app.Source{
		{Name: postgres.Name, Bars: a.store, Catalog: a.store, Takes: domain.FrequencyRange{From: domain.Hour1}, Local: true},
		{Name: influx.Name, Bars: a.store, Takes: domain.FrequencyRange{Below: domain.Hour1}, Local: true},
	}, s.clock, nil, app.Config{})
	return a, err
}

func (a *act) symbol(r role) domain.Symbol {
	return domain.Symbol(fmt.Sprintf("%s/%d", r.name, a.number))
}

// operationsAnAct is how many operations a play has. As for the other tests here, -rapid.checks says how many plays there are.
const operationsAnAct = 30

// play does random operations on one or two symbols that are held, up to the first of which the answer is wrong.
func (a *act) play(t *rapid.T) error {
	begins := rapid.SampledFrom([]time.Duration{-30 * time.Minute, time.Hour, 30 * time.Hour, 1000 * time.Hour}).Draw(t, "begins")
	if err := a.clock.Set(a.middle.Add(begins)); err != nil {
		return err
	}

	a.cast = []role{rapid.SampledFrom(roles).Draw(t, "role"), rapid.SampledFrom(roles).Draw(t, "other role")}
	for _, r := range a.cast {
		key := domain.SeriesKey{Symbol: a.symbol(r), Grid: mustGrid(r.stored[0])}
		bars, err := r.opening(key, a.edges(key.Grid)[:slots])
		if err != nil {
			return err
		}

		for _, w := range []ports.BarWriter{a.store, a.processes[0].stores} {
			if _, err := w.WriteBars(t.Context(), bars, a.all(key.Grid)); err != nil {
				return err
			}
		}
		if err := a.remember(t.Context(), 0, key, a.all(key.Grid)); err != nil {
			return err
		}
	}

	a.pending = true
	operations := map[string]func(*rapid.T) error{"write": a.write, "fetch": a.fetch, "early": a.early, "look": a.look, "pass": a.pass}
	kinds := rapid.SampledFrom([]string{"fetch", "early", "write", "write", "fetch", "early", "write", "look", "pass"})
	for range operationsAnAct {
		if err := operations[kinds.Draw(t, "operation")](t); err != nil {
			return err
		}
	}

	return nil
}

// slots is how many bars of a grid an act plays with, about its middle.
const slots = 120

// edges is where they begin, and where the last ends.
func (a *act) edges(g domain.Grid) []time.Time {
	at := g.Ceil(a.middle.Add(-slots / 2 * g.Frequency().Nominal()))
	list := make([]time.Time, 0, slots+1)
	for range slots + 1 {
		list = append(list, at)
		at = g.Next(at)
	}

	return list
}

func (a *act) drawRange(t *rapid.T, g domain.Grid) domain.Range {
	edges := a.edges(g)
	from := rapid.IntRange(0, slots-1).Draw(t, "from")
	to := min(slots, from+rapid.SampledFrom([]int{slots, 30, 7, 2, 1}).Draw(t, "slots"))
	return domain.Range{Start: edges[from], End: edges[to]}
}

func (a *act) drawStored(t *rapid.T) (role, domain.SeriesKey) {
	r := rapid.SampledFrom(a.cast).Draw(t, "role")
	return r, domain.SeriesKey{
		Symbol: a.symbol(r), Grid: mustGrid(rapid.SampledFrom(r.stored).Draw(t, "stored")), PriceType: rapid.SampledFrom(r.kinds).Draw(t, "kind"),
	}
}

func mustGrid(text string) domain.Grid {
	g, err := domain.ParseGrid(text)
	if err != nil {
		panic(err)
	}

	return g
}

// write changes something through one process and in the model.
func (a *act) write(t *rapid.T) error {
	by := rapid.IntRange(0, 1).Draw(t, "process")
	r, key := a.drawStored(t)
	span := a.drawRange(t, key.Grid)
	p := a.processes[by]
	var write, model func(context.Context, domain.Series, domain.Range) (ports.WriteReport, error)
	bars, through := domain.EmptySeries(key), true
	what := rapid.SampledFrom([]string{"write", "write", "replace", "delete", "claim", "again"}).Draw(t, "what")
	switch what {
	case "write", "replace":
		bars, through = a.drawBars(t, r, key, span)
	case "again":
		held, err := readAll(t.Context(), a.store, key, span)
		if err != nil {
			return err
		}

		bars, through = held, false
	}

	through = through && rapid.Bool().Draw(t, "through the application")
	switch replaces := what == "replace" || what == "delete"; {
	case replaces && through:
		write, model = p.Replace, a.model.Replace
	case replaces:
		write, model = p.stores.ReplaceBars, a.store.ReplaceBars
	case through:
		write, model = p.Ingest, a.model.Ingest
	default:
		write, model = p.stores.WriteBars, a.store.WriteBars
	}

	want, wantErr := model(t.Context(), bars, span)
	got, err := write(t.Context(), bars, span)
	if got != want || failure(err) != failure(wantErr) {
		return fmt.Errorf("process %d, %s %s in %s: got %+v, %s; want %+v, %s",
			by, what, bars, span, got, said(err), want, said(wantErr))
	}
	if err != nil {
		return nil //nolint:nilerr // both refuse it alike
	}

	a.pending = true
	return a.remember(t.Context(), by, key, span)
}

// settle is a barrier, if anything was written since the last.
func (a *act) settle(ctx context.Context) error {
	if !a.pending {
		return nil
	}
	if err := a.barrier(ctx); err != nil {
		return err
	}

	a.pending = false
	for key, versions := range a.history {
		a.history[key] = versions[len(versions)-1:]
	}
	return nil
}

// pass lets time go by.
func (a *act) pass(t *rapid.T) error {
	return a.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, 3 * time.Hour, 50 * time.Hour,
	}).Draw(t, "time"))
}
