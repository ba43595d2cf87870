package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
	"github.com/gal-friday/marketdata/wiring/production"
)

const (
	importerEnv = "MARKETDATA_TEST_IMPORTER" // number of bars of each series that a child of this test imports

	// importedBatch is the number of bars of one write of the importer. The command stores file.DefaultBatchBars at once,
	// which is a multiple.
	importedBatch = 1000

	exitUnavailable = 4 // of the command, and of the importer
)

// imported are the series that the importer writes together. The file of the command has the first.
var imported = []domain.Symbol{"A/B", "C/D"}

// importedBars returns the bars of a series. They do not depend on the process.
func importedBars(symbol domain.Symbol, n int) domain.Series { return gen.Walk(symbol, n) }

// openConfigured opens the wiring that the command would choose.
func openConfigured(ctx context.Context, cfg wiring.Config) (*app.Service, func(), error) {
	if cfg.HasServer() {
		return production.Open(ctx, cfg, production.Options{})
	}

	return embedded.Open(ctx, cfg, embedded.Options{})
}

// runImporter imports the bars of all series in batches, as the environment configures the stores, and prints how many
// bars of each series are stored when IngestBatch returns. The exit code is exitUnavailable if a retry may succeed.
func runImporter() int {
	err := importAll(context.Background())
	if err == nil {
		return 0
	}

	fmt.Fprintln(os.Stderr, err)
	for _, kind := range []error{ports.ErrUnavailable, ports.ErrTimeout, ports.ErrOverloaded, ports.ErrIncomplete,
		ports.ErrConflict} {
		if errors.Is(err, kind) {
			return exitUnavailable
		}
	}

	return 1
}

func importAll(ctx context.Context) error {
	n, err := strconv.Atoi(os.Getenv(importerEnv))
	if err != nil {
		return err
	}

	cfg, err := wiring.Load("", nil)
	if err != nil {
		return err
	}

	md, closeAll, err := openConfigured(ctx, cfg)
	if err != nil {
		return err
	}

	defer closeAll()
	var series []domain.Series
	for _, symbol := range imported {
		series = append(series, importedBars(symbol, n))
	}
	for first := 0; first < n; first += importedBatch {
		var writes []ports.BarWrite
		for _, bars := range series {
			writes = append(writes, ports.BarWrite{Bars: bars.Slice(first, first+importedBatch)})
		}
		for _, result := range md.IngestBatch(ctx, writes) {
			if result.Err != nil {
				return result.Err
			}
		}
		fmt.Println(first + importedBatch)
	}

	return nil
}

// importFile is a file with the bars of the first series, and a database that an undisturbed import of it made.
type importFile struct {
	path, reference string
	bars            int
	environment     []string // of every child
}

func newImportFile(t *testing.T, bars int) *importFile {
	t.Helper()
	var text bytes.Buffer
	w := file.NewBarWriter(&text)
	if err := errors.Join(w.Write(importedBars(imported[0], bars)), w.Flush()); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	f := &importFile{
		path: filepath.Join(dir, "bars.csv"), reference: filepath.Join(dir, "reference.db"), bars: bars,
		environment: []string{"HOME=" + dir, "GORACE=atexit_sleep_ms=0"},
	}
	if err := os.WriteFile(f.path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	undisturbed := &importJob{importFile: f, variables: []string{wiring.EnvPrefix + "SQLITE_PATH=" + f.reference}}
	if out, err := undisturbed.importCommand(t).CombinedOutput(); err != nil {
		t.Fatalf("import the file: %v: %s", err, out)
	}

	return f
}

// importJob is an import into one place that is killed and begun again until it ends.
type importJob struct {
	*importFile
	variables []string // name the stores
	cfg       wiring.Config

	acked  int                   // bars of each series whose import was acknowledged
	stored map[domain.Symbol]int // that verify has read: they must stay
}

// newSQLiteJob returns an import into a new file at the path.
func (f *importFile) newSQLiteJob(path string) *importJob {
	j := &importJob{importFile: f, stored: map[domain.Symbol]int{}}
	j.cfg.SQLite.Path = path
	j.variables = []string{wiring.EnvPrefix + "SQLITE_PATH=" + path}

	return j
}

// command returns the command with arguments on the stores of the job.
func (j *importJob) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), commandPath(t), args...)
	c.Env = slices.Concat(j.environment, j.variables)

	return c
}

// importCommand returns the command that imports the file.
func (j *importJob) importCommand(t *testing.T) *exec.Cmd {
	t.Helper()
	return j.command(t, "import", "--symbol", string(imported[0]), "--frequency", "1m", j.path)
}

// importer returns the importer, which writes all series.
func (j *importJob) importer(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = slices.Concat(j.environment, j.variables, []string{importerEnv + "=" + strconv.Itoa(j.bars)})

	return c
}

// child is a running import.
type child struct {
	command *exec.Cmd
	errors  bytes.Buffer
	output  *bufio.Scanner
}

// start starts an import.
func (j *importJob) start(t *testing.T, command *exec.Cmd) *child {
	t.Helper()
	c := &child{command: command}
	command.Stderr = &c.errors
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}

	c.output = bufio.NewScanner(out)

	return c
}

// wait waits until the importer has acknowledged so many bars of each series, or ends.
func (j *importJob) wait(c *child, bars int) {
	for c.output.Scan() {
		n, err := strconv.Atoi(c.output.Text())
		if err != nil {
			continue // of the command
		}
		if j.acked = max(j.acked, n); n >= bars {
			return
		}
	}
}

