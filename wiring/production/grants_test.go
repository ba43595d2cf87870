package production_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// runSQL runs statements as the user of the DSN.
func runSQL(ctx context.Context, dsn string, statements ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}

	for _, s := range statements {
		if _, err = conn.Exec(ctx, s); err != nil {
			break
		}
	}

	return errors.Join(err, conn.Close(ctx))
}

// dsnURL returns the DSN of the configuration, parsed.
func dsnURL(t *testing.T, cfg wiring.Config) *url.URL {
	t.Helper()
	u, err := url.Parse(cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	return u
}

// newRole creates a role without rights, whose name needs quotes, and returns its name and the configuration of it.
func newRole(t *testing.T, owner wiring.Config, kind string) (string, wiring.Config) {
	t.Helper()
	dsn, u := owner.Postgres.DSN.Reveal(), dsnURL(t, owner)
	name := kind + ` "; DROP TABLE bars; -- ` + rand.Text()
	quoted := pgx.Identifier{name}.Sanitize()
	if err := runSQL(t.Context(), dsn, "CREATE ROLE "+quoted+" LOGIN PASSWORD 'secret'",
		"REVOKE ALL ON DATABASE "+strings.TrimPrefix(u.Path, "/")+" FROM PUBLIC"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := runSQL(context.Background(), dsn, "DROP OWNED BY "+quoted+" CASCADE", "DROP ROLE "+quoted); err != nil {
			t.Error(err)
		}
	})

	u.User = url.UserPassword(name, "secret")
	owner.Postgres.DSN = wiring.NewSecret(u.String())

	return name, owner
}

// grant gives the role the rights of the kind.
func grant(t *testing.T, owner wiring.Config, kind, role string) {
	t.Helper()
	statements, err := production.Grants(owner, kind, role)
	if err != nil {
		t.Fatal(err)
	}
	if err := runSQL(t.Context(), owner.Postgres.DSN.Reveal(), statements...); err != nil {
		t.Fatal(err)
	}
}

// wantRefused checks that the error names the privilege, and the command that prints the grants.
func wantRefused(t *testing.T, err error, says ...string) {
	t.Helper()
	if !errors.Is(err, ports.ErrPermission) {
		t.Errorf("got %v, want a permission error", err)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %v without %q", err, s)
		}
	}
}

// TestMissingPrivilege opens as a role that may not connect, and as one that may only connect, without and with a shared
// cache. The error is one sentence for people.
func TestMissingPrivilege(t *testing.T) {
	t.Parallel()
	owner, _ := newDeployment(t)
	name, plain := newRole(t, owner, "reader")
	statements, err := production.Grants(owner, "reader", name)
	if err != nil || !strings.HasPrefix(statements[0], "GRANT CONNECT") {
		t.Fatalf("got %q, %v", statements, err)
	}

	_, _, err = production.Open(t.Context(), plain, production.Options{})
	database := strings.TrimPrefix(dsnURL(t, owner).Path, "/")
	wantRefused(t, err, fmt.Sprintf("postgres: open: permission: the role %q lacks CONNECT on the database %s; "+
		"marketdata migrate --grants reader %[1]q prints the statements that permit it", name, database))
	if err := runSQL(t.Context(), owner.Postgres.DSN.Reveal(), statements[0]); err != nil {
		t.Fatal(err)
	}

	cached := plain
	cached.Cache.Redis.URL = wiring.NewSecret("redis://" + nowhere(t))
	for _, cfg := range []wiring.Config{plain, cached} {
		_, _, err := production.Open(t.Context(), cfg, production.Options{Redis: redis.OpenShared})
		wantRefused(t, err, fmt.Sprintf(": permission: the role %q lacks USAGE on the schema marketdata; "+
			"marketdata migrate --grants reader %[1]q prints the statements that permit it", name))
		if err == nil || !strings.HasPrefix(err.Error(), "postgres: ") {
			t.Errorf("got %v", err)
		}
	}
}

