// Package influx stores bars in InfluxDB 1.8 and 2.x: the time-series store, for frequencies below an hour.
//
// The official client connects and writes. Reads use InfluxQL with responses in msgpack, which this package decodes
// into columns, because the client's record reader cannot prove that a response is complete. Coverage, versions,
// trades, quotes and metadata do not belong here: the relational store has them. A ledger.Ledger makes writes atomic
// and proves that reads are whole. Retries belong to the caller; this package retries only to hide how InfluxDB makes a
// write visible.
//
// # Layout
//
// One measurement has all bars:
//
//	tags     symbol, kind (the price type), grid
//	floats   open, high, low, close, volume
//	integer  trades
//	string   exact: empty, or the five numbers as text if one of them does not survive a float
//
// Bars that other programs write can be read through [Existing]. A second measurement, with the suffix _identity, has
// one point with the identity of the database.
//
// # Torn reads
//
// InfluxDB makes a write visible field by field, so a reader can meet two kinds of torn bars. A bar with missing fields
// is read again after a pause, and is corrupt only if it stays incomplete. A bar that is being overwritten has all its
// fields at any moment, but may have fields of two versions, and nothing in the bar tells. The ledger tells: the range
// of a write is uncovered before the first request that changes a bar, and a reader compares the hash of the covered
// bars of a block (TestReadWhileOverwritten). A reader without a ledger, as of an existing layout, may meet a bar with
// fields of two versions while another program overwrites it.
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
	"sync/atomic"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx/influxconfig"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// Name is the name of the store in errors and in the provenance of bars.
const Name = "influx"

// Config configures a Store.
type Config = influxconfig.Config

// Existing describes bars that another program writes.
type Existing = influxconfig.Existing

// Store reads and writes bars in one measurement. It is safe for concurrent use.
type Store struct {
	client   influxdb2.Client
	queryURL string
	host     string
	user     string // of 1.8; "" if the client's caller knows it
	layout   layout

	database, retention string
	org, bucket         string
	compress            bool
	batchSize           int
	chunkSize           int
	maxResponse         int64

	plaintext   tlsconfig.Plaintext
	isAnonymous bool // no token is configured; false on the caller's client

	slow time.Duration
	log  *slog.Logger

	isChecked atomic.Bool            // checkSchema succeeded
	version   atomic.Pointer[string] // of the server, in its last response; nil before one
}

var (
	_ ports.Store = (*Store)(nil)

	_ ledger.NontransactionalStore = (*Store)(nil)

	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.HealthChecker = (*Store)(nil)
)

// Open connects to the server and checks the credentials, the database and the measurement, unless Config.Lazy leaves
// that to the first use. The returned function closes the connections.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	err := cfg.Validate()
	if cfg.URL == "" {
		err = errors.Join(fmt.Errorf("url: missing; use one like http://127.0.0.1:8086: %w", domain.ErrInvalid), err)
	}
	if err != nil {
		return nil, nil, translate("open", "", err)
	}

	trusted, err := tlsconfig.Load(tlsconfig.Files{CA: cfg.CAFile, Cert: cfg.CertFile, Key: cfg.KeyFile})
	if err != nil {
		return nil, nil, translate("open", "", err)
	}

	client, closeClient := newClient(cfg, trusted)
	s, err := newStore(ctx, client, cfg)
	if err != nil {
		closeClient()
		return nil, nil, err
	}

	return s, closeClient, nil
}

// New returns a Store on the caller's client and checks the credentials, the database and the measurement. URL, Token,
// the files and Compress are not used. The caller closes the client. Its precision must be nanoseconds, the default.
// Its HTTP client should have no timeout, because a timeout would cut long reads.
func New(ctx context.Context, client influxdb2.Client, cfg Config) (*Store, error) {
	cfg.URL, cfg.Compress = "", false
	err := cfg.Validate()
	if precision := client.Options().Precision(); precision != time.Nanosecond {
		wrong := fmt.Errorf("client: the precision is %s; it must be 1ns: %w", precision, domain.ErrInvalid)
		err = errors.Join(wrong, err)
	}
	if err != nil {
		return nil, translate("open", "", err)
	}

	return newStore(ctx, client, cfg)
}

