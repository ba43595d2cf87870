package app

import (
	"time"

	"github.com/gal-friday/marketdata/app/describe"
	"github.com/gal-friday/marketdata/app/health"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/query"
	"github.com/gal-friday/marketdata/app/symbols"
	"github.com/gal-friday/marketdata/ports"
)

// Service is the whole application: the services of its packages as one value, which implements every driving port. It
// is safe for concurrent use.
type Service struct {
	*query.Provider
	*symbols.Catalog
	*describe.Describer
	*ingest.Ingestor
	*health.Diagnostics

	observer *observer
}

var (
	_ ports.HistoricalDataProvider = (*Service)(nil)
	_ ports.BatchProvider          = (*Service)(nil)
	_ ports.Explainer              = (*Service)(nil)
	_ ports.SymbolProvider         = (*Service)(nil)
	_ ports.SymbolEditor           = (*Service)(nil)
	_ ports.CoverageProvider       = (*Service)(nil)
	_ ports.Ingestor               = (*Service)(nil)
	_ ports.Diagnostics            = (*Service)(nil)
)

// New returns the application over the sources, as far as the clock lets their data be seen. symbolCache keeps the
// entries of catalogs for Config.SymbolTTL; nil queries them each time. It refuses a Config or a list of sources that
// is not valid, and opens nothing.
func New(sources []Source, clock ports.Clock, symbolCache ports.SymbolCache, cfg Config) (*Service, error) {
	return newService(sources, clock, symbolCache, cfg, query.DefaultStepSizes())
}

func newService(
	sources []Source, clock ports.Clock, symbolCache ports.SymbolCache, cfg Config, steps query.StepSizes,
) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := validateSources(sources); err != nil {
		return nil, err
	}

	cfg = cfg.WithDefaults()
	stores := newStores(sources)
	settings := &access.Settings{
		Timeout: cfg.Timeout, StoreTimeout: cfg.StoreTimeout, Logger: cfg.Logger, Telemetry: cfg.Telemetry,
	}
	resolver := symbols.NewResolver(stores, symbolCache, cfg.SymbolTTL, settings)
	limits := query.Limits{MaxBars: *cfg.MaxBars, MaxSlots: *cfg.MaxSlots, MaxReads: *cfg.MaxReads, Steps: steps}
	provider := query.New(stores, resolver, clock, settings, limits)
	catalog := symbols.New(stores, resolver, clock, settings)
	services := describe.Services{Query: provider, Symbols: catalog, Resolver: resolver}

	diagnostics := health.New(stores, clock, settings)

	return &Service{
		Provider:    provider,
		Catalog:     catalog,
		Describer:   describe.New(services, stores, clock, settings),
		Ingestor:    ingest.New(stores, resolver, clock, settings, cfg.Settle),
		Diagnostics: diagnostics,
		observer:    &observer{newAudit(cfg, diagnostics), cfg.Telemetry, time.Now()},
	}, nil
}
