// Package influxconfig has the settings of the InfluxDB store. It is apart from the store, so that a program that only
// reads configurations does not link the client.
package influxconfig

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
)

// Config configures a store: the server, where the bars are, and the limits of its use. A field with its zero value has
// its default.
type Config struct {
	// URL is the address of the server, http://127.0.0.1:8086. It must not contain credentials; use Token.
	URL string `env:"URL" yaml:"url"`

	// Token is a token of InfluxDB 2.x, or user:password for 1.8. None is for a server without authentication.
	Token secret.Secret `env:"TOKEN" yaml:"token"`

	// TokenFile is a file with the token, in place of Token. Every request reads it, so that a new token needs no restart.
	// A line end at its end is ignored. A file that cannot be read or is empty is ports.ErrAuth.
	TokenFile string `env:"TOKEN_FILE" yaml:"token_file"`

	// CAFile has the certificates (PEM) to trust for https. It defaults to the certificates of the system.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// CertFile and KeyFile have the client's certificate and its key (PEM), for a server that asks for one. Every new
	// connection reads them, so that a new certificate needs no restart.
	CertFile string `env:"CERT_FILE" yaml:"cert_file"`
	KeyFile  string `env:"KEY_FILE"  yaml:"key_file"`

	// RequireTLS makes opening the store fail with ports.ErrInvalid if the URL is http:// of another host than this one.
	// Without it that is a warning of the Logger.
	RequireTLS bool `env:"REQUIRE_TLS" yaml:"require_tls"`

	// Database is the InfluxQL database. On 2.x it is the database of a DBRP mapping. It defaults to marketdata.
	Database string `env:"DATABASE" yaml:"database"`

	// RetentionPolicy is the InfluxQL retention policy. It defaults to the default policy of the database. On 1.8 a
	// deletion affects all retention policies of the database, so no other policy may have a measurement of the same
	// name. On 2.x a deletion affects the bucket of the default policy only, so leave RetentionPolicy empty there.
	// It should keep bars forever, because coverage does not end when the policy drops a bar. Writes of bars that it
	// does not keep return ErrInvalid.
	RetentionPolicy string `env:"RETENTION_POLICY" yaml:"retention_policy"`

	// Org and Bucket are the organisation and the bucket for writes on 2.x. They must be empty on 1.8, where the bucket
	// is Database/RetentionPolicy. A write that needs many new shards ends in a timeout of a 2.x server, so a bucket for
	// bars of many years should have a long shard group duration.
	Org    string `env:"ORG"    yaml:"org"`
	Bucket string `env:"BUCKET" yaml:"bucket"`

	// Measurement is the measurement of the bars. It defaults to bars.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// Existing describes bars that another program writes. The store is read-only if Existing has a Frequency.
	Existing Existing `envPrefix:"EXISTING_" yaml:"existing"`

	// BatchSize limits the bars of a write request. It defaults to 5,000.
	BatchSize int `env:"BATCH_SIZE" yaml:"batch_size"`

	// ChunkSize is how many bars the server sends at once and how many bars a piece of a read has. It defaults to
	// 10,000.
	ChunkSize int `env:"CHUNK_SIZE" yaml:"chunk_size"`

	// MaxResponseBytes limits the response to one statement. It defaults to 256 MiB.
	MaxResponseBytes int64 `env:"MAX_RESPONSE_BYTES" yaml:"max_response_bytes"`

	// SlowQuery is the duration from which a call is logged as slow. The time of the consumer does not count. It
	// defaults to 5 s.
	SlowQuery time.Duration `env:"SLOW_QUERY" yaml:"slow_query"`

	// Compress requests gzip in both directions. On a local network it costs more time than it saves.
	Compress bool `env:"COMPRESS" yaml:"compress"`

	// Lazy makes opening the store succeed without a request. The check that opening makes is then made before the first
	// query or write, and again until it succeeds.
	Lazy bool `env:"-" yaml:"-"`

	// Logger receives a warning for each slow call, and one for a connection without TLS. Nil discards it.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// Existing describes bars that another program writes: one measurement, float fields, a trading pair and an exchange as
// tags, one frequency. The store reads such bars and must not write them. A number is the shortest decimal of its
// float. Trade counts are unknown.
//
// The symbol BTC/USD is the pair on the only exchange that has it; it is an error if several have it. KRAKEN:BTC/USD is
// the pair on the exchange of that name, in upper or lower case.
type Existing struct {
	// Frequency is the length of the bars, on the UTC grid, because the layout does not store it. Without one, the
	// layout is that of the store, and the other fields have no effect.
	Frequency domain.Frequency `env:"FREQUENCY" yaml:"frequency,omitempty"`

	// Measurement is the measurement of the bars. It defaults to market_data.
	Measurement string `env:"MEASUREMENT" yaml:"measurement"`

	// SymbolTag and VenueTag are the tags with the trading pair and the exchange. They default to trading_pair and
	// exchange.
	SymbolTag string `env:"SYMBOL_TAG" yaml:"symbol_tag"`
	VenueTag  string `env:"VENUE_TAG"  yaml:"venue_tag"`

	// Tags are the tag values that bars have and other rows of the measurement do not. Nil means data_type: ohlcv. As
	// an environment variable: data_type:ohlcv.
	Tags map[string]string `env:"TAGS" yaml:"tags"`
}

// WithDefaults returns the configuration with every default filled in, except for the Logger and the Bucket, which
// follows the Database.
func (c Config) WithDefaults() Config {
	c.Database = cmp.Or(c.Database, "marketdata")
	c.Measurement = cmp.Or(c.Measurement, "bars")
	c.BatchSize = cmp.Or(c.BatchSize, 5_000)
	c.ChunkSize = cmp.Or(c.ChunkSize, 10_000)
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, 256<<20)
	c.SlowQuery = cmp.Or(c.SlowQuery, 5*time.Second)
	c.Existing = c.Existing.withDefaults()

	return c
}

