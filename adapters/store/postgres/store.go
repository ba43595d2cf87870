package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres/pgconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is the store's name in errors and reports.
const Name = "postgres"

// Config configures a Store.
type Config = pgconfig.Config

// checkDSN returns an error if the DSN is missing or cannot be parsed. It does not repeat the DSN, nor the driver's
// error, which may quote it.
func checkDSN(cfg Config) error {
	const example = "give one like postgres://user@host/database"
	if cfg.DSN.Reveal() == "" {
		return fmt.Errorf("dsn: empty; %s: %w", example, domain.ErrInvalid)
	}
	c, err := pgxpool.ParseConfig(cfg.DSN.Reveal())
	if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(cause.Error(), "unable to ") {
		return fmt.Errorf("dsn: %w: %w", cause, domain.ErrInvalid) // about the file of a certificate or of a service
	}
	if err != nil {
		return fmt.Errorf("dsn: cannot be parsed; %s: %w", example, domain.ErrInvalid)
	}

	// As libpq, the driver takes the fragment of a URL for a part of the name before it, which messages show.
	d := describe(c.ConnConfig)
	isURL := strings.HasPrefix(cfg.DSN.Reveal(), "postgres://") || strings.HasPrefix(cfg.DSN.Reveal(), "postgresql://")
	if isURL && strings.Contains(cfg.DSN.Reveal(), "#") && strings.Contains(d.Address+d.Database+d.User, "#") {
		return fmt.Errorf("dsn: it has a #; a URL of PostgreSQL has no fragment, and a # in a name is written %%23: %w",
			domain.ErrInvalid)
	}

	return nil
}

// Store reads and writes one database through a pool of connections. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	bun  *bun.DB // uses the pool; builds SQL text only
	cfg  Config  // defaults filled in, without the DSN

	network *network // of an own pool; nil for a caller's pool

	lookups     lookups
	lockTimeout time.Duration // lockTimeout, except in tests

	known   atomic.Pointer[relations]          // nil until they are known
	details atomic.Pointer[ports.StoreDetails] // from the server; nil before a check
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.SymbolWriter  = (*Store)(nil)
	_ ports.TickStore     = (*Store)(nil)
	_ ports.HealthChecker = (*Store)(nil)
)

const opOpen = "open"

// Open connects to the server and, if cfg.MigrateOnOpen is set, applies the migrations. The returned function closes
// the pool. It waits 800 ms for running calls; those that are left fail, because it then breaks their connections.
//
// Errors are ports.ErrUnavailable for a server that cannot be reached, ports.ErrAuth for refused credentials or
// certificates, and ports.ErrSchema for a server whose settings would change the meaning of text. Without MigrateOnOpen
// the tables are not checked; Check does that.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	if err := errors.Join(checkDSN(cfg), cfg.Validate()); err != nil {
		return nil, nil, translate(ctx, opOpen, "", err)
	}

	cfg = cfg.WithDefaults()
	pool, network, err := newPool(ctx, cfg)
	if err != nil {
		return nil, nil, translate(ctx, opOpen, "", err)
	}

	s, closeBun, err := New(pool, cfg)
	if err != nil {
		network.close(pool)
		return nil, nil, err
	}

	s.network = network
	closeAll := func() {
		closeBun()
		network.close(pool)
	}
	if err := s.prepare(ctx); err != nil {
		closeAll()
		return nil, nil, err
	}

	return s, closeAll, nil
}

// OpenPool is Open on the caller's pool, as New makes it. It connects, and refuses sessions whose settings change the
// meaning of text with ErrSchema, as well as sessions that a row-level security policy of our tables hides rows from,
// because hidden bars would read as bars that do not exist.
func OpenPool(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Store, func(), error) {
	s, closeStore, err := New(pool, cfg)
	if err != nil {
		return nil, nil, err
	}

	err = plaintextOf(pool.Config().ConnConfig).Check(cfg.RequireTLS, cfg.Logger)
	if err == nil {
		err = s.withConn(ctx, opOpen, func(db session) error { return checkCallersSession(ctx, db.conn) })
	}
	if err = translate(ctx, opOpen, "", err); err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		closeStore()
		return nil, nil, err
	}

	return s, closeStore, nil
}

// prepare connects, and makes the schema if the configuration says so.
func (s *Store) prepare(ctx context.Context) error {
	if _, err := s.relations(ctx); err != nil {
		return translate(ctx, opOpen, "", err)
	}
	if !s.cfg.MigrateOnOpen {
		return nil
	}

	return s.Migrate(ctx)
}

