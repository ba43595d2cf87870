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
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the DSN of a fresh, empty database, whose user may do everything with it. It is dropped when the test ends.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	admin := postgres.use(tb)
	name := freshName()
	if err := execute(admin, "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("create a database for the test: %v", err)
	}

	tb.Cleanup(func() {
		if err := execute(admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database of the test: %v", err)
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		tb.Fatalf("%s is not a postgres:// URL", EnvPostgres)
	}

	u.Path = "/" + name
	return u.String()
}

// PostgresAddress is the host:port of the server that Postgres uses, for tests that put something between.
func PostgresAddress(tb testing.TB) string {
	tb.Helper()
	u, err := url.Parse(postgres.use(tb))
	if err != nil {
		tb.Fatalf("%s is not a postgres:// URL", EnvPostgres)
	}

	return u.Host
}

func execute(dsn, sql string) error {
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
	bin, err := postgresBin()
	if err != nil {
		return nil, "", err
	}

	as, err := unprivileged()
	if err != nil {
		return nil, "", err
	}

	password := rand.Text()
	dsn := func(address string) string {
		return (&url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Host: address, Path: "/postgres",
			RawQuery: "sslmode=disable"}).String()
	}
	p, address, err := run(as, func(dir, address string) (*exec.Cmd, error) {
		data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "password")
		if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
			return nil, err
		}

		if as != nil {
			if err := os.Chown(secret, int(as.Uid), int(as.Gid)); err != nil {
				return nil, err
			}
		}

		initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=scram-sha-256", "--username=postgres",
			"--pwfile="+secret, "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata="+data)
		initdb.Dir = dir
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		if out, err := initdb.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("initdb: %w\n%s", err, tail(out))
		}

		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}

		// What is lost when the machine fails is of no interest; checkpoints stay out of measurements.
		return exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync=off", "-c", "full_page_writes=off",
			"-c", "synchronous_commit=off", "-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB"), nil
	}, func(address string) error { return execute(dsn(address), "SELECT 1") })

	return p, dsn(address), err
}

// postgresBin is the directory of PostgreSQL's programs, of the newest version where Debian has several.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}

	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("postgresql: %w", errNotInstalled)
	}

	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // a directory of another name sorts first
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })

	return filepath.Dir(newest), nil
}

// unprivileged is the user that PostgreSQL runs as when this process is root's; nil is the process's own.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}

	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("a user other than root for postgresql: %w: %w", errNotInstalled, err)
	}

	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}

	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}

	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
