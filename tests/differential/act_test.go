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
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// role is a kind of symbol in an act: the grids on which its bars are stored and requested. If bars are stored on
// several grids, they are resampled from the same minutes, so the result does not depend on which grid the planner
// reads.
type role struct {
	name      domain.Symbol
	stored    []string
	requested []string
	kinds     []domain.PriceType
}

var roles = []role{
	{"MINUTES", []string{"1m"}, []string{"1m", "1m", "5m", "1h"}, []domain.PriceType{domain.PriceTrade, domain.PriceBid}},
	{"HOURS", []string{"1h"}, []string{"1h", "1h", "4h", "1d@America/New_York"}, []domain.PriceType{domain.PriceTrade}},
	{
		"DAYS", []string{"1d@America/New_York"}, []string{"1d@America/New_York", "1M@America/New_York"},
		[]domain.PriceType{domain.PriceTrade},
	},
	{"BOTH", []string{"1m", "1h"}, []string{"1m", "5m", "1h", "4h"}, []domain.PriceType{domain.PriceTrade}},
}

// actDistance is the time between two acts, a whole number of cache blocks of minutes and of hours, so that the blocks
// begin at the same places in every act.
const actDistance = 4096 * time.Hour

// actsPerStage is the largest number of acts on one stage.
const actsPerStage = 20

// act compares two processes with a model: the application without a cache over one memory store.
type act struct {
	*stage
	number  int
	cast    []role
	middle  time.Time // where a cache block of minutes and one of hours begin
	store   *memory.Store
	model   *app.Service
	history map[domain.SeriesKey][]version // the version at the last barrier, and those of later writes
	pending bool                           // there were writes since the last barrier
}

func (s *stage) newAct(ctx context.Context) (*act, error) {
	a := &act{
		stage: s, number: s.acts,
		middle: time.Unix(0, 0).UTC().Add(time.Duration(64+s.acts) * actDistance),
		store:  memory.New(), history: map[domain.SeriesKey][]version{},
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
		{
			Name: postgres.Name, Bars: a.store, Catalog: a.store,
			Takes: domain.FrequencyRange{From: domain.Hour1}, Local: true,
		},
		{Name: influx.Name, Bars: a.store, Takes: domain.FrequencyRange{Below: domain.Hour1}, Local: true},
	}, s.clock, nil, app.Config{})

	return a, err
}

func (a *act) symbol(r role) domain.Symbol {
	return domain.Symbol(fmt.Sprintf("%s/%d", r.name, a.number))
}

// operationsPerAct is how many operations an act has.
const operationsPerAct = 30

// play applies random operations to one or two symbols, up to the first wrong result.
func (a *act) play(t *rapid.T) error {
	starts := []time.Duration{-30 * time.Minute, time.Hour, 30 * time.Hour, 1000 * time.Hour}
	if err := a.clock.Set(a.middle.Add(rapid.SampledFrom(starts).Draw(t, "start"))); err != nil {
		return err
	}

	a.cast = []role{rapid.SampledFrom(roles).Draw(t, "role"), rapid.SampledFrom(roles).Draw(t, "other role")}
	for _, r := range a.cast {
		key := domain.SeriesKey{Symbol: a.symbol(r), Grid: mustGrid(r.stored[0])}
		bars, err := r.initialBars(key, a.edges(key.Grid)[:slots])
		if err != nil {
			return err
		}

		for _, w := range []ports.BarWriter{a.store, a.processes[0].stores} {
			if _, err := ports.WriteBars(t.Context(), w, bars, a.all(key.Grid), ports.ConflictReplace); err != nil {
				return err
			}
		}
		if err := a.remember(t.Context(), 0, key, a.all(key.Grid)); err != nil {
			return err
		}
	}

	a.pending = true
	operations := map[string]func(*rapid.T) error{
		"write": a.write, "fetch": a.fetch, "fetch early": a.fetchEarly, "coverage": a.readCoverage, "wait": a.advanceClock,
	}
	kinds := rapid.SampledFrom([]string{
		"fetch", "fetch early", "write", "write", "fetch", "fetch early", "write", "coverage", "wait",
	})
	for range operationsPerAct {
		if err := operations[kinds.Draw(t, "operation")](t); err != nil {
			return err
		}
	}

	return nil
}

// slots is the number of bars of a grid that an act uses, around its middle.
const slots = 120

// edges returns the open times of the slots, and the end of the last.
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
		Symbol: a.symbol(r), Grid: mustGrid(rapid.SampledFrom(r.stored).Draw(t, "stored")),
		PriceType: rapid.SampledFrom(r.kinds).Draw(t, "kind"),
	}
}

func mustGrid(text string) domain.Grid {
	g, err := domain.ParseGrid(text)
	if err != nil {
		panic(err)
	}

	return g
}

// write changes bars or coverage through one process and in the model.
func (a *act) write(t *rapid.T) error {
	by := rapid.IntRange(0, 1).Draw(t, "process")
	r, key := a.drawStored(t)
	span := a.drawRange(t, key.Grid)
	p := a.processes[by]
	bars, through := domain.EmptySeries(key), true
	verb := rapid.SampledFrom([]string{
		"write", "write", "replace", "delete", "cover", "rewrite", "retain",
	}).Draw(t, "verb")
	switch verb {
	case "write", "replace":
		bars, through = a.drawBars(t, r, key, span)
	case "rewrite":
		stored, err := readAll(t.Context(), a.store, key, span)
		if err != nil {
			return err
		}

		bars, through = stored, false
	}

	through = through && rapid.Bool().Draw(t, "through the application")
	policy := drawPolicy(t)
	if verb == "retain" { // which reads coverage, as late as a lease allows
		span.Start = a.all(key.Grid).Start
		if err := a.awaitWrites(t.Context()); err != nil {
			return err
		}
	}
	write := func(md ingest.Service, s ports.BarWriter) (ports.WriteReport, error) {
		switch {
		case verb == "retain":
			report, err := ingest.Retain(t.Context(), ingest.BarsOf(md, key), span.End)
			return ports.WriteReport{Deleted: report.Deleted}, err
		case verb == "replace" && through:
			return md.Replace(t.Context(), bars, span)
		case verb == "replace":
			return s.ReplaceBars(t.Context(), bars, span)
		case verb == "delete" && through:
			return md.Delete(t.Context(), key, span)
		case verb == "delete":
			return s.DeleteBars(t.Context(), key, span)
		case through:
			return md.Ingest(t.Context(), bars, span, policy)
		}

		return ports.WriteBars(t.Context(), s, bars, span, policy)
	}

	want, wantErr := write(a.model, a.store)
	got, err := write(p, p.stores)
	if got != want || failure(err) != failure(wantErr) {
		return fmt.Errorf("process %d, %s %s in %s: got %+v, %s; want %+v, %s",
			by, verb, bars, span, got, errorText(err), want, errorText(wantErr))
	}
	if err != nil {
		return nil //nolint:nilerr // both reject it with the same kind of error
	}

	a.pending = true

	return a.remember(t.Context(), by, key, span)
}

// awaitWrites waits until both processes have received the hints of all writes.
func (a *act) awaitWrites(ctx context.Context) error {
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

// advanceClock advances the clock of the processes and the model.
func (a *act) advanceClock(t *rapid.T) error {
	return a.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, 3 * time.Hour, 50 * time.Hour,
	}).Draw(t, "time"))
}
