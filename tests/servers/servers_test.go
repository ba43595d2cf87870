package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/tests/servers"
)

func TestPostgresReturnsSeparateDatabases(t *testing.T) {
	t.Parallel()
	first, second := servers.Postgres(t), servers.Postgres(t)
	if first == second {
		t.Fatal("two databases have the same name")
	}

	for _, dsn := range []string{first, second} {
		if err := execute(t.Context(), dsn, "CREATE TABLE t ()"); err != nil { // fails if both are one database
			t.Fatal(err)
		}
	}
}

// Each copy of a template has its table and not the row that another copy got.
func TestPostgresTemplateCopies(t *testing.T) {
	t.Parallel()
	var fills int
	template := servers.PostgresTemplate{Fill: func(ctx context.Context, dsn string) error {
		fills++
		return execute(ctx, dsn, "CREATE TABLE t (n int PRIMARY KEY)")
	}}

	const copies = 3
	for range copies {
		if err := execute(t.Context(), template.Copy(t), "INSERT INTO t VALUES (1)"); err != nil {
			t.Error(err)
		}
	}

	want := 1
	if os.Getenv(servers.EnvPostgres) != "" && os.Getenv(servers.EnvPrivate) == "" {
		want = copies
	}
	if fills != want {
		t.Errorf("the template was filled %d times; want %d", fills, want)
	}
}

func execute(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}

	_, err = conn.Exec(ctx, sql)

	return errors.Join(err, conn.Close(ctx))
}

func TestInfluxReturnsCredentials(t *testing.T) {
	t.Parallel()
	s := servers.Influx(t)
	if s.URL == "" || s.Database == "" || s.Token == "" || strings.Contains(s.URL, s.Token) {
		t.Fatalf("incomplete: %+v", s)
	}
}

func TestRedisReturnsURL(t *testing.T) {
	t.Parallel()
	if address := servers.Redis(t); !strings.HasPrefix(address, "redis://") {
		t.Fatal(address)
	}
}

// orphanEnv makes TestOrphan start servers and wait until its process is killed.
const orphanEnv = "MARKETDATA_TEST_ORPHAN"

func TestOrphan(t *testing.T) {
	if os.Getenv(orphanEnv) == "" {
		t.Skip("runs only in the process that TestServersEndWithKilledProcess starts")
	}

	fmt.Println("address", servers.PostgresAddress(t))
	fmt.Println("address", strings.TrimPrefix(servers.Influx(t).URL, "http://"))
	fmt.Println("address", strings.TrimSuffix(strings.TrimPrefix(servers.Redis(t), "redis://"), "/0"))
	fmt.Println("ready")
	<-t.Context().Done()
}

// TestServersEndWithKilledProcess kills a process with servers. The servers must end and their directories must be
// removed.
func TestServersEndWithKilledProcess(t *testing.T) {
	t.Parallel()
	tmp, err := os.MkdirTemp("", "orphan-") //nolint:usetesting // the user postgres cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}

	child := exec.Command(os.Args[0], "-test.run=^TestOrphan$", "-test.v")
	child.Env = append(os.Environ(), orphanEnv+"=1", "TMPDIR="+tmp,
		servers.EnvPostgres+"=", servers.EnvInflux+"=", servers.EnvRedis+"=")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}

	var addresses []string
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		line := lines.Text()
		if strings.Contains(line, "no server") {
			_ = child.Wait()
			t.Skip(line)
		}

		if _, address, ok := strings.Cut(line, "address "); ok {
			addresses = append(addresses, address)
		}
		ready = line == "ready"
	}
	if !ready || len(addresses) != 3 {
		t.Fatalf("the process did not start its servers: %v", addresses)
	}

	for _, address := range addresses {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}

		_ = conn.Close()
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	_ = child.Wait()
	eventually(t, func() error {
		for _, address := range addresses {
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				return errors.New(address + " still accepts connections")
			}
		}

		left, err := os.ReadDir(tmp)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("files not removed: %v", left)
		}

		return err
	})
}

// eventually polls until check returns nil, for 20 s at most.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); ; {
		err := check()
		if err == nil {
			return
		}

		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick:
		}
	}
}
