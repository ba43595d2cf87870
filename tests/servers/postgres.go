package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the DSN of a new, empty database, with a user who owns it. It is dropped when the test ends.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	return createPostgres(tb, "")
}

// PostgresTemplate is a database that Fill fills once per test process, and that tests get copies of. A copy costs a
// small part of the time that migrations take.
type PostgresTemplate struct {
	// Fill fills an empty database. It must leave no connection open, because PostgreSQL copies unused databases only.
	Fill func(ctx context.Context, dsn string) error

	once sync.Once
	name string
	err  error
}

// Copy returns the DSN of a new copy of the template, with a user who owns it. It is dropped when the test ends.
//
// A server that is not private gets no template, because the template would stay there: the copy is filled instead.
func (t *PostgresTemplate) Copy(tb testing.TB) (dsn string) {
	tb.Helper()
	if !postgres.private(tb) {
		dsn = createPostgres(tb, "")
		if err := t.Fill(tb.Context(), dsn); err != nil {
			tb.Fatalf("fill the database of the test: %v", err)
		}

		return dsn
	}

	t.once.Do(func() { t.err = t.create(postgres.address(tb)) })
	if t.err != nil {
		tb.Fatalf("create the template of the test's database: %v", t.err)
	}

	return createPostgres(tb, " TEMPLATE "+t.name)
}

// create creates the template. It does not depend on the test that happens to be the first.
func (t *PostgresTemplate) create(admin string) error {
	t.name = newDatabaseName()
	if err := execSQL(admin, "CREATE DATABASE "+t.name); err != nil {
		return err
	}

	dsn, err := withDatabase(admin, t.name)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	return t.Fill(ctx, dsn)
}

// createPostgres creates a database with the options, and drops it when the test ends.
func createPostgres(tb testing.TB, options string) (dsn string) {
	tb.Helper()
	admin := postgres.address(tb)
	name := newDatabaseName()
	if err := execSQL(admin, "CREATE DATABASE "+name+options); err != nil {
		tb.Fatalf("create the database of the test: %v", err)
	}

	tb.Cleanup(func() {
		if err := execSQL(admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database of the test: %v", err)
		}
	})
	dsn, err := withDatabase(admin, name)
	if err != nil {
		tb.Fatal(err)
	}

	return dsn
}

// PostgresReader runs a script of SQL and returns the DSN of a new role that may only read the tables and
// views of the schema marketdata. The role is dropped when the test ends.
func PostgresReader(tb testing.TB, dsn, script string) (reader string) {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatalf("%s is not a postgres:// URL", EnvPostgres) // err would repeat the password
	}

	role := "reader_of" + newDatabaseName()
	u.User = url.UserPassword(role, "secret")
	if err := execSQL(dsn, script+"; CREATE ROLE "+role+" LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA marketdata TO "+
		role+"; GRANT SELECT ON ALL TABLES IN SCHEMA marketdata TO "+role); err != nil {
		tb.Fatalf("create the role of the test: %v", err)
	}

	tb.Cleanup(func() {
		if err := execSQL(dsn, "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			tb.Errorf("drop the role of the test: %v", err)
		}
	})

	return u.String()
}

// withDatabase returns the DSN with another database.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("%s is not a postgres:// URL", EnvPostgres) // err would repeat the password
	}

	u.Path = "/" + name

	return u.String(), nil
}

// PostgresAddress returns the host:port of the server of Postgres, for tests with a proxy in front of it.
func PostgresAddress(tb testing.TB) string {
	tb.Helper()
	u, err := url.Parse(postgres.address(tb))
	if err != nil {
		tb.Fatalf("%s is not a postgres:// URL", EnvPostgres)
	}

	return u.Host
}

func execSQL(dsn, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}

	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)

	return err
}

func startPostgres() (*process, string, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, "", err
	}

	runAs, err := postgresAccount()
	if err != nil {
		return nil, "", err
	}

	password := rand.Text()
	p, address, err := program{
		account: runAs,
		command: func(dir, address string) (*exec.Cmd, error) {
			data, err := initPostgres(bin, dir, password, runAs)
			if err != nil {
				return nil, err
			}

			return postgresCommand(bin, data, address)
		},
		checkReady: func(address string) error { return execSQL(postgresDSN(address, password), "SELECT 1") },
	}.start()

	return p, postgresDSN(address, password), err
}

// postgresDSN returns the DSN of the superuser.
func postgresDSN(address, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", password),
		Host: address, Path: "/postgres", RawQuery: "sslmode=disable",
	}

	return u.String()
}

// postgresCommand returns the command of a server. Durability is off, because no test survives a crash of the machine,
// and checkpoints would disturb benchmarks.
func postgresCommand(bin, data, address string) (*exec.Cmd, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}

	return exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
		"-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB"), nil
}

// initPostgres creates a database cluster in dir, whose superuser postgres has the password. It returns the data
// directory.
func initPostgres(bin, dir, password string, runAs *account) (data string, err error) {
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return "", err
	}
	if runAs != nil {
		if err := os.Chown(secret, runAs.uid, runAs.gid); err != nil {
			return "", err
		}
	}

	// Passwords are MD5, because SCRAM computes thousands of hashes for each connection: under the race detector, more
	// than half of the time of a test that opens a database of its own.
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=md5", "--username=postgres",
		"--pwfile="+secret, "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata="+data)
	initdb.Dir = dir
	initdb.SysProcAttr = runAs.attributes()
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, logTail(out))
	}

	return data, nil
}

// findPostgres returns the directory of PostgreSQL's programs: the one in PATH, or the newest version of Debian's
// packages.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}

	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("postgresql: %w", errNotInstalled)
	}

	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 if the directory has another name
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })

	return filepath.Dir(newest), nil
}

// postgresAccount returns the user postgres if this process runs as root, because PostgreSQL refuses to run as root.
// Otherwise it returns nil: PostgreSQL runs as the user of this process.
func postgresAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}

	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("find the user postgres, because postgresql refuses to run as root: %w: %w",
			errNotInstalled, err)
	}

	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}

	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}

	return &account{uid: uid, gid: gid}, nil
}
