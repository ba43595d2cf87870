//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// patience is how long an import waits for a connection, on a busy machine.
const patience = "10s"

// newServerJob returns an import into a database of PostgreSQL, through a proxy. The job itself reads without it.
func (f *importFile) newServerJob(t *testing.T, dsn string, proxy *faults.Proxy) *importJob {
	t.Helper()
	j := &importJob{importFile: f, stored: map[domain.Symbol]int{}}
	j.cfg.Postgres.DSN = secret.New(dsn)
	j.set("POSTGRES_DSN="+withHost(t, dsn, proxy.Address), "POSTGRES_CONNECT_TIMEOUT="+patience,
		"POSTGRES_ACQUIRE_TIMEOUT="+patience)

	return j
}

// addInflux adds a database of InfluxDB, through a proxy, for the minutes.
func (j *importJob) addInflux(db servers.InfluxServer, proxy *faults.Proxy) {
	j.cfg.Influx.URL, j.cfg.Influx.Token, j.cfg.Influx.Database = db.URL, secret.New(db.Token), db.Database
	j.cfg.Influx.Org, j.cfg.Influx.Bucket = db.Org, db.Bucket
	j.set("INFLUX_URL=http://"+proxy.Address, "INFLUX_TOKEN="+db.Token, "INFLUX_DATABASE="+db.Database,
		"INFLUX_ORG="+db.Org, "INFLUX_BUCKET="+db.Bucket)
}

// set adds variables of the configuration, without their prefix.
func (j *importJob) set(variables ...string) {
	for _, v := range variables {
		j.variables = append(j.variables, wiring.EnvPrefix+v)
	}
}

// expireIntents ends the intents of a killed import, for which the next one would wait up to 30 seconds.
func (j *importJob) expireIntents(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), j.cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "UPDATE marketdata.intents SET expires = now() - interval '1 s'"); err != nil {
		t.Fatal(err)
	}
}

// crash is what happens to an import when it sends a message.
type crash struct {
	name    string
	verdict faults.Verdict
	kills   bool // the import
}

var crashes = []crash{
	{"killed before", faults.Cut, true},
	{"killed after", faults.ForwardCut, true},
	{"cut before", faults.Cut, false},
	{"cut after", faults.ForwardCut, false},
}

// TestImportCut proves X5 for servers: an import is killed, or its connection is cut, before and after any message to
// PostgreSQL and to InfluxDB. Those are all moments that the servers can tell apart. The short form takes some of the
// messages that commit a transaction or write bars to InfluxDB.
func TestImportCut(t *testing.T) {
	t.Parallel()
	f := newImportFile(t, 3*importedBatch)
	for _, hasInflux := range []bool{false, true} {
		name := map[bool]string{false: "X5/postgres", true: "X5/influx"}[hasInflux]
		t.Run(name, func(t *testing.T) {
			proxies := newServerProxies(t, hasInflux)
			run := func(t *testing.T, at int, c crash) (messages int, writes []int) {
				j := f.newServerJob(t, migrated.Postgres(t), proxies[0])
				if hasInflux {
					j.addInflux(servers.Influx(t), proxies[1])
				}

				return testCutAt(t, j, proxies, at, c)
			}
			messages, writes := run(t, 0, crash{})
			t.Logf("%d messages; commits, and writes of InfluxDB: %v", messages, writes)
			if effort.IsDeep() {
				for i := range messages * len(crashes) {
					at, c := 1+i/len(crashes), crashes[i%len(crashes)]
					t.Run(fmt.Sprintf("%s %d", c.name, at), func(t *testing.T) { run(t, at, c) })
				}

				return
			}

			for _, c := range crashes {
				at := writes[rand.N(len(writes))]
				t.Run(fmt.Sprintf("%s %d", c.name, at), func(t *testing.T) { run(t, at, c) })
			}
		})
	}
}

// commitNames are the names that the driver gives the prepared statements that commit writes of bars and intents.
var commitNames = func() (names [][]byte) {
	for _, op := range []string{"write bars", "begin intent", "finish intent"} {
		digest := sha256.Sum256([]byte("/* marketdata: " + op + " */ COMMIT"))
		names = append(names, []byte(hex.EncodeToString(digest[:24])))
	}

	return names
}()

