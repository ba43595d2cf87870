package app

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// statisticsDays is how far back statistics look.
	statisticsDays = 30

	// statisticsLongest is the longest bar that they are made from: longer ones begin before the window or end after now too far.
	statisticsLongest = domain.Hour1
)

// Describe returns what is known of the symbol, and its statistics of the 30 days before the clock's now: from the bars of trades
// that cover most of them, at most an hour long, the longer ones where several do; bars that break a fatal rule do not count; the
// spread from quotes. Where no such bars or quotes are held, their numbers are 0, as are the counts beside them.
func (c *Catalog) Describe(ctx context.Context, symbol domain.Symbol) (ports.Description, error) {
	by := &caller{op: "describe", subject: text(symbol), cfg: c.cfg}
	if err := symbol.Validate(); err != nil {
		return ports.Description{}, refusal(by.op, "", err)
	}

	now := c.clock.Now().UTC()
	by.bound(ctx, c.stores)
	meta, err := c.symbols.known(ctx, by, []domain.Symbol{symbol})
	if err != nil {
		return ports.Description{}, err
	}

	window, err := domain.NewRange(now.AddDate(0, 0, -statisticsDays), instants{}.Floor(now))
	if err != nil {
		return ports.Description{}, refusal(by.op, string(symbol), err)
	}

	statistics, err := c.statistics(ctx, by, symbol, window)
	return ports.Description{SymbolMeta: meta, Statistics: statistics}, err
}

func (c *Catalog) statistics(ctx context.Context, by *caller, symbol domain.Symbol, window domain.Range) (domain.Statistics, error) {
	source, grid, err := c.best(ctx, by, symbol, window)
	if err != nil {
		return domain.Statistics{}, err
	}

	b := domain.NewStatisticsBuilder(window, grid)
	if source != nil {
		if err := addBars(ctx, by.at(source), b, domain.SeriesKey{Symbol: symbol, Grid: grid}, window); err != nil {
			return domain.Statistics{}, err
		}
	}

	if s := c.stores.ofTicks(); s != nil {
		if err := addQuotes(ctx, by.at(s), b, symbol, window); err != nil {
			return domain.Statistics{}, err
		}
	}

	made, err := b.Statistics()
	if err != nil {
		return domain.Statistics{}, by.fault(ports.ErrInternal, err)
	}

	return made, nil
}

// best is the store and the grid of the bars to make statistics from: those that cover the window best, give or take the hour that
// long bars lag behind, and of these the longest. The store is nil where there are none.
func (c *Catalog) best(ctx context.Context, by *caller, symbol domain.Symbol, window domain.Range) (*store, domain.Grid, error) {
	type held struct {
		store   *store
		covered time.Duration
	}
	grids := map[domain.Grid]held{}
	var most time.Duration
	for _, s := range c.stores {
		if s.Bars == nil {
			continue
		}

		extents, err := call(ctx, by.at(s), barExtents, []domain.Symbol{symbol})
		if err != nil {
			return nil, domain.Grid{}, err
		}

		for _, e := range c.stores.reachable(s, extents) {
			g := e.Key.Grid
			if e.Key.Symbol != symbol || e.Key.PriceType != domain.PriceTrade || g.Frequency().Nominal() > statisticsLongest.Nominal() {
				continue
			}

			closed := domain.Range{Start: window.Start, End: g.Floor(window.End)} // a claim on the bar that is forming says what comes
			if r := e.Range.Intersect(closed); !r.Empty() {
				grids[g] = held{s, grids[g].covered + r.End.Sub(r.Start)}
				most = max(most, grids[g].covered)
			}
		}
	}

	var longest domain.Grid
	for g, h := range grids {
		if h.covered >= most-statisticsLongest.Nominal() && g.Frequency().Nominal() > longest.Frequency().Nominal() {
			longest = g
		}
	}

	return grids[longest].store, longest, nil
}

// addBars takes the bars that open in the window and are over at its end.
func addBars(ctx context.Context, by *caller, b *domain.StatisticsBuilder, key domain.SeriesKey, window domain.Range) error {
	r := domain.Range{Start: key.Grid.Ceil(window.Start), End: key.Grid.Floor(window.End)}
	judge := domain.NewValidator(r, window.End)
	_, err := call(ctx, by, func(ctx context.Context, s *store, q ports.BarQuery) (struct{}, error) {
		answer := gathering[ports.CachedBars]{
			form: barPieces(), store: s, like: asPiece(domain.EmptySeries(key)), within: r,
			take: func(p ports.CachedBars) error { return b.AddBars(p.Bars.Drop(judge.Check(p.Bars).Fatal)) },
		}
		return struct{}{}, answer.fromBars(s.Bars.ReadBars(ctx, q), asPiece)
	}, ports.BarQuery{Key: key, Range: r})

	return err
}

// addQuotes takes the quotes of the window.
func addQuotes(ctx context.Context, by *caller, b *domain.StatisticsBuilder, symbol domain.Symbol, window domain.Range) error {
	none, err := domain.NewTicks[domain.Quote](symbol)
	if err != nil {
		return err
	}

	_, err = call(ctx, by, func(ctx context.Context, s *store, q ports.TickQuery) (struct{}, error) {
		answer := gathering[domain.Quotes]{form: quotes().pieces, store: s, like: none, within: window, take: b.AddQuotes}
		return struct{}{}, answer.from(s.Ticks.ReadQuotes(ctx, q))
	}, ports.TickQuery{Symbol: symbol, Range: window})
	return err
}
