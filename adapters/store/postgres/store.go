// Package postgres keeps bars, trades, quotes, their extents and the symbol catalog in PostgreSQL 14 or later, by pgx and bun on one
// pool of connections. It knows no other store and decides nothing about the data it keeps.
//
// What the files hold: store.go opening, the pool and its limits; schema.go and migrations/ the tables; query.go SQL text; read.go,
// batch.go, write.go, ticks.go, coverage.go and catalog.go the ports; notices.go invalidations by LISTEN and NOTIFY; explain.go and
// advice.go the server's plans; numeric.go and binary.go the binary protocol; translate.go errors.
//
// All tables are in the schema marketdata. Three roles are enough to run with: a migrator, who owns them; an importer, who is granted
// USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its tables, TEMPORARY on the database, and EXECUTE on
// ensure_partitions(text, timestamptz[]); and a reader, who is granted USAGE and SELECT. Grants on the tables named in
// migrations/ are enough: partitions are reached through them.
//
// Tables that a deployment has already are read through views that stand in the places of symbols, bars and extents, with the same
// columns: for extents, the range from the first bar to the end of the last, marked assumed. testdata/existing_tables.sql is a whole
// example.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is the store's name in errors and reports.
const Name = "postgres"

// Config says which server and within which limits. It never prints its DSN.
type Config struct {
	// DSN is a postgres:// URL or a list of keyword=value, as libpq reads them. It holds a password, and appears in no error or log.
	// New ignores it.
	DSN string

	// MinConns and MaxConns bound the pool. Default to 5 and 20. A read holds one connection until it ends, so MaxConns is also how
	// many sequences can be read by turns. New ignores both.
	MinConns, MaxConns int

	// AcquireTimeout is how long a call waits for a connection of a busy pool before it is ErrOverloaded. Defaults to 250 ms.
	AcquireTimeout time.Duration

	// ConnectTimeout is how long a new connection may take. Defaults to 1 s.
	ConnectTimeout time.Duration

	// StatementTimeout is how long one statement may take, of which a write has a few a batch. A read is one statement, and the
	// time that its consumer takes between pieces counts. Defaults to 30 s.
	StatementTimeout time.Duration

	// SlowQuery is from how long on a call is logged as slow, the time of its consumer not counted. Defaults to 5 s.
	SlowQuery time.Duration

	// BatchRows is how many rows are staged before they are merged into their table. A write is one transaction whatever their
	// number. Defaults to 10,000.
	BatchRows int

	// MigrateOnOpen brings the tables up to this version in Open, which needs the rights to do so.
	MigrateOnOpen bool

	// Logger hears of slow calls. Defaults to one that discards.
	Logger *slog.Logger
}

// String names what is not secret.
func (c Config) String() string {
	return fmt.Sprintf("postgres, %d to %d connections", c.MinConns, c.MaxConns)
}

// GoString is String: %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, domain.ErrInvalid)...))
	}
	c = c.withDefaults()
	if c.DSN == "" {
		fault("dsn: empty; give one like postgres://user@host/database")
	} else if _, err := pgxpool.ParseConfig(c.DSN); err != nil {
		fault("dsn: not one that libpq understands; give one like postgres://user@host/database") // err may repeat it
	}

	if c.MinConns < 0 || c.MaxConns < c.MinConns {
		fault("connections: %d to %d; the pool needs 0 <= min <= max", c.MinConns, c.MaxConns)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"acquire timeout", c.AcquireTimeout}, {"connect timeout", c.ConnectTimeout},
		{"statement timeout", c.StatementTimeout}, {"slow query", c.SlowQuery},
	} {
		if d.value < time.Millisecond {
			fault("%s: %s; at least a millisecond", d.name, d.value)
		}
	}

	if c.BatchRows < 1 {
		fault("batch rows: %d; at least 1", c.BatchRows)
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.AcquireTimeout, 250*time.Millisecond)
	set(&c.ConnectTimeout, time.Second)
	set(&c.StatementTimeout, 30*time.Second)
	set(&c.SlowQuery, 5*time.Second)
	if c.MaxConns == 0 {
		c.MaxConns = max(20, c.MinConns)
	}
	if c.MinConns == 0 {
		c.MinConns = min(5, c.MaxConns)
	}
	if c.BatchRows == 0 {
		c.BatchRows = 10_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	return c
}

