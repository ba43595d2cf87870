package postgres

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/ports"
)

var (
	_ ports.DetailReporter  = (*Store)(nil)
	_ ports.ProblemReporter = (*Store)(nil)
)

// Check implements ports.HealthChecker. It runs a statement that names every column that reads need and returns no row.
func (s *Store) Check(ctx context.Context) error {
	const op = "check"
	err := s.readDetails(ctx, op)
	var found *relations
	if err == nil {
		found, err = s.relations(ctx)
	}

	checks := []string{checkSchema}
	if found.isVersioned() {
		checks = append(checks, checkVersions)
	}
	for _, sql := range checks {
		if err == nil {
			err = s.query(ctx, op, statement{sql: sql}, func(rows pgx.Rows) error {
				rows.Close()
				return rows.Err()
			})
		}
	}

	return translate(ctx, op, "", err)
}

// Details implements ports.DetailReporter. The version of the server and that of the tables are known after a check;
// the latter only to a role that may read marketdata.migrations.
func (s *Store) Details() ports.StoreDetails {
	details := describe(s.pool.Config().ConnConfig)
	if known := s.details.Load(); known != nil {
		details.User, details.Database = known.User, known.Database
		details.Version, details.Schema = known.Version, known.Schema
	}

	return details
}

// Problems implements ports.ProblemReporter. It tells a connection to another host that may be without TLS.
func (s *Store) Problems(context.Context) ([]ports.Problem, error) {
	return plaintextOf(s.pool.Config().ConnConfig).Problems(), nil
}

// readDetails asks the server for the details that its configuration does not have.
func (s *Store) readDetails(ctx context.Context, op string) error {
	return s.withConn(ctx, op, func(db session) error {
		var d ports.StoreDetails
		var showsVersion bool
		err := db.queryRow(ctx, selectServer, nil, &d.User, &d.Database, &d.Version, &showsVersion)
		d.Version, _, _ = strings.Cut(d.Version, " ") // behind it is the name of the package
		if err == nil && showsVersion {
			err = db.queryRow(ctx, selectVersion, nil, &d.Schema)
		}
		if err == nil {
			s.details.Store(&d)
		}

		return err
	})
}

// DetailsOf returns the details of the server in a configuration, for a store that cannot be opened.
func DetailsOf(cfg Config) ports.StoreDetails {
	c, err := pgxpool.ParseConfig(cfg.DSN.Reveal())
	if err != nil || checkDSN(cfg) != nil {
		return ports.StoreDetails{}
	}

	return describe(c.ConnConfig)
}

// describe returns the details in the settings of a connection. Servers are in their order, between commas.
func describe(c *pgx.ConnConfig) ports.StoreDetails {
	addresses := []string{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	for _, f := range c.Fallbacks {
		address := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))
		if !slices.Contains(addresses, address) { // one server may be tried with TLS and without
			addresses = append(addresses, address)
		}
	}

	return ports.StoreDetails{Address: strings.Join(addresses, ","), Database: c.Database, User: c.User}
}