// New returns a Store on the caller's pool, with the pool's own settings; DSN, MinConns, MaxConns and MigrateOnOpen are
// not used. It does no I/O. The caller closes the pool, after the returned function has released the store's resources.
func New(pool *pgxpool.Pool, cfg Config) (*Store, func(), error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, &ports.Error{Kind: ports.ErrInvalid, Op: opOpen, Store: Name, Err: err}
	}

	cfg = cfg.WithDefaults()
	if cfg.TraceConnections && cfg.Traceparent == nil {
		return nil, nil, &ports.Error{Kind: ports.ErrInvalid, Op: opOpen, Store: Name, Err: errNoTraceparent}
	}

	cfg.DSN = secret.Secret{} // the pool keeps it
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}

	db := stdlib.OpenDBFromPool(pool)
	s := &Store{pool: pool, bun: bun.NewDB(db, pgdialect.New()), cfg: cfg, lockTimeout: lockTimeout}

	return s, func() {
		if err := db.Close(); err != nil {
			cfg.Logger.Error("closing bun's handle of the postgres pool", "error", err)
		}
	}, nil
}

// newPool returns a pool with the limits of cfg, and its network. It does no I/O: the pool connects in the background
// and on demand.
func newPool(ctx context.Context, cfg Config) (*pgxpool.Pool, *network, error) {
	c, err := pgxpool.ParseConfig(cfg.DSN.Reveal())
	if err != nil {
		return nil, nil, err
	}

	if err := plaintextOf(c.ConnConfig).Check(cfg.RequireTLS, cfg.Logger); err != nil {
		return nil, nil, err
	}

	c.MinConns, c.MaxConns = int32(cfg.MinConns), int32(cfg.MaxConns)
	c.MaxConnLifetime, c.MaxConnLifetimeJitter, c.MaxConnIdleTime = 30*time.Minute, 3*time.Minute, 5*time.Minute
	c.PingTimeout = cfg.AcquireTimeout
	c.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	// bun may write values into the text, and preparing such statements would cache one for each value. Statements of
	// query.go request preparation themselves.
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	for name, value := range map[string]string{
		"application_name":  "marketdata",
		"statement_timeout": fmt.Sprint(cfg.StatementTimeout.Milliseconds()),
		"TimeZone":          "UTC",
		// A read has one good plan, by the primary key, because planning a short read costs more than running it.
		"plan_cache_mode": "force_generic_plan",
		// A table that fits a few pages is searched through its key too, because the pages are in memory.
		"random_page_cost": "1.1",
		// Compiling a statement takes longer than running it, because ours compute almost nothing.
		"jit": "off",
		// A read that a row-level security policy would filter fails, because a hidden bar must not read as a bar that
		// does not exist.
		"row_security": "off",
	} {
		if _, isSet := c.ConnConfig.RuntimeParams[name]; !isSet {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}

	network := newNetwork(c.ConnConfig.DialFunc)
	c.ConnConfig.DialFunc, c.ShouldPing = network.connect, network.shouldPing
	c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &cancelHandler{conn: conn}
	}
	if cfg.PasswordFile != "" {
		c.BeforeConnect = readPasswordFile(cfg.PasswordFile)
	}
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
		defer cancel()
		network.connected.Store(true)

		return checkSession(ctx, conn)
	}

	pool, err := pgxpool.NewWithConfig(ctx, c)

	return pool, network, err
}

// sessionSettings are the settings of a session that the decoders, the text that bun writes and the completeness of
// reads depend on.
type sessionSettings struct{ quoting, encoding, zone, rowSecurity string }

func readSettings(ctx context.Context, conn *pgx.Conn) (s sessionSettings, err error) {
	row := conn.QueryRow(ctx, label(opOpen, selectSessionSettings))
	return s, row.Scan(&s.quoting, &s.encoding, &s.zone, &s.rowSecurity)
}

// checkText refuses settings that would change the meaning of text, with a *settingError.
func (s sessionSettings) checkText() error {
	if s.quoting != "on" {
		return &settingError{"standard_conforming_strings", s.quoting, "on"}
	}
	if s.encoding != "UTF8" {
		return &settingError{"client_encoding", s.encoding, "UTF8"}
	}

	return nil
}

// checkSession refuses a session of an own pool whose settings would change the meaning of text or hide rows, with a
// *settingError.
func checkSession(ctx context.Context, conn *pgx.Conn) error {
	s, err := readSettings(ctx, conn)
	if err == nil {
		err = s.checkText()
	}

	switch {
	case err != nil:
		return err
	case s.zone != "UTC":
		return &settingError{"TimeZone", s.zone, "UTC"}
	case s.rowSecurity != "off":
		return &settingError{"row_security", s.rowSecurity, "off"}
	}

	return nil
}

// checkCallersSession refuses a session of a caller's pool whose settings would change the meaning of text, or hide
// rows of our tables, with a *settingError. No statement depends on its time zone.
func checkCallersSession(ctx context.Context, conn *pgx.Conn) error {
	s, err := readSettings(ctx, conn)
	if err == nil {
		err = s.checkText()
	}
	if err != nil || s.rowSecurity == "off" {
		return err
	}

	var hides bool
	if err := conn.QueryRow(ctx, label(opOpen, selectHidesRows)).Scan(&hides); err != nil || !hides {
		return err
	}

	return &settingError{"row_security", s.rowSecurity, "off"}
}

