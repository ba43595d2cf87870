package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/wiring/production"
)

var migrationList = listing[production.Migration]{
	columns: []column{{name: "store"}, {name: "before"}, {name: "after"}},
	cells:   func(m production.Migration) []string { return []string{m.Store, m.Before, m.After} },
}

func (c *command) migrate() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or bring up to date what the servers need",
		Long: "Make PostgreSQL's tables, or bring them up to the version of this command, and make InfluxDB's database where a 1.8 server\n" +
			"lacks it. This takes users who may do so; the other commands do with less. Doing it again changes nothing, and nothing that\n" +
			"is stored is lost. The SQLite file needs none of this: it is brought up to date whenever it is opened.",
		Example: "  MARKETDATA_POSTGRES_DSN=postgres://owner@db/market marketdata migrate",
		Args:    arguments("none", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.settle(&output); err != nil {
				return err
			}
			return c.runMigrate(cmd.Context(), output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runMigrate(ctx context.Context, output string) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	if !cfg.HasServer() || c.dbPath != "" {
		return userError{errors.New("no server is configured, so there is nothing to migrate: set MARKETDATA_POSTGRES_DSN, like " +
			"postgres://owner@host/database; a SQLite file is brought up to date whenever it is opened")}
	}

	done, err := production.Migrate(ctx, cfg, production.Options{Logger: c.logger()})
	if len(done) > 0 {
		err = errors.Join(migrationList.print(c.out, output, done), err)
	}
	return err
}