// TestGrants gives roles what Grants prints: it is enough for what they are for, and for nothing else.
func TestGrants(t *testing.T) {
	t.Parallel()
	owner, minute := newDeployment(t)
	hour := barAt(t, domain.Hour1, "1")
	ingest(t, open(t, owner, production.Options{}), hour)

	readerName, reader := newRole(t, owner, "reader")
	_, _, err := production.Open(t.Context(), reader, production.Options{})
	wantRefused(t, err, "marketdata migrate --grants reader")
	grant(t, owner, "reader", readerName)
	md := open(t, reader, production.Options{})
	for _, s := range []domain.Series{minute, hour} {
		if got, _ := fetch(t, md, s); !got.Equal(s) {
			t.Errorf("reader: got %s", got)
		}
	}
	if extents, err := ports.Collect(md.Coverage(t.Context())); err != nil || len(extents) != 2 {
		t.Errorf("reader: got %v, %v", extents, err)
	}
	if _, err := md.Describe(t.Context(), hour.Key().Symbol); err != nil {
		t.Errorf("reader: %v", err)
	}
	for _, s := range diagnose(t, reader) {
		if s.State == ports.HealthDown || s.Store == "postgres" && (s.Details.Schema == "" || s.Details.User != readerName) {
			t.Errorf("reader: got %+v", s)
		}
	}
	_, err = md.Ingest(t.Context(), barAt(t, domain.Hour1, "2"), domain.Range{}, ports.ConflictReplace)
	wantRefused(t, err, "lacks EXECUTE on the function ensure_partitions", "marketdata migrate --grants importer")
	_, err = md.Delete(t.Context(), hour.Key(), hour.Range())
	wantRefused(t, err, "marketdata migrate --grants importer")
	_, err = md.Delete(t.Context(), minute.Key(), minute.Range()) // in InfluxDB, where the token may delete
	wantRefused(t, err, "marketdata migrate --grants importer")
	wantRefused(t, md.Touch(t.Context(), hour.Key()), "marketdata migrate --grants importer")
	_, err = production.Migrate(t.Context(), reader, production.Options{})
	wantRefused(t, err, "marketdata migrate --grants migrator")

	importerName, importer := newRole(t, owner, "importer")
	grant(t, owner, "importer", importerName)
	md = open(t, importer, production.Options{})
	ingest(t, md, barAt(t, domain.Hour1, "2"))
	ingest(t, md, barAt(t, domain.Minute1, "2"))
	if err := md.Touch(t.Context(), hour.Key()); err != nil {
		t.Errorf("importer: %v", err)
	}
	for _, s := range []domain.Series{minute, hour} {
		if report, err := md.Delete(t.Context(), s.Key(), s.Range()); err != nil || report.Deleted != 1 {
			t.Errorf("importer: got %+v, %v", report, err)
		}
	}
	_, err = production.Migrate(t.Context(), importer, production.Options{})
	wantRefused(t, err, "marketdata migrate --grants migrator")
	if strings.Contains(err.Error(), "SQLSTATE") {
		t.Errorf("the error has a code of the server: %v", err)
	}
	for _, forbidden := range []string{
		"DROP TABLE marketdata.bars", "TRUNCATE marketdata.bars", "ALTER TABLE marketdata.bars ADD x int", "CREATE TABLE marketdata.x ()",
		"DELETE FROM marketdata.symbols", "DELETE FROM marketdata.series", "UPDATE marketdata.identity SET secret = secret",
		"DELETE FROM marketdata.migrations", "CREATE SCHEMA x", "SELECT pg_read_file('/etc/passwd')",
	} {
		if err := runSQL(t.Context(), importer.Postgres.DSN.Reveal(), forbidden); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("importer: %s: got %v", forbidden, err)
		}
	}
}

// TestGrantsOfAMigrator migrates an empty database as a migrator, whose tables a reader then reads.
func TestGrantsOfAMigrator(t *testing.T) {
	t.Parallel()
	owner := wiring.Config{}
	owner.Postgres.DSN = wiring.NewSecret(servers.Postgres(t))
	name, migrator := newRole(t, owner, "migrator")
	_, err := production.Migrate(t.Context(), migrator, production.Options{})
	wantRefused(t, err, "lacks CONNECT")
	connect, err := production.Grants(owner, "reader", name)
	if err == nil {
		err = runSQL(t.Context(), owner.Postgres.DSN.Reveal(), connect[0])
	}
	if err != nil {
		t.Fatal(err)
	}

	_, err = production.Migrate(t.Context(), migrator, production.Options{})
	wantRefused(t, err, fmt.Sprintf("postgres: migrate: permission: the role %q lacks CREATE on the database %s; run it as",
		name, strings.TrimPrefix(dsnURL(t, owner).Path, "/")))
	grant(t, owner, "migrator", name)
	for range 2 {
		if _, err := production.Migrate(t.Context(), migrator, production.Options{}); err != nil {
			t.Fatal(err)
		}
	}

	readerName, reader := newRole(t, owner, "reader")
	statements, err := production.Grants(migrator, "reader", readerName)
	if err != nil {
		t.Fatal(err)
	}

	// The migrator owns the tables, and so may grant them; the owner of the database grants the connection.
	if err := errors.Join(runSQL(t.Context(), owner.Postgres.DSN.Reveal(), statements[0]),
		runSQL(t.Context(), migrator.Postgres.DSN.Reveal(), statements[1:]...)); err != nil {
		t.Fatal(err)
	}
	if s := diagnose(t, reader)["postgres"]; s.State == ports.HealthDown {
		t.Errorf("got %+v", s)
	}
	for _, forbidden := range []string{"CREATE ROLE x", "CREATE DATABASE x", "CREATE TABLE public.x ()"} {
		if err := runSQL(t.Context(), migrator.Postgres.DSN.Reveal(), forbidden); err == nil {
			t.Errorf("migrator: %s is permitted", forbidden)
		}
	}
}

func TestGrantsAreRefused(t *testing.T) {
	t.Parallel()
	cfg := wiring.Config{}
	cfg.Postgres.DSN = wiring.NewSecret("postgres://owner@db/market")
	for _, c := range [][2]string{{"owner", "trader"}, {"reader", ""}, {"reader", "a\nb"}} {
		if got, err := production.Grants(cfg, c[0], c[1]); !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("%q: got %v, %v", c, got, err)
		}
	}
	if _, err := production.Grants(wiring.Config{}, "reader", "trader"); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("no DSN: got %v", err)
	}
}