// end waits for the end of an import, and notes the acknowledged rows. It returns the exit code, -1 after a kill.
func (j *importJob) end(t *testing.T, c *child) int {
	t.Helper()
	j.wait(c, math.MaxInt)
	var exit *exec.ExitError
	if err := c.command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}

	return c.command.ProcessState.ExitCode()
}

// verify fails the test unless the stores have the first bars of each series: whole batches, equal to the file, covered
// exactly, at least those that were acknowledged and those that an earlier verify has read.
func (j *importJob) verify(t *testing.T) {
	t.Helper()
	md, closeAll, err := openConfigured(t.Context(), j.cfg)
	if err != nil {
		t.Fatal(err)
	}

	defer closeAll()
	for _, symbol := range imported {
		want := importedBars(symbol, j.bars)
		result, err := md.Fetch(t.Context(), domain.DataRequest{
			Key: want.Key(), Start: want.Range().Start, End: want.Range().End,
		})
		if errors.Is(err, ports.ErrNotFound) && j.stored[symbol] == 0 && j.acked == 0 {
			continue
		}
		if err != nil {
			t.Fatalf("after a crash: %v", err)
		}

		n := result.Series.Len()
		if n%importedBatch != 0 || n < j.acked || n < j.stored[symbol] {
			t.Fatalf("%s: %d bars are stored; %d were acknowledged, %d were stored before", symbol, n, j.acked, j.stored[symbol])
		}
		if !result.Series.Equal(want.Slice(0, n)) {
			t.Fatalf("%s: the %d stored bars are not those of the file", symbol, n)
		}

		uncovered := domain.Range{Start: want.Range().Start.Add(time.Duration(n) * time.Minute), End: want.Range().End}
		isExact := len(result.Uncovered) == 0 && uncovered.Empty() ||
			len(result.Uncovered) == 1 && result.Uncovered[0].Equal(uncovered)
		if !isExact {
			t.Fatalf("%s: with %d bars, not covered is %v, want %v", symbol, n, result.Uncovered, uncovered)
		}
		j.stored[symbol] = n
	}
}

// finish completes the import with the command, and fails the test unless the stores then have exactly the file.
func (j *importJob) finish(t *testing.T) {
	t.Helper()
	if out, err := j.importCommand(t).CombinedOutput(); err != nil {
		t.Fatalf("complete the import: %v: %s", err, out)
	}

	diff := j.command(t, "diff", string(imported[0]), "1m", "--to-db", j.reference, "--output", "csv")
	if out, err := diff.CombinedOutput(); err != nil {
		t.Fatalf("the stores differ from the file: %v: %s", err, out)
	}

	j.verify(t)
	if j.stored[imported[0]] != j.bars {
		t.Fatalf("%d of %d bars are stored", j.stored[imported[0]], j.bars)
	}
}

// TestImportKilled proves X5 for SQLite: an import that is killed at any moment loses no acknowledged bar and leaves
// no part of a batch, and the same command completes it.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	bars, kills := 2*file.DefaultBatchBars, 20
	if effort.IsDeep() {
		kills = 500
	}
	f := newImportFile(t, bars)
	t.Run("X5/sqlite/random", func(t *testing.T) { testKilledRandomly(t, f, kills) })
	for name, suffix := range map[string]string{"created": "", "written": "-wal", "shared": "-shm"} {
		t.Run("X5/sqlite/"+name, func(t *testing.T) { testKilledWhenItGrows(t, f, suffix) })
	}
}

// testKilledRandomly kills the importer and the command by turns, each up to so late that most runs are not complete.
func testKilledRandomly(t *testing.T, f *importFile, kills int) {
	starts := []func(*importJob, *testing.T) *exec.Cmd{(*importJob).importer, (*importJob).importCommand}
	limits := make([]time.Duration, len(starts))
	for i, start := range starts {
		j := f.newSQLiteJob(filepath.Join(t.TempDir(), "market.db"))
		began := time.Now()
		if code := j.end(t, j.start(t, start(j, t))); code != 0 {
			t.Fatalf("an undisturbed import has the exit code %d", code)
		}

		limits[i] = time.Since(began)
	}

	for n := 0; n < kills; {
		j := f.newSQLiteJob(filepath.Join(t.TempDir(), "market.db"))
		for code := -1; code != 0 && n < kills; n++ {
			c := j.start(t, starts[n%len(starts)](j, t))
			kill := time.AfterFunc(rand.N(limits[n%len(starts)]), func() { _ = c.command.Process.Kill() })
			code = j.end(t, c)
			kill.Stop()
			if code > 0 {
				t.Fatalf("the import has the exit code %d: %s", code, &c.errors)
			}

			j.verify(t)
		}
		j.finish(t)
	}
}

// testKilledWhenItGrows kills the importer once one of SQLite's files is there, and then each time that it has another
// size.
func testKilledWhenItGrows(t *testing.T, f *importFile, suffix string) {
	path := filepath.Join(t.TempDir(), "market.db")
	j := f.newSQLiteJob(path)
	size := int64(-1)
	for range 3 {
		c := j.start(t, j.importer(t))
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			for ctx.Err() == nil {
				if info, err := os.Stat(path + suffix); err == nil && info.Size() != size {
					size = info.Size()
					_ = c.command.Process.Kill()

					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
		code := j.end(t, c)
		cancel()
		watching.Wait()
		if code > 0 {
			t.Fatalf("the import has the exit code %d: %s", code, &c.errors)
		}

		j.verify(t)
	}
	j.finish(t)
}
