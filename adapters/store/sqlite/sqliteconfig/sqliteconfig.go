// Package sqliteconfig has the settings of the SQLite store. It is apart from the store, so that a program that only
// reads configurations does not link the driver.
package sqliteconfig

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

// Config configures a store. A field with its zero value has its default.
type Config struct {
	// Path is the database file. Opening the store creates the file if it does not exist, but not its folder. The file,
	// and the -wal and -shm files that SQLite stores beside it, must be on a local disk. A relative path is relative to
	// the working directory. It defaults to $XDG_DATA_HOME/marketdata/marketdata.db, or without that variable to
	// ~/.local/share/marketdata/marketdata.db.
	Path string `env:"PATH" yaml:"path"`

	// Logger receives errors of closing the store. Nil discards them.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// WithDefaults returns the configuration with every default filled in, except for the Logger. Path stays empty if there
// is no home folder.
func (c Config) WithDefaults() Config {
	if c.Path == "" {
		c.Path = defaultPath()
	}

	return c
}

// defaultPath returns the default of Path, or "" if there is no home folder.
func defaultPath() string {
	folder := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(folder) { // the XDG standard requires to ignore a relative path
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}

		folder = filepath.Join(home, ".local", "share")
	}

	return filepath.Join(folder, "marketdata", "marketdata.db")
}

// Validate reports the fault of the path, default applied. The fault wraps domain.ErrInvalid.
func (c Config) Validate() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, domain.ErrInvalid)...)
	}

	switch path := c.WithDefaults().Path; {
	case path == "":
		return fault("path: empty, and there is no home folder for the database; name a file")
	case path == ":memory:": // the memory store is faster
		return fault("path %q: give a file name, or use the memory store", path)
	case strings.HasPrefix(path, "~"):
		return fault("path %s: ~ is not expanded; write the home folder out", path)
	case strings.HasPrefix(path, "file:"):
		return fault("path %q: give a plain path instead of a URI", path)
	case strings.ContainsRune(path, 0):
		return fault("path %q: a path must not contain a zero byte", path)
	}

	return nil
}
