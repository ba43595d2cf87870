package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/tests/servers"
)

func openEmpty(t *testing.T, dsn string) *Store {
	t.Helper()
	s, closeStore, err := Open(t.Context(), Config{
		DSN: secret.New(dsn), MinConns: 1, MaxConns: 4, AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)

	return s
}

func openMigrated(t *testing.T, dsn string) *Store {
	t.Helper()
	s := openEmpty(t, dsn)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	return s
}

func appliedMigrations(t *testing.T, s *Store) (names []string) {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), "SELECT name FROM marketdata.migrations ORDER BY name")
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}

	return names
}

func TestConcurrentAndRepeatedMigrations(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	const processes = 4
	errs := make(chan error)
	for range processes {
		s := openEmpty(t, dsn)
		go func() { errs <- errors.Join(s.Migrate(t.Context()), s.Migrate(t.Context())) }()
	}

	for range processes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}

	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	if names := appliedMigrations(t, openEmpty(t, dsn)); len(names) != len(files) {
		t.Fatalf("%d files, applied %v", len(files), names)
	}
}

// TestFailedMigration proves that a failed migration is rolled back, keeps the previous ones, and can be retried.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	s := openEmpty(t, servers.Postgres(t))
	file := func(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }
	files := fstest.MapFS{
		"1_first.tx.up.sql":  file("CREATE TABLE marketdata.first ()"),
		"2_second.tx.up.sql": file("CREATE TABLE marketdata.second ();\n--bun:split\nSELECT 1 / 0"),
	}
	if err := s.migrate(t.Context(), files); err == nil {
		t.Fatal("no error")
	}
	if names := appliedMigrations(t, s); fmt.Sprint(names) != "[1]" {
		t.Fatalf("applied %v", names)
	}

	files["2_second.tx.up.sql"] = file("CREATE TABLE marketdata.second ()") // fails if the first attempt left the table
	if err := s.migrate(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if names := appliedMigrations(t, s); fmt.Sprint(names) != "[1 2]" {
		t.Fatalf("applied %v", names)
	}
}

// TestMigrationAfterCrash proves that a process that dies while it migrates leaves no lock.
func TestMigrationAfterCrash(t *testing.T) {
	t.Parallel()
	s := openEmpty(t, servers.Postgres(t))
	crashed, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	defer crashed.Release()
	if _, err := crashed.Exec(t.Context(), lockMigrations); err != nil {
		t.Fatal(err)
	}

	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Migrate(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("while another migrates: %v", err)
	}
	if err := crashed.Conn().PgConn().Conn().Close(); err != nil { // as if the process died
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}
