// Package influx stores bars in InfluxDB 1.8 and 2.x: the time-series store, for frequencies below an hour.
//
// The official client connects and writes. Reads use InfluxQL with responses in msgpack, which this package decodes
// into columns, because the client's record reader cannot prove that a response is complete. Coverage, trades, quotes
// and metadata do not belong here: the relational store has them, see ports.CoverageWriter. Retries
// belong to the caller; this package retries only to hide how InfluxDB makes a write visible.
//
// # Layout
//
// One measurement has all bars:
//
//	tags     symbol, kind (the price type), grid
//	floats   open, high, low, close, volume
//	integer  trades
//	string   exact: empty, or the five numbers as text if one of them does not survive a float
//	integer  whole: the checksum of the other fields; absent until the bar is overwritten
//
// Bars that other programs write can be read through [Existing].
//
// # Torn reads
//
// InfluxDB makes a write visible field by field, so a reader can meet two kinds of torn bars. A bar with missing fields
// is read again after a pause, and is corrupt only if it stays incomplete. A bar that is being overwritten has all its
// fields at any moment, but may have fields of two versions; the checksum detects that:
//
//	insert     write all fields except the checksum
//	overwrite  1. write the checksum of the stored bar
//	           2. write all fields, with the checksum of the new bar
//
// INVARIANT: no reader returns a bar with fields of two versions. For a query, the server opens the fields of a series
// in the order of their names, the checksum last. A reader that finds no checksum opened all other fields before step 1
// was written, so they are the old bar. A reader that finds a checksum compares it with the fields.
//
// This holds between processes. Bars that were never overwritten cost an empty column of the result. One gap remains:
// if one call deletes a bar and another writes it with other numbers, the bar has no checksum, and a reader that opens
// some fields before the deletion and some after the write is not warned. A query opens all fields within microseconds,
// so both calls would have to fall into that time.
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

// Name is the name of the store in errors and in the provenance of bars.
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

// Config configures a Store. No formatting or encoding of a Config contains its token.
type Config struct {
	// URL is the address of the server, http://127.0.0.1:8086. It must not contain credentials; use Token.
	URL string
	// Token is a token of InfluxDB 2.x, or user:password for 1.8. "" is for a server without authentication.
	Token string `json:"-"`

	// Database is the InfluxQL database. On 2.x it is the database of a DBRP mapping. Defaults to DefaultDatabase.
	Database string
	// RetentionPolicy is the InfluxQL retention policy; "" is the default one of the database. On 1.8 a deletion
	// affects all retention policies of the database, so no other policy may have a measurement of the same name. On
	// 2.x a deletion affects the bucket of the default policy only, so leave RetentionPolicy empty there.
	// It should keep bars forever, because coverage does not end when the policy drops a bar. Writes of bars that it
	// does not keep return ErrInvalid.
	RetentionPolicy string
	// Org and Bucket are the organisation and the bucket for writes on 2.x. They must be empty on 1.8, where the bucket
	// is Database/RetentionPolicy. A write that needs many new shards ends in a timeout of a 2.x server, so a bucket for
	// bars of many years should have a long shard group duration.
	Org    string
	Bucket string

	// Measurement is the measurement of the bars. Defaults to DefaultMeasurement.
	Measurement string
	// Existing describes bars that another program writes. The store is read-only if it is not nil.
	Existing *Existing

	// CreateOnOpen makes Open create the database if it does not exist. It needs the privileges of an administrator,
	// and works on 1.8 only, because a bucket and its mapping on 2.x are created by other means.
	CreateOnOpen bool

	// TLS configures https. nil uses the certificates of the system.
	TLS *tls.Config `json:"-"`
	// Compress requests gzip in both directions. On a local network it costs more time than it saves.
	Compress bool
	// BatchSize limits the bars of a write request. Defaults to DefaultBatchSize.
	BatchSize int
	// ChunkSize is how many bars the server sends at once and how many bars a piece of a read has. Defaults to
	// DefaultChunkSize.
	ChunkSize int
	// MaxResponseBytes limits the response to one statement. Defaults to DefaultMaxResponseBytes.
	MaxResponseBytes int64

	// SlowQuery is the duration from which a call is logged as slow. The time of the consumer does not count. Defaults
	// to DefaultSlowQuery.
	SlowQuery time.Duration
	// Logger receives slow calls. Defaults to a logger that discards them.
	Logger *slog.Logger

	// Client is used instead of a client for URL, Token, TLS and Compress, which must be empty then. The store does not
	// close it. Its precision must be nanoseconds, the default. Its HTTP client should have no timeout, because a
	// timeout would cut long reads.
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
	faults := c.validateConnection()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.CreateOnOpen && (c.Org != "" || !isIdentifier(c.Database)) {
		fault("influx database %q: CreateOnOpen needs 1.8, no Org, and a name of letters, digits, _ . and -",
			c.Database)
	}
	if !isIdentifier(c.Measurement) {
		fault("influx measurement %q: use letters, digits, _ . and -, at most %d", c.Measurement, maxIdentifier)
	}
	if c.Existing != nil {
		faults = append(faults, c.Existing.Validate())
	}
	if c.BatchSize < 0 || c.ChunkSize < 0 || c.MaxResponseBytes < 0 || c.SlowQuery < 0 {
		fault("influx BatchSize, ChunkSize, MaxResponseBytes and SlowQuery: must not be negative")
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", err, domain.ErrInvalid)
	}

	return nil
}

