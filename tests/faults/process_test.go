//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring/production"
)

// blocked is a handler whose messages wait until the test has ended.
type blocked struct {
	slog.Handler
	ended chan struct{}
}

// Enabled implements slog.Handler.
func (blocked) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (b blocked) Handle(context.Context, slog.Record) error {
	<-b.ended
	return nil
}

// TestBlockedLogger proves X10: neither a call that logs nor closing waits for a logger that blocks.
func TestBlockedLogger(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cold", "warm"} {
		t.Run("X10/"+name, func(t *testing.T) {
			t.Parallel()
			logger := blocked{slog.DiscardHandler, make(chan struct{})}
			defer close(logger.ended)
			proxy := faults.NewProxy(t, servers.PostgresAddress(t))
			cfg := pgConfig(withHost(t, servers.Postgres(t), proxy.Address))
			cfg.Cache.Disabled = name == "cold"
			cfg.Postgres.SlowQuery = time.Millisecond
			proxy.DelayAnswers(2*time.Millisecond, 0) // so that each call logs
			md, closeAll, err := production.Open(t.Context(), cfg, production.Options{Logger: slog.New(logger)})
			if err != nil {
				t.Fatal(err)
			}

			const limit = 5 * time.Second
			wantWithin(t, "a write and a read", limit, func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				storeHours(ctx, t, md)
				if err := fetch(ctx, t, md); err != nil {
					t.Error(err)
				}
			})
			wantWithin(t, "closing", maxClose, closeAll)
		})
	}
}

// TestSmallMachine proves X11: with one processor, little memory and one connection, an import and reads of several
// series at a time are slower, and correct.
func TestSmallMachine(t *testing.T) {
	t.Parallel()
	t.Run("X11/import and read", func(t *testing.T) {
		t.Parallel()
		const memory = 256 // MiB
		f := newImportFile(t, 3*file.DefaultBatchBars)
		proxies := newServerProxies(t, true)
		j := f.newServerJob(t, migrated.Postgres(t), proxies[0])
		j.addInflux(servers.Influx(t), proxies[1])
		j.set("POSTGRES_MIN_CONNS=1", "POSTGRES_MAX_CONNS=1")
		j.variables = append(j.variables, "GOMAXPROCS=1", "GOMEMLIMIT=256MiB")
		run := j.start(t, j.importer(t))
		if code := j.end(t, run); code != 0 {
			t.Fatalf("the import has the exit code %d: %s", code, &run.errors)
		}

		j.finish(t)
		many := j.command(t, "fetch", string(imported[0]), string(imported[1]), "1m", "--output", "csv")
		out, err := many.Output()
		if rows := bytes.Count(out, []byte("\n")) - 1; err != nil || rows != len(imported)*j.bars {
			t.Fatalf("fetch: %d rows, want %d; %v", rows, len(imported)*j.bars, err)
		}

		usage, ok := many.ProcessState.SysUsage().(*syscall.Rusage)
		if ok && runtime.GOOS == "linux" && !hasRaceDetector() && usage.Maxrss > memory<<10 {
			t.Errorf("the fetch took %d KiB, more than %d MiB", usage.Maxrss, memory)
		}
	})
}

// hasRaceDetector reports whether the programs are built with the race detector, which multiplies their memory.
func hasRaceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
