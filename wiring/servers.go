package wiring

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/postgres/pgconfig"
	"github.com/gal-friday/marketdata/domain"
)

// Postgres configures the relational store. It stores bars of an hour and longer, trades, quotes, the catalog, and the
// coverage of all bars. An empty DSN means no relational store.
type Postgres = pgconfig.Config

// Influx configures the time-series store, which stores bars shorter than an hour.
type Influx struct {
	// URL is the server's address without credentials, like http://127.0.0.1:8086. Defaults to no time-series store; the
	// relational store then stores all bars.
	URL string `env:"URL" yaml:"url"`

	// Token is the API token of a 2.x server, or user:password of a 1.8 server. Defaults to none.
	Token Secret `env:"TOKEN" yaml:"token"`

	// CAFile is a file of trusted certificates (PEM) for https. Defaults to the system's certificates.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// Database is the InfluxQL database; on 2.x a DBRP mapping must map it to a bucket. Defaults to marketdata.
	Database string `env:"DATABASE" yaml:"database"`

	// RetentionPolicy is the InfluxQL retention policy. Defaults to the database's own default.
	RetentionPolicy string `env:"RETENTION_POLICY" yaml:"retention_policy"`

	// Org and Bucket are the destination of writes on 2.x. Both must be empty on 1.8. Default to empty.
	Org    string `env:"ORG"    yaml:"org"`
	Bucket string `env:"BUCKET" yaml:"bucket"`

	// Measurement is the measurement of the bars. Defaults to bars.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// Existing configures the layout of bars that another program writes. Such bars can only be read.
	Existing InfluxExisting `envPrefix:"EXISTING_" yaml:"existing"`

	// BatchSize is the maximum number of bars in one write request. Defaults to 5,000.
	BatchSize int `env:"BATCH_SIZE" yaml:"batch_size"`

	// ChunkSize is the maximum number of bars in one chunk of a response. Defaults to 10,000.
	ChunkSize int `env:"CHUNK_SIZE" yaml:"chunk_size"`

	// MaxResponseBytes is the maximum size of the response to one query, in bytes; a longer one is an error. Defaults to
	// 256 MiB.
	MaxResponseBytes int64 `env:"MAX_RESPONSE_BYTES" yaml:"max_response_bytes"`

	// SlowQuery is the duration from which a call is logged as slow. Defaults to 5s.
	SlowQuery time.Duration `env:"SLOW_QUERY" yaml:"slow_query"`

	// Compress makes requests and responses use gzip, which helps with a distant server. Defaults to false.
	Compress bool `env:"COMPRESS" yaml:"compress"`
}

// InfluxExisting is a layout with the symbol in two tags, a trading pair and an exchange, and bars of one frequency.
type InfluxExisting struct {
	// Frequency is the length of the bars. Defaults to the store's own layout, for which the other fields have no effect.
	Frequency domain.Frequency `env:"FREQUENCY" yaml:"frequency,omitempty"`

	// Measurement defaults to market_data.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// SymbolTag is the tag of the trading pair, and VenueTag the tag of the exchange. Default to trading_pair and
	// exchange.
	SymbolTag string `env:"SYMBOL_TAG" yaml:"symbol_tag"`
	VenueTag  string `env:"VENUE_TAG"  yaml:"venue_tag"`

	// Tags select the bars among the points of the measurement. An environment variable has the form data_type:ohlcv.
	// Defaults to data_type: ohlcv.
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
	if u, err := url.Parse(i.URL); err != nil || u.User != nil {
		// The error contains neither the URL nor err, because both may contain a password.
		faults = append(faults, errors.New("influx: url: give one like http://127.0.0.1:8086, "+
			"and the credentials as the token, user:password for 1.8"))
	}

	if i.BatchSize < 0 || i.ChunkSize < 0 || i.MaxResponseBytes < 0 || i.SlowQuery < 0 {
		faults = append(faults, errors.New(
			"influx: batch_size, chunk_size, max_response_bytes and slow_query must not be negative"))
	}

	if f := i.Existing.Frequency; f != 0 {
		if err := f.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("influx: existing: frequency: %w", err))
		}
	}

	return errors.Join(faults...)
}

// setDefault sets value to standard if it is zero.
func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}
