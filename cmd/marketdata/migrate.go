package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/wiring/production"
)

var migrationList = listing[production.Migration]{
	columns: []column{{name: "store"}, {name: "before"}, {name: "after"}},
	cells:   func(m production.Migration) []string { return []string{string(m.Store), m.Before, m.After} },
}

const migrateHelp = `Create the tables in PostgreSQL, or upgrade them to the version of this command, and create the
database in an InfluxDB 1.8 server that lacks it. Migrating again changes nothing, and stored
data is kept. The users of the servers need the permission to create tables and databases for
this; the other commands need less. The SQLite file needs no migration: it is upgraded whenever
it is opened.`

func (c *command) migrateCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "migrate",
		Short:   "Create or upgrade the schema on the servers",
		Long:    migrateHelp,
		Example: "  MARKETDATA_POSTGRES_DSN=postgres://owner@db/market marketdata migrate",
		Args:    arguments("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.defaultOutput(&output); err != nil {
				return err
			}
			return c.runMigrate(cmd.Context(), output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runMigrate(ctx context.Context, output string) error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	if !cfg.HasServer() || c.dbPath != "" {
		return userErrorf("no server is configured, so there is nothing to migrate; set MARKETDATA_POSTGRES_DSN, " +
			"like postgres://owner@host/database; a SQLite file is upgraded whenever it is opened")
	}

	migrations, err := production.Migrate(ctx, cfg, production.Options{Logger: newLogger(c.err)})
	if len(migrations) > 0 {
		err = errors.Join(migrationList.print(c.out, output, migrations), err)
	}

	return err
}
