package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// forbiddenToAll must fail for each role. The table others.secrets belongs to another program.
var forbiddenToAll = []string{
	"SELECT * FROM others.secrets", "INSERT INTO others.secrets VALUES (1)", "DROP TABLE others.secrets",
	"SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')", "SELECT lo_import('/etc/passwd')",
	"COPY (SELECT 1) TO '/tmp/marketdata'", "COPY (SELECT 1) TO PROGRAM 'true'",
	"SELECT rolpassword FROM pg_authid", "SELECT passwd FROM pg_shadow",
	"SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "ALTER ROLE CURRENT_USER SUPERUSER",
	"CREATE ROLE intruder", "CREATE DATABASE intruder", "ALTER SYSTEM SET ssl = off",
	"SELECT pg_reload_conf()", "SELECT pg_switch_wal()", "SELECT pg_logical_emit_message(true, 'x', 'x'), pg_promote()",
	"CREATE TABLE public.t (a int)", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
}

// forbiddenToUsers must fail for a reader and for an importer.
var forbiddenToUsers = []string{
	"CREATE TABLE marketdata.t (a int)", "CREATE SCHEMA intruder", "DROP TABLE marketdata.bars", "DROP SCHEMA marketdata CASCADE",
	"ALTER TABLE marketdata.bars ADD COLUMN a int", "ALTER TABLE marketdata.bars DISABLE TRIGGER ALL",
	"ALTER TABLE marketdata.bars OWNER TO CURRENT_USER", "CREATE INDEX ON marketdata.bars (open_time)",
	"CREATE POLICY p ON marketdata.bars", "COMMENT ON TABLE marketdata.bars IS 'x'",
	"CREATE FUNCTION marketdata.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
	"DROP FUNCTION marketdata.remove_symbol(text)", "COPY marketdata.bars FROM PROGRAM 'true'",
}

// forbiddenToReaders must fail for a reader.
var forbiddenToReaders = []string{
	"CREATE TEMPORARY TABLE t (a int)", "SELECT marketdata.ensure_partitions('bars', ARRAY[now()])",
	"SELECT marketdata.drop_empty_partition('bars_2020')", "SELECT marketdata.remove_symbol('BTC/USD')",
	"DO $$ BEGIN LOCK TABLE marketdata.bars IN ACCESS EXCLUSIVE MODE; END $$",
}

// TestForbiddenStatements runs as each role what its grants do not permit. Each statement must fail with
// insufficient_privilege (42501), and so must each change of a table that the grants do not name.
func TestForbiddenStatements(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	if err := exec(t.Context(), dsn, "CREATE SCHEMA others", "CREATE TABLE others.secrets (a int)"); err != nil {
		t.Fatal(err)
	}

	changes := tableChanges(t, dsn)
	for role, forbidden := range map[postgres.Role][][]string{
		postgres.RoleReader:   {forbiddenToAll, forbiddenToUsers, forbiddenToReaders},
		postgres.RoleImporter: {forbiddenToAll, forbiddenToUsers},
		postgres.RoleMigrator: {forbiddenToAll},
	} {
		conn, grants := connectAs(t, dsn, role)
		for _, sql := range forbidden {
			for _, sql := range sql {
				wantForbidden(t, conn, role, sql)
			}
		}

		for _, c := range changes {
			if !isGranted(grants, c.privilege, c.table) {
				wantForbidden(t, conn, role, c.sql)
			}
		}
	}
}

func wantForbidden(t *testing.T, conn *pgx.Conn, role postgres.Role, sql string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	if server, ok := errors.AsType[*pgconn.PgError](err); !ok || server.Code != "42501" {
		t.Errorf("%s: %s: got %v, want insufficient privilege", role, sql, err)
	}
}

// connectAs returns a connection of a new role with the grants of the kind.
func connectAs(t *testing.T, dsn string, role postgres.Role) (conn *pgx.Conn, grants []string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}

	database := strings.TrimPrefix(u.Path, "/")
	name := string(role) + "_forbidden_" + database
	t.Cleanup(func() {
		if err := exec(context.Background(), dsn, "DROP OWNED BY "+name, "DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	if grants, err = postgres.Grants(role, name, database); err == nil {
		err = exec(t.Context(), dsn, append([]string{"CREATE ROLE " + name + " LOGIN PASSWORD 'p'"}, grants...)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if conn, err = pgx.Connect(t.Context(), dsnWithUser(t, dsn, name, "p")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })

	return conn, grants
}

// tableChange is a statement that needs a privilege on a table.
type tableChange struct{ table, privilege, sql string }

// tableChanges returns the changes of each table of the schema, partitions included.
func tableChanges(t *testing.T, dsn string) (changes []tableChange) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), `
		SELECT 'marketdata.' || relname, quote_ident(attname) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
		WHERE relnamespace = 'marketdata'::regnamespace AND relkind IN ('r', 'p') AND attnum = 1`)
	if err != nil {
		t.Fatal(err)
	}

	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		changes = append(changes,
			tableChange{table, "INSERT", fmt.Sprintf("INSERT INTO %s (%s) VALUES (DEFAULT)", table, column)},
			tableChange{table, "UPDATE", fmt.Sprintf("UPDATE %s SET %s = DEFAULT", table, column)},
			tableChange{table, "DELETE", "DELETE FROM " + table}, tableChange{table, "TRUNCATE", "TRUNCATE " + table},
		)

		return nil
	})
	if err != nil || len(changes) < 40 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}

	return changes
}

// isGranted reports whether a statement among the grants gives the privilege on the table.
func isGranted(grants []string, privilege, table string) bool {
	for _, g := range grants {
		privileges, rest, _ := strings.Cut(strings.TrimPrefix(g, "GRANT "), " ON ")
		if strings.Contains(privileges, privilege) && strings.HasPrefix(rest, table+" ") {
			return true
		}
	}

	return false
}
