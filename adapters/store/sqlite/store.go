// Package sqlite keeps bars, trades and quotes, their extents and the symbol catalog in one SQLite file, by modernc.org/sqlite, without cgo: the
// embedded default. There is no server; other processes may read the file, or write it in their turn, while this one does.
//
// What the files hold: store.go opening and closing; schema.go the models and versions of the tables; query.go all SQL text; read.go,
// write.go, ticks.go, coverage.go and catalog.go the ports; chunks.go and compare.go how bars get into chunks; translate.go errors. Nothing here knows another store or decides anything about
// the data it keeps.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is the store's name in errors and reports.
const Name = "sqlite"

// idleReaders is how many connections for reading stay open between reads. There is no upper bound on those in use: whoever
// merges many series reads them all at once, and would wait for himself.
const idleReaders = 8

// Config says which file and where to log.
type Config struct {
	// Path of the database file. It is made where it is missing; its directory is not. The file, and the -wal and -shm files that
	// SQLite keeps beside it, must be on a local disk. ":memory:" is refused: the memory store does that, faster.
	Path string

	// Logger hears what closing reports. Defaults to one that discards.
	Logger *slog.Logger
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	switch {
	case c.Path == "":
		faults = append(faults, fmt.Errorf("path: empty; name a file like market.db: %w", domain.ErrInvalid))
	case c.Path == ":memory:":
		faults = append(faults, fmt.Errorf("path %q: name a file, or use the memory store: %w", c.Path, domain.ErrInvalid))
	case strings.HasPrefix(c.Path, "file:"):
		faults = append(faults, fmt.Errorf("path %q: give the plain path of a file, not a URI: %w", c.Path, domain.ErrInvalid))
	case strings.ContainsRune(c.Path, 0):
		faults = append(faults, fmt.Errorf("path %q: holds a zero byte: %w", c.Path, domain.ErrInvalid))
	}

	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Store is an open SQLite file. It is safe for concurrent use: reads run side by side and beside the one write, each on the state
// that the last write before it left; writes, of this process and of others, take turns.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer, and waiting here obeys the context
	read  *sql.DB // cannot write

	chunks, lastChunks *sql.Stmt // of read
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.SymbolWriter  = (*Store)(nil)
	_ ports.TickStore     = (*Store)(nil)
)

// Open opens the file, makes it where it is missing, and brings its tables up to this version. The function returned closes it;
// calls still running then fail.
//
// A file that is not ours, or was written by a newer version, is ErrSchema; a missing directory ErrUnavailable; forbidden access
// ErrPermission.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	const op = "open"
	if err := cfg.Validate(); err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, err)
	}

	cfg = cfg.withDefaults()
	path, err := filepath.Abs(cfg.Path)
	if err == nil {
		err = probe(path)
	}
	if err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, err)
	}

	s := &Store{}
	if err := s.open(ctx, path); err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, errors.Join(err, s.close()))
	}

	return s, func() {
		if err := s.close(); err != nil {
			cfg.Logger.Error("closing the sqlite store", "path", cfg.Path, "error", err)
		}
	}, nil
}

// probe opens the file once, and so makes it: the operating system says what is wrong with a path, SQLite says only that it
// cannot open it.
func probe(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // as SQLite would; the umask takes away
	if err != nil {
		return err
	}

	return f.Close()
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	if s.write, err = connect(path, "_txlock=immediate&_pragma=page_size(16384)"); err != nil {
		return err
	}

	s.write.SetMaxOpenConns(1)
	if err = migrate(ctx, s.write); err != nil {
		return err
	}
	if s.read, err = connect(path, "_query_only=1"); err != nil {
		return err
	}

	s.read.SetMaxIdleConns(idleReaders)
	if s.chunks, err = s.read.PrepareContext(ctx, selectChunks); err != nil {
		return err
	}

	s.lastChunks, err = s.read.PrepareContext(ctx, selectLastChunks)
	return err
}

// connect makes a pool; it does no I/O yet.
//
// The write-ahead log lets readers and the writer work side by side. synchronous=FULL forces the log to disk with every commit, so
// that a write that returned outlives not only this process but a power cut; NORMAL would keep the file sound, but lose the last
// writes. 5 s is how long a write waits for that of another process.
//
// Pages of 16 KiB, of which a full chunk fills some three, cost less to walk than those of 4 KiB. Mapping the file into memory would
// save a copy that does not show beside the decoding, and turn an error of the disk into the end of the process.
func connect(path, options string) (*sql.DB, error) {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&" + options}
	connector, err := driver.NewConnector(name.String())
	if err != nil {
		return nil, err
	}

	return sql.OpenDB(connector), nil
}

// close closes what is open: the readers first, so that the writer, as the last, folds the log into the file.
func (s *Store) close() error {
	var faults []error
	for _, stmt := range []*sql.Stmt{s.chunks, s.lastChunks} {
		if stmt != nil {
			faults = append(faults, stmt.Close())
		}
	}

	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			faults = append(faults, db.Close())
		}
	}

	return errors.Join(faults...)
}

// Local reports false, because calls of the store wait for input and output.
func (s *Store) Local() bool { return false }