// newStore returns a Store on the client, after it has checked the server.
func newStore(ctx context.Context, client influxdb2.Client, cfg Config) (*Store, error) {
	cfg = cfg.WithDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(strings.TrimSuffix(client.ServerURL(), "/") + "/query")
	if err != nil {
		return nil, translate("open", "", errors.New("the server URL of the client is not a URL"))
	}

	plaintext := plaintextOf(u)
	if err := plaintext.Check(cfg.RequireTLS, cfg.Logger); err != nil {
		return nil, translate("open", "", err)
	}

	s := &Store{
		client: client, queryURL: u.String(), host: u.Host, layout: newLayout(cfg),
		database: cfg.Database, retention: cfg.RetentionPolicy, org: cfg.Org, bucket: bucket(cfg),
		compress: cfg.Compress, batchSize: cfg.BatchSize, chunkSize: cfg.ChunkSize, maxResponse: cfg.MaxResponseBytes,
		plaintext: plaintext, user: userOf(cfg),
		isAnonymous: cfg.URL != "" && cfg.Token.Reveal() == "" && cfg.TokenFile == "",
		slow:        cfg.SlowQuery, log: cfg.Logger,
	}
	if cfg.Lazy {
		return s, nil
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, translate("open", cfg.Database, err)
	}

	return s, nil
}

// plaintextOf returns the connections to the server that are not encrypted.
func plaintextOf(u *url.URL) tlsconfig.Plaintext {
	if u.Scheme == "https" {
		return tlsconfig.Plaintext{}
	}
	return tlsconfig.NewPlaintext(Name, "use an https:// URL in MARKETDATA_INFLUX_URL (influx.url)", u.Hostname())
}

// bucket returns the bucket for writes, by default the name that 1.8 has for a database and its retention policy.
func bucket(cfg Config) string {
	switch {
	case cfg.Bucket != "":
		return cfg.Bucket
	case cfg.RetentionPolicy != "":
		return cfg.Database + "/" + cfg.RetentionPolicy
	}

	return cfg.Database
}

// newClient returns a client and the function that closes it. The HTTP client has no total timeout, because that would
// cut a long body: the deadline of the context ends a call. It follows no redirect, because a redirect could send the
// token to another host.
func newClient(cfg Config, trusted *tls.Config) (influxdb2.Client, func()) {
	return newClientOn((&net.Dialer{Timeout: connectTimeout}).DialContext, cfg, trusted)
}

// dialFunc connects to an address, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newClientOn is newClient with the connections that dial makes.
func newClientOn(dial dialFunc, cfg Config, trusted *tls.Config) (influxdb2.Client, func()) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		TLSClientConfig:     trusted,
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: maxIdleConnections,
		IdleConnTimeout:     idleTimeout,

		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	var next http.RoundTripper = transport
	if cfg.TokenFile != "" {
		next = tokenReader{path: cfg.TokenFile, next: transport}
	}
	httpClient := &http.Client{
		Transport:     errorBodyLimiter{next: next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := influxdb2.DefaultOptions().
		SetApplicationName("marketdata").SetHTTPClient(httpClient).SetUseGZip(cfg.Compress)
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(), options)

	return client, func() {
		client.Close()
		transport.CloseIdleConnections()
	}
}

const (
	connectTimeout     = time.Second
	idleTimeout        = 90 * time.Second
	maxIdleConnections = 16
	maxHeaderBytes     = 1 << 20
)

// logSlow logs a call that took at least the configured duration.
func (s *Store) logSlow(ctx context.Context, op operation, took time.Duration, rows int) {
	if took >= s.slow {
		s.log.WarnContext(ctx, "slow query",
			"store", Name, "op", op.name, "subject", op.subject, "took", took, "rows", rows)
	}
}