// settingError reports a session setting that this store cannot work with.
type settingError struct{ name, value, want string }

// Error names the setting, its value and the required value.
func (e *settingError) Error() string {
	return fmt.Sprintf("session setting %s is %q, must be %q; set it for the role, the database or in the DSN",
		e.name, e.value, e.want)
}

// withConn calls f with a session of the operation on a connection of the pool, which f must not keep. It ends a
// transaction that f leaves open.
func (s *Store) withConn(ctx context.Context, op string, f func(db session) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return s.withConnectRemedy(err)
	}

	defer conn.Release()
	db := session{store: s, conn: conn.Conn(), op: op, trace: s.traceOf(ctx)}
	err = f(db)
	db.endTransaction(ctx)
	db.forgetStatements(ctx, err)
	if s.network != nil && db.conn.IsClosed() {
		s.network.noteLoss()
	}

	return db.withRemedy(ctx, err)
}

// acquire is acquireOnce, repeated for rotationLimit while the password may be between its file and the server.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	for began := time.Now(); ; {
		conn, err := s.acquireOnce(ctx)
		if !s.mayBeRotating(err) || time.Since(began) > rotationLimit {
			return conn, err
		}

		select {
		case <-time.After(rotationPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// mayBeRotating reports whether the password of a file cannot be read, or the server refused it, after it accepted one.
func (s *Store) mayBeRotating(err error) bool {
	if s.cfg.PasswordFile == "" || s.network == nil || !s.network.connected.Load() {
		return false
	}

	server, isAnswer := errors.AsType[*pgconn.PgError](err)
	_, isUnread := errors.AsType[*secret.FileError](err)

	return isUnread || isAnswer && server.Code == invalidPassword
}

// acquireOnce returns a connection of the pool, to be released. A wait for a connection that other calls use is limited
// by AcquireTimeout and fails with ports.ErrOverloaded, because the calls are too many; a wait for a new connection is
// limited by ConnectTimeout more and fails with ports.ErrTimeout, because the server is slow.
func (s *Store) acquireOnce(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	acquireCtx, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(acquireCtx)
	if err == nil || ctx.Err() != nil || acquireCtx.Err() == nil {
		return conn, withPhase(ports.PhaseAcquire, err)
	}
	if stat := s.pool.Stat(); stat.ConstructingConns() == 0 && stat.AcquiredConns() >= stat.MaxConns() {
		return nil, &limitError{ports.ErrOverloaded, ports.PhaseAcquire, fmt.Errorf(
			"all %d connections of the pool were in use for %s: %w", stat.MaxConns(), s.cfg.AcquireTimeout, err)}
	}

	connectCtx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	conn, err = s.pool.Acquire(connectCtx)
	if err == nil || ctx.Err() != nil || connectCtx.Err() == nil {
		return conn, withPhase(ports.PhaseConnect, err)
	}

	return nil, &limitError{ports.ErrTimeout, ports.PhaseConnect,
		fmt.Errorf("no connection within %s: %w", s.cfg.AcquireTimeout+s.cfg.ConnectTimeout, err)}
}

// withTimeout returns a context for one statement, limited on this side too, because a server that hangs does not
// enforce its statement_timeout.
func (s *Store) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	const grace = time.Second // the server's own error says more, so it must come first
	limit := s.cfg.StatementTimeout + grace
	cause := fmt.Errorf("no response within %s, the store's statement timeout", limit)
	return context.WithTimeoutCause(ctx, limit, cause)
}

// timeoutCause adds the store's own timeout to err if it, and not the caller's ctx, ended the statement. stmtCtx is
// from withTimeout.
func timeoutCause(ctx, stmtCtx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(stmtCtx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(stmtCtx), err)
	}
	return err
}

// PoolStats returns the current use of the pool and the waits since it was created.
func (s *Store) PoolStats() ports.PoolStats {
	stat := s.pool.Stat()
	return ports.PoolStats{
		InUse: int(stat.AcquiredConns()), Idle: int(stat.IdleConns()), Max: int(stat.MaxConns()),
		Waits: stat.EmptyAcquireCount(), WaitTime: stat.EmptyAcquireWaitTime(),
	}
}

// logSlow logs a call that took SlowQuery or longer. Logs may name the symbol, because it is data there and not the
// label of a metric.
func (s *Store) logSlow(ctx context.Context, op, subject string, took time.Duration, rows int) {
	if took >= s.cfg.SlowQuery {
		s.cfg.Logger.WarnContext(ctx, "slow query",
			"store", Name, "op", op, "subject", subject, "took", took, "rows", rows)
	}
}

// Local reports false, because calls of the store wait for input and output.
func (s *Store) Local() bool { return false }