// Store is a pool of connections to one database. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	bun  *bun.DB // on the same pool; it builds text, values are bound
	cfg  Config
}

var (
	_ ports.Store          = (*Store)(nil)
	_ ports.SymbolCatalog  = (*Store)(nil)
	_ ports.SymbolWriter   = (*Store)(nil)
	_ ports.TickStore      = (*Store)(nil)
	_ ports.CoverageWriter = (*Store)(nil)
	_ ports.HealthChecker  = (*Store)(nil)
)

// Open connects and, where configured, migrates. The function returned closes the pool; it waits for calls that still run.
//
// A server that does not answer is ErrUnavailable, refused credentials or certificates ErrAuth, a server whose settings would change
// the meaning of text ErrSchema. The tables are not looked at unless MigrateOnOpen is set; Check does that.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	const op = "open"
	if err := cfg.Validate(); err != nil {
		return nil, nil, translate(ctx, op, "", err)
	}

	cfg = cfg.withDefaults()
	pool, err := newPool(ctx, cfg)
	if err != nil {
		return nil, nil, translate(ctx, op, "", err)
	}

	s, closeBun, err := New(pool, cfg)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}

	closeAll := func() {
		closeBun()
		pool.Close()
	}
	if err := s.withConn(ctx, func(*pgx.Conn) error { return nil }); err != nil {
		closeAll()
		return nil, nil, translate(ctx, op, "", err)
	}

	if cfg.MigrateOnOpen {
		if err := s.Migrate(ctx); err != nil {
			closeAll()
			return nil, nil, err
		}
	}

	return s, closeAll, nil
}

// New returns a store on a pool that is the caller's: it is used and not closed, and its own settings hold. The function returned
// frees what the store made beside it.
func New(pool *pgxpool.Pool, cfg Config) (*Store, func(), error) {
	cfg.DSN = pool.Config().ConnString()
	if err := cfg.Validate(); err != nil {
		return nil, nil, &ports.Error{Kind: ports.ErrInvalid, Op: "open", Store: Name, Err: err}
	}

	cfg = cfg.withDefaults()
	cfg.DSN = "" // the pool has it
	db := stdlib.OpenDBFromPool(pool)
	s := &Store{pool: pool, bun: bun.NewDB(db, pgdialect.New()), cfg: cfg}
	return s, func() {
		if err := db.Close(); err != nil {
			cfg.Logger.Error("closing bun's side of the postgres pool", "error", err)
		}
	}, nil
}

// connect makes the pool; it does no I/O yet.
func newPool(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, err
	}

	c.MinConns, c.MaxConns = int32(cfg.MinConns), int32(cfg.MaxConns)
	c.MaxConnLifetime, c.MaxConnLifetimeJitter, c.MaxConnIdleTime = 30*time.Minute, 3*time.Minute, 5*time.Minute
	c.PingTimeout = cfg.AcquireTimeout
	c.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	// bun writes values into the text: prepared, every query would be a statement of its own. Our own queries ask to be prepared.
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	for name, value := range map[string]string{
		"application_name":  "marketdata",
		"statement_timeout": fmt.Sprint(cfg.StatementTimeout.Milliseconds()),
		"TimeZone":          "UTC",
		// Our reads have one good plan, by the key's index; to plan each anew costs more than a short one takes.
		"plan_cache_mode": "force_generic_plan",
		// They compute next to nothing: to compile them takes longer than to run them.
		"jit": "off",
	} {
		if _, given := c.ConnConfig.RuntimeParams[name]; !given {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}

	// By default a cancelled call closes its connection, so that a few timeouts become a storm of new ones.
	c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	c.AfterConnect = checkSession
	return pgxpool.NewWithConfig(ctx, c)
}

