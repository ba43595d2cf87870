// Package influx is the store of bars in InfluxDB, 1.8 and 2.x: the time-series store, for the frequencies below an hour.
// Connection and writes go through the official client; bars are read by InfluxQL in msgpack, decoded here straight into columns,
// because an answer of the client's own record reader cannot be proved whole. It knows no other store, keeps no claims (those of
// its bars live in the relational store, see ports.CoverageWriter), and leaves retrying to the decorators.
//
// Bars lie in one measurement with the tags symbol, kind and grid, the float fields open, high, low, close and volume, the integer
// trades, and the string exact: empty, unless one of the five numbers does not survive a float, then it spells all five. The integer
// whole is there once a bar was overwritten: the checksum of all the others. Bars that something else writes can be read too, see
// Existing.
//
// InfluxDB shows a write field by field. A bar of which some fields have come is no bar yet, and is read again in a moment; only one
// that stays so is corrupt. A bar that is overwritten has all its fields at any moment, and could be read half old, half new. The
// field whole tells such a mixture: before a bar is overwritten, the checksum of what is there is written, then all fields with the
// new one. For a query the server takes the fields of a series in the order of their names, whole the last: a reader that found no
// checksum had taken all others before the first was written, and any other reader has one that the fields must fit. This holds
// between processes, costs the other bars an empty column of the answer, and leaves one gap: a bar that one call deletes and another
// writes with other numbers has no checksum, and a reader who takes some fields before the former and some after the latter is
// not warned. One who opens a query sees all fields within microseconds, so both calls would have to fit in there.
package influx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is what errors and provenance call the store.
const Name = "influx"

// Defaults of Config.
const (
	DefaultDatabase         = "marketdata"
	DefaultMeasurement      = "bars"
	DefaultBatchSize        = 5000
	DefaultChunkSize        = 10_000
	DefaultMaxResponseBytes = 256 << 20
	DefaultSlowQuery        = 5 * time.Second
)

// Config says how to reach the database. The token is never printed, in whatever way the Config is.
type Config struct {
	// URL is the server's address, http://127.0.0.1:8086. It holds no credentials: those are the Token.
	URL string
	// Token is a 2.x token, or user:password for 1.8; "" where the server asks for none.
	Token string `json:"-"`

	// Database is the InfluxQL database: on 2.x, the one of a DBRP mapping. Defaults to DefaultDatabase.
	Database string
	// RetentionPolicy is the InfluxQL retention policy; "" is the database's default one. A deletion reaches all of a database's
	// retention policies on 1.8, because its DELETE does: keep nothing else of the measurement's name in another one.
	RetentionPolicy string
	// Org and Bucket are where writes go on 2.x. On 1.8 leave both empty: the bucket is then Database/RetentionPolicy.
	Org    string
	Bucket string

	// Measurement is where the bars lie. Defaults to DefaultMeasurement.
	Measurement string
	// Existing, where not nil, says how to read bars that something else writes; nothing is written then.
	Existing *Existing

	// CreateOnOpen makes the database of a 1.8 server in Open where it is missing, which takes an administrator. On 2.x, where a
	// bucket and its mapping are made by other means, it is refused.
	CreateOnOpen bool

	// TLS configures https. nil is the system's certificates.
	TLS *tls.Config `json:"-"`
	// Compress asks for gzip both ways. On a local network it costs more time than it saves.
	Compress bool
	// BatchSize is how many bars a write request holds. Defaults to DefaultBatchSize.
	BatchSize int
	// ChunkSize is how many bars the server sends at once, and the size of the pieces that a read yields. Defaults to
	// DefaultChunkSize.
	ChunkSize int
	// MaxResponseBytes refuses a longer answer to one query. Defaults to DefaultMaxResponseBytes.
	MaxResponseBytes int64

	// SlowQuery is from how long on a call is logged as slow, the time of its consumer not counted. Defaults to DefaultSlowQuery.
	SlowQuery time.Duration
	// Logger hears of slow calls. Defaults to one that discards.
	Logger *slog.Logger

	// Client is used instead of one made from URL, Token, TLS and Compress, which must be left empty, and is not closed. Its
	// precision must be nanoseconds, the client's default; its HTTP client should have no timeout, which would cut long reads.
	Client influxdb2.Client `json:"-"`
}

