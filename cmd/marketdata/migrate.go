package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/wiring/production"
)

var migrationList = listing[production.Migration]{
	columns: []column{{name: "store"}, {name: "before"}, {name: "after"}},
	cells:   func(m production.Migration) []string { return []string{string(m.Store), m.Before, m.After} },
}

const migrateHelp = `Create the tables in PostgreSQL, or upgrade them to the version of this command.
In InfluxDB, create a missing database (1.8), or a missing bucket and its DBRP
mapping (2.x). Migrating again changes nothing, and stored data is kept. The
users of the servers need the permission to create tables and databases for
this; the other commands need less. The SQLite file needs no migration: it is
upgraded whenever it is opened.

With --grants, the statements are printed that give a role of PostgreSQL what it
needs, and nothing is changed: reader for commands that read, importer for
import, delete, touch and copy, migrator for migrate. The owner of the tables
runs them in the database, those of a reader and an importer after migrate:

  marketdata migrate --grants reader trader | psql "$OWNER_DSN"`

func (c *command) migrateCommand() *cobra.Command {
	var output, grants string
	cmd := &cobra.Command{
		Use:   "migrate [--grants reader|importer|migrator ROLE]",
		Short: "Create or upgrade the schema on the servers",
		Long:  migrateHelp,
		Example: "  MARKETDATA_POSTGRES_DSN=postgres://owner@db/market marketdata migrate\n" +
			"  marketdata migrate --grants importer loader",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("grants") {
				return arguments("the name of a role after --grants "+grants, 1, 1)(cmd, args)
			}

			return arguments("no arguments", 0, 0)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return c.printGrants(grants, args[0])
			}
			if err := c.defaultOutput(&output); err != nil {
				return err
			}

			return c.runMigrate(cmd.Context(), output)
		},
	}
	cmd.Flags().StringVar(&grants, "grants", "", "print the GRANT statements that a role needs to be a `kind`: reader, "+
		"importer or migrator")
	setWords(cmd.Flags(), "grants", "reader", "importer", "migrator")
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) printGrants(kind, role string) error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}

	statements, err := production.Grants(cfg, kind, role)
	if err != nil {
		return err
	}

	for _, s := range statements {
		if _, err := fmt.Fprintln(c.out, s+";"); err != nil {
			return err
		}
	}

	return nil
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

	migrations, err := production.Migrate(ctx, cfg, c.productionOptions(cfg))
	if len(migrations) > 0 {
		err = errors.Join(migrationList.print(c.out, output, migrations), err)
	}

	return err
}