func (e Existing) withDefaults() Existing {
	e.Measurement = cmp.Or(e.Measurement, "market_data")
	e.SymbolTag = cmp.Or(e.SymbolTag, "trading_pair")
	e.VenueTag = cmp.Or(e.VenueTag, "exchange")
	if e.Tags == nil {
		e.Tags = map[string]string{"data_type": "ohlcv"}
	}

	return e
}

// Validate reports every fault at once, defaults applied. Each fault wraps domain.ErrInvalid. It does not require a
// URL, because a configuration without one has no InfluxDB store.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, domain.ErrInvalid)...))
	}

	if reason := checkURL(c.URL); reason != "" {
		fault("url: %s", reason)
	}
	if !isIdentifier(c.Measurement) {
		fault("measurement %q: use letters, digits, _ . and -, at most %d", c.Measurement, maxIdentifier)
	}

	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"batch_size", int64(c.BatchSize)}, {"chunk_size", int64(c.ChunkSize)},
		{"max_response_bytes", c.MaxResponseBytes},
	} {
		if limit.value < 0 {
			fault("%s %d: must not be negative", limit.name, limit.value)
		}
	}
	if c.SlowQuery < 0 {
		fault("slow_query %s: must not be negative", c.SlowQuery)
	}

	return errors.Join(append(faults, c.Existing.validate())...)
}

// checkURL returns what is wrong with the URL, or "". It does not repeat the URL, because it may contain a password.
func checkURL(text string) string {
	const example = "use one like http://127.0.0.1:8086"
	u, err := url.Parse(text)
	switch {
	case text == "":
		return ""
	case err != nil:
		return "cannot be parsed; " + example
	case u.User != nil:
		return "contains credentials; move them to the token, user:password for 1.8"
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return example
	}

	return ""
}

// validate reports every fault of a description, which has no effect without a Frequency.
func (e Existing) validate() error {
	if e.Frequency == 0 {
		return nil
	}

	var faults []error
	if err := e.Frequency.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("existing: frequency: %w", err))
	}
	names := append([]string{e.Measurement, e.SymbolTag, e.VenueTag}, slices.Sorted(maps.Keys(e.Tags))...)
	for _, name := range names {
		if !isIdentifier(name) {
			faults = append(faults, fmt.Errorf("existing: name %q: use letters, digits, _ . and -, at most %d: %w",
				name, maxIdentifier, domain.ErrInvalid))
		}
	}

	return errors.Join(faults...)
}

// maxIdentifier limits the length of an identifier, in bytes.
const maxIdentifier = 64

// isIdentifier reports whether name may be the name of a measurement or a tag. InfluxQL cannot bind a name,
// so a name must contain only letters, digits and _ . -.
func isIdentifier(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}

	return name != "" && len(name) <= maxIdentifier
}
