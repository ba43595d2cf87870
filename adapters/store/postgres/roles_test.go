package postgres_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// TestLeastPrivilegeRoles proves that the grants that the package prints are enough, and that they permit no more.
func TestLeastPrivilegeRoles(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	owner := open(t, postgres.Config{DSN: secret.New(dsn)})
	writeBars(t, owner, gen.Walk("BTC/USD", 1_000))
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}

	database := strings.TrimPrefix(u.Path, "/")
	reader, importer := "reader_"+database, "importer_"+database
	t.Cleanup(func() {
		if err := exec(context.Background(), dsn, "DROP OWNED BY "+reader+", "+importer,
			"DROP ROLE "+reader, "DROP ROLE "+importer); err != nil {
			t.Error(err)
		}
	})
	if err := exec(t.Context(), dsn,
		"SET password_encryption = 'scram-sha-256'", // the default of PostgreSQL, but not of the servers of the tests
		"CREATE ROLE "+reader+" LOGIN PASSWORD 'r'", "CREATE ROLE "+importer+" LOGIN PASSWORD 'i'",
		"REVOKE ALL ON DATABASE "+database+" FROM PUBLIC",
	); err != nil {
		t.Fatal(err)
	}
	for role, name := range map[postgres.Role]string{postgres.RoleReader: reader, postgres.RoleImporter: importer} {
		grants, err := postgres.Grants(role, name, database)
		if err != nil {
			t.Fatal(err)
		}
		if err := exec(t.Context(), dsn, grants...); err != nil {
			t.Fatal(err)
		}
	}

	openAs := func(user, password string) *postgres.Store {
		s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
			DSN: secret.New(dsnWithUser(t, dsn, user, password)), MaxConns: 2, AcquireTimeout: 5 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(closeStore)

		return s
	}
	late := gen.Walk("ETH/USD", 1_000_000) // reaches 2021, whose partition is missing
	late = late.Slice(late.Len()-1_000, late.Len())

	r := openAs(reader, "r")
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := countBars(t.Context(), r, queryAll(gen.Walk("BTC/USD", 1_000))); n != 1_000 || err != nil {
		t.Error(n, err)
	}
	_, err = ports.WriteBars(t.Context(), r, late, late.Range(), ports.ConflictReplace)
	wantKind(t, err, ports.ErrPermission)
	_, err = r.DeleteBars(t.Context(), gen.Walk("BTC/USD", 1).Key(), late.Range())
	wantKind(t, err, ports.ErrPermission)
	_, err = r.DropPartitions(t.Context(), time.Now())
	if e := wantKind(t, err, ports.ErrPermission); !strings.Contains(e.Error(), "migrate --grants importer") {
		t.Errorf("no remedy in: %v", e)
	}

	i := openAs(importer, "i")
	writeBars(t, i, late)
	if n, err := countBars(t.Context(), i, queryAll(late)); n != 1_000 || err != nil {
		t.Error(n, err)
	}
	if dropped, err := i.DropPartitions(t.Context(), time.Now()); err != nil || len(dropped) > 0 {
		t.Errorf("with rows everywhere, dropped are %v, %v", dropped, err)
	}
	if _, err := i.DeleteBars(t.Context(), late.Key(), late.Range()); err != nil {
		t.Fatal(err)
	}
	if dropped, err := i.DropPartitions(t.Context(), late.Range().End.AddDate(1, 0, 0)); err != nil || len(dropped) == 0 {
		t.Errorf("dropped are %v, %v", dropped, err)
	}
	wantKind(t, r.RemoveSymbol(t.Context(), late.Key().Symbol), ports.ErrPermission)
	if err := i.RemoveSymbol(t.Context(), late.Key().Symbol); err != nil {
		t.Error(err)
	}
	wantKind(t, i.RemoveSymbol(t.Context(), "BTC/USD"), ports.ErrConflict)
	wantKind(t, i.Migrate(t.Context()), ports.ErrPermission)
}

// TestHiddenRowsAreAnError reads as a role from which a row-level security policy hides bars, coverage or symbols. A
// hidden row must not read as a bar that does not exist.
func TestHiddenRowsAreAnError(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	bars := gen.Walk("BTC/USD", 1_000)
	writeBars(t, open(t, postgres.Config{DSN: secret.New(dsn)}), bars)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}

	reader := "reader_" + strings.TrimPrefix(u.Path, "/")
	t.Cleanup(func() {
		if err := exec(context.Background(), dsn, "DROP OWNED BY "+reader, "DROP ROLE "+reader); err != nil {
			t.Error(err)
		}
	})
	if err := exec(t.Context(), dsn,
		"CREATE ROLE "+reader+" LOGIN PASSWORD 'r'",
		"GRANT USAGE ON SCHEMA marketdata TO "+reader,
		"GRANT SELECT ON ALL TABLES IN SCHEMA marketdata TO "+reader,
	); err != nil {
		t.Fatal(err)
	}

	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
		DSN: secret.New(dsnWithUser(t, dsn, reader, "r")), MaxConns: 2, AcquireTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)
	openPool := func(rowSecurity string) error {
		config, err := pgxpool.ParseConfig(dsnWithUser(t, dsn, reader, "r"))
		if err != nil {
			return err
		}

		config.ConnConfig.RuntimeParams["row_security"] = rowSecurity
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			return err
		}

		defer pool.Close()
		_, closeStore, err := postgres.OpenPool(t.Context(), pool, postgres.Config{AcquireTimeout: 5 * time.Second})
		if err == nil {
			closeStore()
		}

		return err
	}

	for table, read := range map[string]func() error{
		"bars": func() error { _, err := countBars(t.Context(), s, queryAll(bars)); return err },
		"coverage": func() error {
			_, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: []domain.Symbol{"BTC/USD"}}))
			return err
		},
		"symbols": func() error { _, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{})); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("read %s without a policy: %v", table, err)
		}
		if err := openPool("on"); err != nil {
			t.Errorf("a caller's pool without a policy: %v", err)
		}

		table = "marketdata." + table
		if err := exec(t.Context(), dsn, "CREATE POLICY hidden ON "+table+" USING (false)",
			"ALTER TABLE "+table+" ENABLE ROW LEVEL SECURITY"); err != nil {
			t.Fatal(err)
		}

		wantKind(t, read(), ports.ErrPermission)
		wantKind(t, openPool("on"), ports.ErrSchema)
		if err := openPool("off"); err != nil {
			t.Errorf("a caller's pool whose reads fail where rows are hidden: %v", err)
		}
		wantKind(t, s.Check(t.Context()), ports.ErrPermission)
		if err := exec(t.Context(), dsn, "DROP POLICY hidden ON "+table,
			"ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryTableIsGranted compares the tables that Grants names with those of the schema.
func TestEveryTableIsGranted(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	grants, err := postgres.Grants(postgres.RoleReader, "r", "d")
	if err != nil {
		t.Fatal(err)
	}

	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), "SELECT 'marketdata.' || relname FROM pg_class "+
		"WHERE relnamespace = 'marketdata'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'bun_migration_locks'") // only migrations use that
	if err != nil {
		t.Fatal(err)
	}

	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}

	named := strings.Split(strings.TrimSuffix(strings.TrimPrefix(grants[3], "GRANT SELECT ON "), ` TO "r"`), ", ")
	slices.Sort(tables)
	slices.Sort(named)
	if !slices.Equal(named, tables) {
		t.Errorf("the grants name %v, the schema has %v", named, tables)
	}
}
