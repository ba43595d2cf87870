package app

import "github.com/gal-friday/marketdata/ports"

// Marketdata is the whole application, as wiring hands it out: its services together. It is safe for concurrent use.
type Marketdata struct {
	*Provider
	*Catalog
	*Ingester
	*Diagnostics
}

var (
	_ ports.HistoricalDataProvider = (*Marketdata)(nil)
	_ ports.BatchProvider          = (*Marketdata)(nil)
	_ ports.SymbolProvider         = (*Marketdata)(nil)
	_ ports.CoverageProvider       = (*Marketdata)(nil)
	_ ports.Ingestor               = (*Marketdata)(nil)
	_ ports.Diagnostics            = (*Marketdata)(nil)
)

// New returns the application over the sources, as far as the clock lets their data be seen. symbols keeps what catalogs said, as
// Config.SymbolTTL has it; nil asks them each time. It refuses a Config and a list of sources that contradict themselves, and
// opens nothing.
func New(sources []Source, clock ports.Clock, symbols ports.SymbolCache, cfg Config) (*Marketdata, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	all, err := newStores(sources)
	if err != nil {
		return nil, err
	}

	cfg = cfg.WithDefaults()
	known := &lookup{stores: all, cache: symbols, cfg: &cfg}
	return &Marketdata{
		Provider:    &Provider{stores: all, symbols: known, clock: clock, cfg: &cfg, sizes: defaultSizes()},
		Catalog:     &Catalog{stores: all, symbols: known, clock: clock, cfg: &cfg},
		Ingester:    &Ingester{stores: all, symbols: known, clock: clock, cfg: &cfg},
		Diagnostics: &Diagnostics{stores: all, clock: clock, cfg: &cfg},
	}, nil
}
