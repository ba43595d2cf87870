// Package describe returns the metadata and the recent statistics of a symbol. The statistics are made of the bars that
// a query returns, so that both follow the same routing.
package describe

import (
	"context"
	"errors"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/query"
	"github.com/gal-friday/marketdata/app/symbols"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// windowDays is how far back statistics reach.
	windowDays = 30

	// longestBar is the longest bar that statistics are made of: a longer one can begin long before the window, or end
	// long before now.
	longestBar = domain.Hour1

	// quotesPerRead is how many quotes are in memory at a time.
	quotesPerRead = 65536
)

// Describer describes symbols. It is safe for concurrent use.
type Describer struct {
	query    *query.Provider
	symbols  *symbols.Catalog
	resolver *symbols.Resolver
	stores   access.Stores
	clock    ports.Clock
	settings *access.Settings
}

// Services are the services that a Describer reads through.
type Services struct {
	Query    *query.Provider   // of bars
	Symbols  *symbols.Catalog  // of coverage
	Resolver *symbols.Resolver // of metadata
}

// New returns a Describer over the stores, as far as the clock lets their data be seen.
func New(s Services, stores access.Stores, clock ports.Clock, settings *access.Settings) *Describer {
	return &Describer{
		query: s.Query, symbols: s.Symbols, resolver: s.Resolver, stores: stores, clock: clock, settings: settings,
	}
}

// Describe returns the symbol's metadata and its statistics of the 30 days before the clock's now. Prices and volume
// come from trade bars of at most an hour, of the grid that covers most of the window, the longest where several do;
// bars that break a fatal rule are left out. The spread comes from quotes. Without such bars or quotes their numbers
// are 0, as are the counts beside them. The description lists the parts of the window that are not covered, of which
// the numbers do not speak.
func (d *Describer) Describe(ctx context.Context, symbol domain.Symbol) (ports.Description, error) {
	call := &access.Call{Op: "describe", Subject: access.Text(symbol), Settings: d.settings}
	if err := symbol.Validate(); err != nil {
		return ports.Description{}, access.Refusal(call.Op, "", err)
	}

	now := d.clock.Now().UTC()
	call.SetDefaultDeadline(ctx, d.stores)
	if !call.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = call.WithTimeout(ctx, d.settings.Timeout)
		defer cancel()
	}
	meta, err := d.resolver.Resolve(ctx, call, []domain.Symbol{symbol})
	if err != nil {
		return ports.Description{}, err
	}

	window, err := domain.NewRange(now.AddDate(0, 0, -windowDays), access.Instants{}.Floor(now))
	if err != nil {
		return ports.Description{}, call.Refuse(err)
	}

	described, err := d.statistics(ctx, call, symbol, window)
	described.SymbolMeta = meta

	return described, describeError(call, err)
}

// describeError names the operation in an error of the query that it is made of.
func describeError(call *access.Call, err error) error {
	from := (*ports.Error)(nil)
	if !errors.As(err, &from) {
		return err
	}

	e := *from
	e.Op, e.Subject = call.Op, call.Subject.String()

	return &e
}

// statistics returns the statistics of the window, and what they do not speak of.
func (d *Describer) statistics(
	ctx context.Context, call *access.Call, symbol domain.Symbol, window domain.Range,
) (ports.Description, error) {
	grid, err := d.bestGrid(ctx, symbol, window)
	if err != nil {
		return ports.Description{}, err
	}

	all := []domain.Range{window}
	described := ports.Description{Uncovered: all, UncoveredQuotes: all}
	b := newStatistics(window, grid)
	if grid != (domain.Grid{}) {
		bars, err := d.addBars(ctx, b, domain.SeriesKey{Symbol: symbol, Grid: grid}, window)
		if err != nil {
			return ports.Description{}, err
		}

		described.Uncovered, described.Inferred = bars.Uncovered, bars.Inferred
	}
	if ticks := d.stores.ForTicks(); ticks != nil {
		if described.UncoveredQuotes, err = addQuotes(ctx, call.For(ticks), b, symbol, window); err != nil {
			return ports.Description{}, err
		}
	}
	described.Statistics = b.total()

	return described, nil
}

// addQuotes adds the quotes of the window, and returns the parts of it that are not covered.
func addQuotes(
	ctx context.Context, call *access.Call, b *statistics, symbol domain.Symbol, window domain.Range,
) ([]domain.Range, error) {
	extents, err := access.Do(ctx, call, access.ReadTickExtents, []domain.Symbol{symbol})
	if err != nil {
		return nil, err
	}

	var covered []domain.Range
	for _, e := range extents {
		if e.Symbol == symbol && e.Kind == domain.TickQuotes {
			covered = append(covered, e.Range)
		}
	}

	query := ports.TickQuery{Symbol: symbol, Range: window, First: quotesPerRead}
	reads := access.Continuity{Layout: domain.TickBlocks()}
	for quotes, err := range access.TickPages(ctx, call, access.Quotes(), query, &reads) {
		if err == nil {
			err = b.addQuotes(quotes.Rows)
		}
		if err != nil {
			return nil, err
		}
	}

	return window.Subtract(covered), nil
}

// bestGrid returns the grid of trade bars that covers most of the window, give or take the hour that long bars end
// before now, and of several such grids that of the longest bars. It is zero where there are none.
func (d *Describer) bestGrid(ctx context.Context, symbol domain.Symbol, window domain.Range) (domain.Grid, error) {
	extents, err := ports.Collect(d.symbols.Coverage(ctx, symbol))
	if err != nil {
		return domain.Grid{}, err
	}

	ranges := map[domain.Grid][]domain.Range{}
	for _, e := range extents {
		g := e.Key.Grid
		if e.Key.Symbol == symbol && e.Key.PriceType == domain.PriceTrade && g.Frequency().Nominal() <= longestBar.Nominal() {
			ranges[g] = append(ranges[g], e.Range.Intersect(window))
		}
	}

	covered := map[domain.Grid]time.Duration{}
	var most time.Duration
	for g, rs := range ranges {
		for _, r := range domain.MergeRanges(rs) {
			covered[g] += r.End.Sub(r.Start)
		}
		most = max(most, covered[g])
	}

	var best domain.Grid
	for g, d := range covered {
		if d > 0 && d >= most-longestBar.Nominal() && g.Frequency().Nominal() > best.Frequency().Nominal() {
			best = g
		}
	}

	return best, nil
}

// addBars adds the bars of the window, and returns what their result says beside them.
func (d *Describer) addBars(
	ctx context.Context, b *statistics, key domain.SeriesKey, window domain.Range,
) (domain.Result, error) {
	pieces, result := d.query.Stream(ctx, domain.DataRequest{
		Key: key, Start: window.Start, End: key.Grid.Floor(window.End), Quality: domain.QualityDrop,
	})
	for bars, err := range pieces {
		if err == nil {
			err = b.addBars(bars)
		}
		if err != nil {
			return domain.Result{}, err
		}
	}

	return result(), nil
}