func (c Config) withDefaults() Config {
	if c.Database == "" {
		c.Database = DefaultDatabase
	}
	if c.Bucket == "" {
		c.Bucket = c.Database
		if c.RetentionPolicy != "" {
			c.Bucket += "/" + c.RetentionPolicy
		}
	}

	if c.Measurement == "" {
		c.Measurement = DefaultMeasurement
	}
	if c.BatchSize == 0 {
		c.BatchSize = DefaultBatchSize
	}
	if c.ChunkSize == 0 {
		c.ChunkSize = DefaultChunkSize
	}
	if c.MaxResponseBytes == 0 {
		c.MaxResponseBytes = DefaultMaxResponseBytes
	}
	if c.SlowQuery == 0 {
		c.SlowQuery = DefaultSlowQuery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	return c
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Client != nil {
		if c.URL != "" || c.Token != "" || c.TLS != nil || c.Compress {
			fault("influx client: URL, Token, TLS and Compress are the client's; leave them empty")
		}
		if c.Client.Options().Precision() != time.Nanosecond {
			fault("influx client: its precision is %s; it must be 1ns", c.Client.Options().Precision())
		}
	} else if err := validateURL(c.URL); err != nil {
		faults = append(faults, err)
	}

	if c.CreateOnOpen && (c.Org != "" || !isIdentifier(c.Database)) {
		fault("influx database %q: it is made on 1.8 only, without an organisation, of a name of letters, digits, _ . and -", c.Database)
	}
	if !isIdentifier(c.Measurement) {
		fault("influx measurement %q: use letters, digits, _ . and -, at most %d", c.Measurement, maxIdentifier)
	}
	if c.Existing != nil {
		faults = append(faults, c.Existing.Validate())
	}
	if c.BatchSize < 0 || c.ChunkSize < 0 || c.MaxResponseBytes < 0 || c.SlowQuery < 0 {
		fault("influx batch size, chunk size, maximum response and slow query: must not be negative")
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", err, domain.ErrInvalid)
	}

	return nil
}

func validateURL(text string) error {
	if text == "" {
		return errors.New("influx URL: missing; give one like http://127.0.0.1:8086")
	}

	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("influx URL: not a URL; give one like http://127.0.0.1:8086") // the text may hold a password
	case u.User != nil:
		return errors.New("influx URL: holds credentials; give them as the token, user:password for 1.8")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("influx URL %q: give one like http://127.0.0.1:8086", text)
	}

	return nil
}

// Format prints the Config without its token.
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config // without this method
	if c.Token != "" {
		c.Token = "***"
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(c))
}

// LogValue logs the Config without its token.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c)) }

// Store reads and writes bars in one measurement. It is safe for concurrent use.
type Store struct {
	client   influxdb2.Client
	queryURL string
	host     string
	layout   layout

	database, retention string
	org, bucket         string
	compress            bool
	batchSize           int
	chunkSize           int
	maxResponse         int64

	slow time.Duration
	log  *slog.Logger
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.HealthChecker = (*Store)(nil)
)

// Open connects and makes sure that the server, the credentials, the database and the measurement are what they should be. The
// function returned closes what Open opened.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, translate("open", "", err)
	}

	cfg = cfg.withDefaults()
	client, closeClient := cfg.Client, func() {}
	if client == nil {
		client, closeClient = newClient(cfg)
	}
	u, err := url.Parse(strings.TrimSuffix(client.ServerURL(), "/") + "/query")
	if err != nil {
		closeClient()
		return nil, nil, translate("open", "", errors.New("the client's server URL is not a URL"))
	}

	s := &Store{
		client: client, queryURL: u.String(), host: u.Host, layout: newLayout(cfg),
		database: cfg.Database, retention: cfg.RetentionPolicy, org: cfg.Org, bucket: cfg.Bucket,
		compress: cfg.Compress, batchSize: cfg.BatchSize, chunkSize: cfg.ChunkSize, maxResponse: cfg.MaxResponseBytes,
		slow: cfg.SlowQuery, log: cfg.Logger,
	}
	if cfg.CreateOnOpen {
		err = s.rowsOf(ctx, createDatabase(cfg.Database), func(table, []any) error { return nil })
	}
	if err == nil {
		err = s.check(ctx)
	}
	if err != nil {
		closeClient()
		return nil, nil, translate("open", cfg.Database, err)
	}

	return s, closeClient, nil
}

// newClient makes a client whose HTTP side has no total timeout, which would cut a long body (the context's deadline ends a
// call), follows no redirect, which could carry the token elsewhere, and reads no more of an error than it may.
func newClient(cfg Config) (influxdb2.Client, func()) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:     cfg.TLS,
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: maxIdleConnections,
		IdleConnTimeout:     idleTimeout,
	}
	httpClient := &http.Client{
		Transport:     errorCap{next: transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := influxdb2.DefaultOptions().SetApplicationName("marketdata").SetHTTPClient(httpClient).SetUseGZip(cfg.Compress)
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token, options)

	return client, func() {
		client.Close()
		transport.CloseIdleConnections()
	}
}

const (
	connectTimeout     = time.Second
	idleTimeout        = 90 * time.Second
	maxIdleConnections = 16
)

// logSlow logs a call that took long.
func (s *Store) logSlow(ctx context.Context, op, subject string, took time.Duration, rows int) {
	if took >= s.slow {
		s.log.WarnContext(ctx, "slow query", "store", Name, "op", op, "subject", subject, "took", took, "rows", rows)
	}
}
