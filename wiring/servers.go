package wiring

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/postgres/pgconfig"
	"github.com/gal-friday/marketdata/domain"
)

// Postgres configures the relational store: bars from an hour up, trades, quotes, the catalog, and the coverage of all
// bars. Without a DSN there is no relational store.
type Postgres = pgconfig.Config

// Influx configures the time-series store: bars below an hour.
type Influx struct {
	// URL is the server's address, like http://127.0.0.1:8086, without credentials. Without one there is no time-series
	// store, and all bars are the relational one's.
	URL string `env:"URL" yaml:"url"`

	// Token is that of a 2.x server, or user:password for 1.8; none where the server asks for none.
	Token Secret `env:"TOKEN" yaml:"token"`

	// CAFile holds the certificates (PEM) to trust for https. Defaults to the system's.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// Database is the InfluxQL database, on 2.x the one of a DBRP mapping. Defaults to marketdata.
	Database string `env:"DATABASE" yaml:"database"`

	// RetentionPolicy is the InfluxQL retention policy. Defaults to the database's own default.
	RetentionPolicy string `env:"RETENTION_POLICY" yaml:"retention_policy"`

	// Org and Bucket are where writes go on 2.x. Leave both empty on 1.8.
	Org    string `env:"ORG"    yaml:"org"`
	Bucket string `env:"BUCKET" yaml:"bucket"`

	// Measurement is where the bars lie. Defaults to bars.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// Existing says how to read, and only read, bars that something else writes.
	Existing InfluxExisting `envPrefix:"EXISTING_" yaml:"existing"`

	// BatchSize is how many bars a write request holds. Defaults to 5,000.
	BatchSize int `env:"BATCH_SIZE" yaml:"batch_size"`

	// ChunkSize is how many bars the server sends at once. Defaults to 10,000.
	ChunkSize int `env:"CHUNK_SIZE" yaml:"chunk_size"`

	// MaxResponseBytes refuses a longer answer to one query. Defaults to 256 MiB.
	MaxResponseBytes int64 `env:"MAX_RESPONSE_BYTES" yaml:"max_response_bytes"`

	// SlowQuery is from how long on a call is logged as slow. Defaults to 5s.
	SlowQuery time.Duration `env:"SLOW_QUERY" yaml:"slow_query"`

	// Compress asks for gzip both ways, for a server that is far away.
	Compress bool `env:"COMPRESS" yaml:"compress"`
}

// InfluxExisting is a layout with the symbol in two tags, a trading pair and an exchange, and bars of one frequency.
type InfluxExisting struct {
	// Frequency is the length of the bars. Without one the layout is our own.
	Frequency domain.Frequency `env:"FREQUENCY" yaml:"frequency,omitempty"`

	// Measurement defaults to market_data.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// SymbolTag holds the trading pair, and VenueTag the exchange. Default to trading_pair and exchange.
	SymbolTag string `env:"SYMBOL_TAG" yaml:"symbol_tag"`
	VenueTag  string `env:"VENUE_TAG"  yaml:"venue_tag"`

	// Tags are what tells bars from what else is in the measurement. Defaults to data_type: ohlcv. As a variable:
	// data_type:ohlcv.
	Tags map[string]string `env:"TAGS" yaml:"tags"`
}

func (i Influx) withDefaults() Influx {
	setDefault(&i.Database, "marketdata")
	setDefault(&i.Measurement, "bars")
	setDefault(&i.BatchSize, 5_000)
	setDefault(&i.ChunkSize, 10_000)
	setDefault(&i.MaxResponseBytes, 256<<20)
	setDefault(&i.SlowQuery, 5*time.Second)
	setDefault(&i.Existing.Measurement, "market_data")
	setDefault(&i.Existing.SymbolTag, "trading_pair")
	setDefault(&i.Existing.VenueTag, "exchange")
	if i.Existing.Tags == nil {
		i.Existing.Tags = map[string]string{"data_type": "ohlcv"}
	}

	return i
}

func (i Influx) validate() error {
	var faults []error
	if u, err := url.Parse(i.URL); err != nil || u.User != nil { // neither may be repeated: the text may hold a password
		faults = append(faults, errors.New("influx: url: give one like http://127.0.0.1:8086, and the credentials as the token, user:password for 1.8"))
	}
	if i.BatchSize < 0 || i.ChunkSize < 0 || i.MaxResponseBytes < 0 || i.SlowQuery < 0 {
		faults = append(faults, errors.New("influx: batch_size, chunk_size, max_response_bytes and slow_query must not be negative"))
	}
	if f := i.Existing.Frequency; f != 0 {
		if err := f.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("influx: existing: frequency: %w", err))
		}
	}

	return errors.Join(faults...)
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}