// validateConnection returns the faults of the URL, or of the client that replaces it.
func (c Config) validateConnection() []error {
	if c.Client == nil {
		if err := validateURL(c.URL); err != nil {
			return []error{err}
		}
		return nil
	}

	var faults []error
	if c.URL != "" || c.Token != "" || c.TLS != nil || c.Compress {
		faults = append(faults, errors.New("influx client: it replaces URL, Token, TLS and Compress; leave them empty"))
	}
	if precision := c.Client.Options().Precision(); precision != time.Nanosecond {
		faults = append(faults, fmt.Errorf("influx client: the precision is %s; it must be 1ns", precision))
	}

	return faults
}

func validateURL(text string) error {
	if text == "" {
		return errors.New("influx URL: missing; use one like http://127.0.0.1:8086")
	}

	u, err := url.Parse(text)
	switch {
	case err != nil: // the error and the text may contain a password
		return errors.New("influx URL: not a URL; use one like http://127.0.0.1:8086")
	case u.User != nil:
		return errors.New("influx URL: contains credentials; move them to the token, user:password for 1.8")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("influx URL %q: use one like http://127.0.0.1:8086", text)
	}

	return nil
}

// Format prints the Config without its token.
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config // has no Format method, so printing it does not recurse
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

// Open connects to the server and checks the credentials, the database and the measurement. The returned function
// closes the client, unless the Config supplied it.
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
		return nil, nil, translate("open", "", errors.New("the server URL of the client is not a URL"))
	}

	s := &Store{
		client: client, queryURL: u.String(), host: u.Host, layout: newLayout(cfg),
		database: cfg.Database, retention: cfg.RetentionPolicy, org: cfg.Org, bucket: cfg.Bucket,
		compress: cfg.Compress, batchSize: cfg.BatchSize, chunkSize: cfg.ChunkSize, maxResponse: cfg.MaxResponseBytes,
		slow: cfg.SlowQuery, log: cfg.Logger,
	}
	if cfg.CreateOnOpen {
		err = s.execute(ctx, createDatabase(cfg.Database))
	}
	if err == nil {
		err = s.checkSchema(ctx)
	}
	if err != nil {
		closeClient()
		return nil, nil, translate("open", cfg.Database, err)
	}

	return s, closeClient, nil
}

// newClient returns a client and the function that closes it. The HTTP client has no total timeout, because that would
// cut a long body: the deadline of the context ends a call. It follows no redirect, because a redirect could send the
// token to another host.
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
		Transport:     errorBodyLimiter{next: transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := influxdb2.DefaultOptions().
		SetApplicationName("marketdata").SetHTTPClient(httpClient).SetUseGZip(cfg.Compress)
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

// logSlow logs a call that took at least the configured duration.
func (s *Store) logSlow(ctx context.Context, op operation, took time.Duration, rows int) {
	if took >= s.slow {
		s.log.WarnContext(ctx, "slow query",
			"store", Name, "op", op.name, "subject", op.subject, "took", took, "rows", rows)
	}
}