// assertSettings refuses a server that would read text in another way than it was written.
func checkSession(ctx context.Context, conn *pgx.Conn) error {
	var quoting, encoding, zone string
	if err := conn.QueryRow(ctx, selectSessionSettings).Scan(&quoting, &encoding, &zone); err != nil {
		return err
	}

	for _, s := range []struct{ name, value, want string }{
		{"standard_conforming_strings", quoting, "on"}, {"client_encoding", encoding, "UTF8"}, {"TimeZone", zone, "UTC"},
	} {
		if s.value != s.want {
			return &settingError{s.name, s.value, s.want}
		}
	}

	return nil
}

// settingError says that the server's session is not the one expected.
type settingError struct{ name, value, want string }

func (e *settingError) Error() string {
	return fmt.Sprintf("the session's %s is %q, and has to be %q", e.name, e.value, e.want)
}

// withConn runs f on a connection of the pool.
func (s *Store) withConn(ctx context.Context, f func(conn *pgx.Conn) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}

	defer conn.Release()
	return f(conn.Conn())
}

// acquire takes a connection of the pool. One that is busy has AcquireTimeout to give one back, while a new connection has
// ConnectTimeout to come up: they are told apart, since the first says that we ask too much and the second that the server is ill.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	waiting, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return conn, withPhase(ports.PhaseAcquire, err)
	}
	if stat := s.pool.Stat(); stat.ConstructingConns() == 0 && stat.AcquiredConns() >= stat.MaxConns() {
		return nil, &limitError{ports.ErrOverloaded, ports.PhaseAcquire, fmt.Errorf(
			"all %d connections of the pool were busy for %s: %w", stat.MaxConns(), s.cfg.AcquireTimeout, err)}
	}

	connecting, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	conn, err = s.pool.Acquire(connecting)
	if err == nil || ctx.Err() != nil || connecting.Err() == nil {
		return conn, withPhase(ports.PhaseConnect, err)
	}

	return nil, &limitError{ports.ErrTimeout, ports.PhaseConnect,
		fmt.Errorf("no connection within %s: %w", s.cfg.AcquireTimeout+s.cfg.ConnectTimeout, err)}
}

// limited bounds a statement on our side too: a server that hangs does not keep its own limit.
func (s *Store) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	const grace = time.Second // the server, which knows more, answers first
	limit := s.cfg.StatementTimeout + grace
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s, the store's own limit", limit))
}

// Check asks the server for the columns that reads need, and for no row.
func (s *Store) Check(ctx context.Context) error {
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := s.withTimeout(ctx)
		defer cancel()
		_, err := conn.Exec(ctx, checkSchema, pgx.QueryExecModeCacheStatement)
		return withPhase(ports.PhaseQuery, err)
	})
	return translate(ctx, "check", "", err)
}

// PoolStats is the state of the pool.
type PoolStats struct {
	InUse, Idle, Max int
	Waited           int64         // how often a call had to wait for a connection
	WaitTime         time.Duration // how long, all in all
}

// PoolStats tells how busy the pool is.
func (s *Store) PoolStats() PoolStats {
	stat := s.pool.Stat()
	return PoolStats{
		InUse: int(stat.AcquiredConns()), Idle: int(stat.IdleConns()), Max: int(stat.MaxConns()),
		Waited: stat.EmptyAcquireCount(), WaitTime: stat.EmptyAcquireWaitTime(),
	}
}

// logSlow logs a call that took long. The symbol is data, not a label, so it may be named here.
func (s *Store) logSlow(ctx context.Context, op, subject string, took time.Duration, rows int) {
	if took >= s.cfg.SlowQuery {
		s.cfg.Logger.WarnContext(ctx, "slow query", "store", Name, "op", op, "subject", subject, "took", took, "rows", rows)
	}
}
