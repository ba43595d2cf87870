package postgres

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/domain"
)

// Role is the purpose of a role of the database.
type Role string

// The roles, each with the rights of the one before, but the last: it owns the tables, and so may do everything.
const (
	RoleReader   Role = "reader"   // reads and checks
	RoleImporter Role = "importer" // writes and deletes bars, trades, quotes and symbols, too
	RoleMigrator Role = "migrator" // creates the tables
)

// Roles lists the roles.
func Roles() []Role { return []Role{RoleReader, RoleImporter, RoleMigrator} }

// tableWrites has every table, with the privileges that writing needs beside SELECT, which reading needs. Grants on
// partitions are not needed, because they are reached through their parents.
var tableWrites = []struct {
	table      string
	privileges []string
}{
	{"symbols", []string{"INSERT", "UPDATE"}},
	{"series", []string{"INSERT", "UPDATE"}},
	{"coverage", []string{"INSERT", "UPDATE", "DELETE"}},
	{"blocks", []string{"INSERT", "UPDATE", "DELETE"}},
	{"intents", []string{"INSERT", "UPDATE", "DELETE"}},
	{"bars", []string{"INSERT", "UPDATE", "DELETE"}},
	{"trades", []string{"INSERT", "UPDATE", "DELETE"}},
	{"quotes", []string{"INSERT", "UPDATE", "DELETE"}},
	{"influx_identity", []string{"UPDATE"}},
	{"identity", nil},
	{migrationTable, nil},
}

// functions change the tables with the rights of the owner: they create and drop partitions, and remove symbols.
const functions = "marketdata.ensure_partitions(text, timestamptz[]), marketdata.drop_empty_partition(text), " +
	"marketdata.remove_symbol(text)"

// Grants returns the statements that give a database role what it needs in a database: all of it, and nothing else. The
// owner of the tables must run them in that database, those of a reader or an importer after the migration. Names may
// be any text without control characters; the error is ErrInvalid. Those of a reader also take the right to create
// temporary tables from PUBLIC.
func Grants(role Role, name, database string) ([]string, error) {
	for _, text := range []string{name, database} {
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			return nil, fmt.Errorf("grants: the name %q is not one of a role or a database: %w", text, domain.ErrInvalid)
		}
	}

	// PostgreSQL lets everybody create temporary tables by default, which fill the disk.
	noTemporary := "REVOKE TEMPORARY ON DATABASE " + pgx.Identifier{database}.Sanitize() + " FROM PUBLIC"
	to := " TO " + pgx.Identifier{name}.Sanitize()
	onDatabase := " ON DATABASE " + pgx.Identifier{database}.Sanitize() + to
	switch role {
	case RoleReader:
		return append([]string{"GRANT CONNECT" + onDatabase, noTemporary}, readGrants(to)...), nil
	case RoleImporter:
		grants := append([]string{"GRANT CONNECT, TEMPORARY" + onDatabase}, readGrants(to)...)
		return append(grants, writeGrants(to)...), nil
	case RoleMigrator:
		return []string{"GRANT CONNECT, CREATE" + onDatabase}, nil
	}

	return nil, fmt.Errorf("grants: role %q: it is one of %v: %w", role, Roles(), domain.ErrInvalid)
}

func readGrants(to string) []string {
	tables := make([]string, len(tableWrites))
	for i, t := range tableWrites {
		tables[i] = "marketdata." + t.table
	}

	return []string{"GRANT USAGE ON SCHEMA marketdata" + to, "GRANT SELECT ON " + strings.Join(tables, ", ") + to}
}

func writeGrants(to string) (grants []string) {
	for _, t := range tableWrites {
		if len(t.privileges) > 0 {
			grants = append(grants, "GRANT "+strings.Join(t.privileges, ", ")+" ON marketdata."+t.table+to)
		}
	}

	return append(grants, "GRANT EXECUTE ON FUNCTION "+functions+to)
}

// tablePrivileges returns the tables, each with one privilege that reading or writing needs.
func tablePrivileges(writes bool) (tables, privileges []string) {
	for _, t := range tableWrites {
		needed := []string{"SELECT"}
		if writes {
			needed = t.privileges
		}
		for _, p := range needed {
			tables, privileges = append(tables, t.table), append(privileges, p)
		}
	}

	return tables, privileges
}

// migratorRemedy adds the remedy to the error of a migration that is not permitted.
func migratorRemedy(config *pgx.ConnConfig, err error) error {
	advised := &remedyError{err: err, remedy: "run it as the owner of the tables; where there are none yet, " +
		grantsRemedy(RoleMigrator, config.User)}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		advised.text = server.Message
		if strings.Contains(server.Message, "denied for database") { // creating the schema
			advised.text = lacksText(config.User, "CREATE", "database "+config.Database)
		}
	}

	return advised
}
