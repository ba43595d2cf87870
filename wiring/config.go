package wiring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/gal-friday/marketdata/app"
)

// Config is everything that can be configured. The zero value is the defaults. Later sources weigh more: the defaults, the YAML
// file, the environment, and what a program sets in the struct before it opens anything.
type Config struct {
	// Service sets limits and timeouts. Its variables begin with MARKETDATA_SERVICE_.
	Service app.Config `envPrefix:"SERVICE_" yaml:"service"`

	// SQLite says where the embedded store is. Its variables begin with MARKETDATA_SQLITE_.
	SQLite SQLite `envPrefix:"SQLITE_" yaml:"sqlite"`
}

// SQLite configures the embedded store.
type SQLite struct {
	// Path is the database file; it and its folder are created where they do not exist. A relative path starts at the working
	// directory. Defaults to $XDG_DATA_HOME/marketdata/marketdata.db, and without that variable to
	// ~/.local/share/marketdata/marketdata.db.
	Path string `env:"PATH" yaml:"path"`
}

// WithDefaults is c with every default filled in, as far as one can be found: without a home folder, SQLite.Path has none.
func (c Config) WithDefaults() Config {
	c.Service = c.Service.WithDefaults()
	if c.SQLite.Path == "" {
		c.SQLite.Path = defaultPath()
	}
	return c
}

func defaultPath() string {
	folder := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(folder) { // the standard has a relative one ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		folder = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(folder, "marketdata", "marketdata.db")
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults []error
	if err := c.Service.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("service: %w", err))
	}
	switch path := c.SQLite.Path; {
	case path == "":
		faults = append(faults, errors.New("sqlite: path: empty, and there is no home folder to put the database in; name a file"))
	case strings.HasPrefix(path, "~"):
		faults = append(faults, fmt.Errorf("sqlite: path %s: ~ is not expanded; write the home folder out", path))
	}
	return errors.Join(faults...)
}

// YAML is the configuration in effect, defaults filled in, in the form that Load reads.
func (c Config) YAML() ([]byte, error) { return yaml.Marshal(c.WithDefaults()) }
