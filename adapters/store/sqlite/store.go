// Package sqlite stores bars, trades, quotes, their coverage and the symbol catalog in one SQLite file, with
// modernc.org/sqlite and without cgo. It is the store of embedded programs. There is no server; other processes may
// read the file at any time and take turns with this one in writing it.
//
// The files of the package: store.go opens and closes the file; schema.go has the rows and versions of the tables;
// query.go has all SQL; read.go, write.go, ticks.go, aggregate.go, coverage.go, catalog.go and health.go implement the
// ports; chunks.go and compare.go write bars into chunks; statements.go runs SQL; translate.go converts errors. The
// package must not depend on another store or decide whether data is acceptable, because that is the task of app.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"

	"github.com/gal-friday/marketdata/adapters/store/sqlite/sqliteconfig"
	"github.com/gal-friday/marketdata/ports"
)

// Name is the name of the store in errors and reports.
const Name = "sqlite"

// idleReaders is the number of connections for reading that stay open when idle. The number of connections in use is
// not limited, because a caller that merges many series has all reads open at once and would deadlock.
const idleReaders = 8

// Config configures a Store.
type Config = sqliteconfig.Config

// Store is an open SQLite file. It is safe for concurrent use. Reads run concurrently with each other and with one
// write, each on a snapshot after the last committed write. Writes of this process and of others take turns.
type Store struct {
	writer *sql.DB // one connection: SQLite has one writer, and waiting for it respects the context; nil if read-only
	reader *sql.DB // cannot write
	path   string  // absolute
	frozen frozenFile

	coverageStmt, blocksStmt, lastBlocksStmt, chunksStmt, lastChunksStmt *sql.Stmt // of reader
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.SymbolWriter  = (*Store)(nil)
	_ ports.TickStore     = (*Store)(nil)
)

// Open opens the file, creates it if it does not exist, and migrates its tables to the current version. The returned
// function closes the store and makes running calls fail.
//
// A file that the user may read and not write is opened for reading, and every write returns ErrPermission. If nobody
// was writing it, no locks are taken: a read during which another process changes the file returns ErrUnavailable, and
// so does every later one.
//
// Open returns ErrSchema for a file of another program or of a newer version, or one that is read-only and of an older
// version; ErrUnavailable for a missing directory; and ErrPermission if the user may not read the file.
func Open(ctx context.Context, cfg Config) (*Store, func(), error) {
	const op = "open"
	if err := cfg.Validate(); err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, err)
	}

	cfg = cfg.WithDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}

	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, err)
	}

	s := &Store{path: path}
	open := s.open
	if err := ensureFile(path); isReadOnly(path, err) {
		open = s.openReadOnly
	} else if err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, err)
	}
	if err := open(ctx); err != nil {
		return nil, nil, translate(ctx, op, cfg.Path, errors.Join(err, s.close()))
	}

	return s, func() {
		if err := s.close(); err != nil {
			cfg.Logger.Error("close sqlite store", "path", cfg.Path, "error", err)
		}
	}, nil
}

// ensureFile creates the file unless it exists, and verifies that it can be written. SQLite would do the same, but the
// error of the operating system says why a file cannot be opened.
func ensureFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // the mode that SQLite uses
	if err != nil {
		return err
	}

	return f.Close()
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.writer, err = connect(s.path, "_txlock=immediate&_pragma=page_size(16384)&"+logOptions); err != nil {
		return err
	}

	s.writer.SetMaxOpenConns(1)
	if err = migrate(ctx, s.writer); err != nil {
		return err
	}

	return s.openReaders(ctx, "_query_only=1&"+logOptions)
}

// openReaders connects the readers and prepares their statements.
func (s *Store) openReaders(ctx context.Context, options string) (err error) {
	if s.reader, err = connect(s.path, options); err != nil {
		return err
	}

	s.reader.SetMaxIdleConns(idleReaders)
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.coverageStmt, selectCoverage}, {&s.blocksStmt, selectBlocks}, {&s.lastBlocksStmt, selectLastBlocks},
		{&s.chunksStmt, selectChunks}, {&s.lastChunksStmt, selectLastChunks},
	} {
		if *p.stmt, err = s.reader.PrepareContext(ctx, p.text); err != nil { //nolint:sqlclosecheck // s.close closes it
			return err
		}
	}

	return nil
}

// logOptions make a connection that may write use the write-ahead log.
//
// The write-ahead log lets readers and the writer work concurrently. synchronous=FULL syncs the log with every commit,
// so that a completed write survives not only a crash of the process but also a power failure. NORMAL would keep the
// file consistent but could lose the last writes.
const logOptions = "_journal_mode=WAL&_synchronous=FULL"

// connect returns a connection pool. It does no I/O. A write waits up to 5 s for the write of another process.
//
// Pages of 16 KiB, of which a full chunk fills about three, are faster to read than pages of 4 KiB. Memory-mapped I/O
// was rejected: the copy that it saves is negligible beside decoding, and a disk error would kill the process.
func connect(path, options string) (*sql.DB, error) {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	name := url.URL{
		Scheme: "file", Path: path,
		RawQuery: "_busy_timeout=5000&" + options,
	}
	connector, err := driver.NewConnector(name.String())
	if err != nil {
		return nil, err
	}

	return sql.OpenDB(connector), nil
}

// close closes the readers and then the writer, because the last connection to close copies the log into the file,
// which a reader may not do.
func (s *Store) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.coverageStmt, s.blocksStmt, s.lastBlocksStmt, s.chunksStmt, s.lastChunksStmt} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}

	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}

	return errors.Join(errs...)
}

// Local reports false, because calls of the store wait for input and output.
func (s *Store) Local() bool { return false }
