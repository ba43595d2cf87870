package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// side is one of two stores that a command works on: the usual one, unless its flags name another.
type side struct {
	name       string // from or to
	config, db string
}

func (s *side) register(flags *pflag.FlagSet, name string) {
	s.name = name
	flags.StringVar(&s.config, name, "", "configuration `file` (YAML) of the "+name+" side; the environment overrides it too (default the store in use)")
	flags.StringVar(&s.db, name+"-db", "", "SQLite `file` that is the "+name+" side")
}

func (s side) given() bool { return s.config != "" || s.db != "" }

// sideHelp tells of the flags.
const sideHelp = `Each side is the store in use (--config, --db, the environment), unless it is named: --from-db and --to-db name a SQLite file, --from
and --to a configuration file.`

// pair is two open stores.
type pair struct {
	from, to *app.Service
	page     int // rows that both can read at once
}

// openPair opens both sides, of which at least one has to be named. The caller calls the function returned when done.
func (c *command) openPair(ctx context.Context, from, to side) (pair, func(), error) {
	if !from.given() && !to.given() {
		return pair{}, nil, userError{errors.New("both sides are the store in use; name another one with --from-db, --from, --to-db or --to")}
	}

	if from.db != "" {
		if _, err := os.Stat(from.db); err != nil { // opening would make an empty one
			return pair{}, nil, userError{err}
		}
	}

	left, leftCfg, closeLeft, err := c.openSide(ctx, from)
	if err != nil {
		return pair{}, nil, err
	}

	right, rightCfg, closeRight, err := c.openSide(ctx, to)
	if err != nil {
		closeLeft()
		return pair{}, nil, err
	}

	return pair{left, right, pageRows(leftCfg, rightCfg)}, func() { closeRight(); closeLeft() }, nil
}

func (c *command) openSide(ctx context.Context, s side) (*app.Service, wiring.Config, func(), error) {
	if s.config != "" && s.db != "" {
		return nil, wiring.Config{}, nil, userError{fmt.Errorf("--%s and --%s-db: give one of them", s.name, s.name)}
	}

	config, db := c.configPath, c.dbPath
	switch {
	case s.config != "":
		config, db = s.config, ""
	case s.db != "":
		db = s.db
	}

	cfg, err := settings(config, db)
	if err != nil {
		return nil, wiring.Config{}, nil, err
	}

	md, done, err := c.openStores(ctx, cfg, db != "")
	if err != nil {
		return nil, wiring.Config{}, nil, fmt.Errorf("the %s side: %w", s.name, err)
	}

	return md, cfg, done, nil
}