// isWrite reports whether a message commits a transaction of PostgreSQL, or writes bars to InfluxDB.
func isWrite(message []byte) bool {
	commits := func(name []byte) bool { return bytes.Contains(message, name) }

	return slices.ContainsFunc(commitNames, commits) || bytes.HasPrefix(message, []byte("POST ")) &&
		bytes.Contains(message, []byte("/write?"))
}

// newServerProxies returns a proxy in front of PostgreSQL and, if wanted, one in front of InfluxDB.
func newServerProxies(t *testing.T, hasInflux bool) []*faults.Proxy {
	t.Helper()
	addresses := []string{servers.Postgres(t)}
	if hasInflux {
		addresses = append(addresses, servers.Influx(t).URL)
	}

	var proxies []*faults.Proxy
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal("the address is no URL")
		}

		proxies = append(proxies, faults.NewProxy(t, u.Host))
	}

	return proxies
}

// testCutAt runs an import that crashes at a message, counted from 1, and then completes it. It returns how many
// messages were sent, and which of them were writes.
func testCutAt(t *testing.T, j *importJob, proxies []*faults.Proxy, at int, c crash) (messages int, writes []int) {
	t.Helper()
	importer := j.importer(t)
	var mu sync.Mutex
	decide := func(request []byte) faults.Verdict {
		mu.Lock()
		defer mu.Unlock()
		messages++
		if isWrite(request) {
			writes = append(writes, messages)
		}
		if messages != at {
			return faults.Forward
		}
		if c.kills {
			_ = importer.Process.Kill()
		}

		return c.verdict
	}
	for _, p := range proxies {
		p.InspectRequests(decide)
	}
	mu.Lock() // no message is killed before the process is known
	run := j.start(t, importer)
	mu.Unlock()
	code := j.end(t, run)
	for _, p := range proxies {
		p.InspectRequests(nil)
	}
	if code > 0 && code != exitUnavailable || code != 0 && at == 0 {
		t.Errorf("the import has the exit code %d: %s", code, &run.errors)
	}

	j.verify(t)
	j.expireIntents(t)
	j.finish(t)

	return messages, writes
}

// TestImportServerKilled proves X5 for a server that is killed during an import, and recovers: the import ends as
// unavailable, or goes on, and nothing of it is lost.
func TestImportServerKilled(t *testing.T) {
	t.Parallel()
	kills := 2
	if effort.IsDeep() {
		kills = 50
	}
	f := newImportFile(t, file.DefaultBatchBars)
	t.Run("X5/postgres killed", func(t *testing.T) {
		t.Parallel()
		server := servers.StartPostgres(t)
		proxy := faults.NewProxy(t, server.Address)
		for n := range kills {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				j := f.newServerJob(t, newDatabase(t, server.DSN, fmt.Sprint("import_", n)), proxy)
				testServerKilled(t, j, func() { server.Restart(t, syscall.SIGKILL) })
			})
		}
	})
	t.Run("X5/influx killed", func(t *testing.T) {
		t.Parallel()
		server := servers.StartInflux(t)
		proxies := []*faults.Proxy{faults.NewProxy(t, servers.PostgresAddress(t)), faults.NewProxy(t, server.Address)}
		for n := range kills {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				j := f.newServerJob(t, migrated.Postgres(t), proxies[0])
				j.addInflux(server.NewDatabase(t), proxies[1])
				testServerKilled(t, j, func() { server.KillAndRestart(t) })
			})
		}
	})
}

// testServerKilled runs an import whose server is killed at any moment and started again, and then completes it.
func testServerKilled(t *testing.T, j *importJob, kill func()) {
	t.Helper()
	run := j.start(t, j.importer(t))
	j.wait(run, rand.N(j.bars))
	time.Sleep(rand.N(20 * time.Millisecond)) // about as long as a write takes
	kill()
	if code := j.end(t, run); code != 0 && code != exitUnavailable {
		t.Fatalf("the import has the exit code %d: %s", code, &run.errors)
	}

	t.Logf("%d bars were acknowledged", j.acked)
	j.verify(t)
	j.expireIntents(t)
	j.finish(t)
}

// newDatabase returns the DSN of a new database of a server, with the tables of the store.
func newDatabase(t *testing.T, dsn, name string) string {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer admin.Close(context.WithoutCancel(t.Context()))
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}

	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the DSN is no URL") // err would repeat the password
	}

	u.Path = "/" + name
	_, closeAll, err := production.Open(t.Context(), pgConfig(u.String()), production.Options{})
	if err != nil {
		t.Fatal(err)
	}

	closeAll()

	return u.String()
}
