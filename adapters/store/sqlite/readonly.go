package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// A file that the user may not write is opened for reading. Nothing is created beside it, because a file of this user
// there could keep the owner from writing:
//
//   - with immutable=1 if no write-ahead log with content is beside it. SQLite then takes no locks, so every read
//     compares the file with the one that was opened (frozenFile).
//   - with mode=ro if there is one, through the shared index of the log: it sees the writes of others as every reader
//     does. A log that cannot be used is an error, because its writes would be missing.

// frozenFile is a file that must not change while it is open. The zero value is a file that may.
type frozenFile struct {
	path    string
	size    int64
	changed time.Time
}

func freeze(path string) (frozenFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return frozenFile{}, err
	}

	return frozenFile{path: path, size: info.Size(), changed: info.ModTime()}, nil
}

// check returns ErrUnavailable if the file was changed, or if another process began to write it.
func (f frozenFile) check() error {
	if f.path == "" {
		return nil
	}

	now, err := freeze(f.path)
	if err != nil {
		return err
	}
	if now.size != f.size || !now.changed.Equal(f.changed) || hasLog(f.path) {
		return fmt.Errorf("%w: another process changed the file, which was opened without locks; open it again",
			ports.ErrUnavailable)
	}

	return nil
}

// hasLog reports whether a write-ahead log with content is beside the file.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// isReadOnly reports whether err, of opening the file for writing, is that of a file that can only be read.
func isReadOnly(path string, err error) bool {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return false
	}

	f, err := os.Open(path)
	if err != nil {
		return false
	}

	return f.Close() == nil
}

// openReadOnly opens a file that the user may not write.
func (s *Store) openReadOnly(ctx context.Context) (err error) {
	if hasLog(s.path) {
		if _, err = os.Stat(s.path + "-shm"); err == nil {
			err = s.openCurrent(ctx, "mode=ro&_query_only=1")
		}
		if err == nil || errors.Is(err, ports.ErrSchema) || ctx.Err() != nil {
			return err
		}

		return fmt.Errorf("%w: the writes in its log, %s-wal, cannot be read; open the file once as a user who may "+
			"write it: %s", ports.ErrUnavailable, s.path, err.Error())
	}

	if s.frozen, err = freeze(s.path); err != nil {
		return err
	}
	if err := s.openCurrent(ctx, "immutable=1&mode=ro&_query_only=1"); err != nil {
		return err
	}

	return s.frozen.check()
}

// openCurrent opens the readers of a file that has the tables of this version, because it cannot be migrated.
func (s *Store) openCurrent(ctx context.Context, options string) error {
	if err := s.openReaders(ctx, options); err != nil {
		return err
	}

	version, err := fileVersion(ctx, s.reader)
	if err == nil && version != len(migrations) {
		err = fmt.Errorf("%w: the file has version %d and cannot be upgraded to %d, because it is read-only; "+
			"open it once as a user who may write it", ports.ErrSchema, version, len(migrations))
	}

	return err
}

// beginWrite begins a transaction that writes.
func (s *Store) beginWrite(ctx context.Context) (*sql.Tx, error) {
	if s.writer == nil {
		return nil, &fs.PathError{Op: "write", Path: s.path, Err: fs.ErrPermission}
	}

	return s.writer.BeginTx(ctx, nil)
}
