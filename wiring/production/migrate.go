package production

import (
	"context"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring"
)

// Migration is the change that Migrate made to one store. Before equals After if there was nothing to do.
type Migration struct {
	Store  domain.StoreName `json:"store"`
	Before string           `json:"before"` // version of the tables, or name of the database; "" if missing
	After  string           `json:"after"`
}

// Migrate migrates PostgreSQL's tables to the version of this program, and creates a missing database on InfluxDB 1.8,
// or a missing bucket and DBRP mapping on 2.x. The configured users must have the rights to do so. Migrate is
// idempotent. With an error it also returns the migrations that were completed before.
func Migrate(ctx context.Context, cfg wiring.Config, opts Options) ([]Migration, error) {
	s, err := newSettings(cfg, opts)
	if err != nil {
		return nil, err
	}

	s.Postgres.MigrateOnOpen = false
	tables, err := migratePostgres(ctx, s, opts)
	if err != nil {
		return nil, err
	}

	if s.Influx.URL == "" && opts.InfluxClient == nil {
		return []Migration{tables}, nil
	}

	database, err := migrateInflux(ctx, s, opts)
	if err != nil {
		return []Migration{tables}, err
	}

	return []Migration{tables, database}, nil
}

func migratePostgres(ctx context.Context, s settings, opts Options) (Migration, error) {
	m := Migration{Store: postgres.Name}
	store, closeStore, err := openPostgres(ctx, s, opts)
	if err != nil {
		return m, err
	}

	defer closeStore()

	if m.Before, err = store.Version(ctx); err != nil {
		return m, err
	}

	if err := store.Migrate(ctx); err != nil {
		return m, err
	}

	m.After, err = store.Version(ctx)

	return m, err
}

func migrateInflux(ctx context.Context, s settings, opts Options) (Migration, error) {
	m := Migration{Store: influx.Name, Before: s.Influx.Database, After: s.Influx.Database}
	store, closeStore, err := openInflux(ctx, s, opts)
	if err != nil {
		return m, err
	}

	defer closeStore()
	ctx, cancel := context.WithTimeout(ctx, s.Service.Timeout)
	defer cancel()
	created, err := store.Migrate(ctx)
	if created {
		m.Before = ""
	}

	return m, err
}
