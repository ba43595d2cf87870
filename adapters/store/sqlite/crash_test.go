package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	childEnv     = "MARKETDATA_TEST_SQLITE_CHILD" // path of the file that a child process writes until it is killed
	batchBars    = 100
	childBatches = 25 // batches that a child writes before it waits to be killed
	crashes      = 10
)

func childPath() string { return os.Getenv(childEnv) }

// batch returns the n-th batch of a child. The bars depend on n only.
func batch(n int) (domain.Series, error) {
	b := domain.NewSeriesBuilder(btc, batchBars)
	for i := n * batchBars; i < (n+1)*batchBars; i++ {
		if err := b.Append(barAt(start.Add(time.Duration(i)*time.Minute), int64(i))); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// writeUntilKilled writes batches after those in the file, and prints the number of each acknowledged batch. It never
// returns.
func writeUntilKilled(path string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx := context.Background()
	s, _, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		fail(err)
	}
	extents, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
	if err != nil {
		fail(err)
	}
	first := 0
	if len(extents) > 0 {
		first = int(extents[0].Range.End.Sub(start) / time.Minute / batchBars)
	}
	for n := first; n < first+childBatches; n++ {
		bars, err := batch(n)
		if err == nil {
			_, err = ports.WriteBars(ctx, s, bars, bars.Range(), ports.ConflictReplace)
		}
		if err != nil {
			fail(err)
		}
		fmt.Println(n)
	}

	_, err = os.Stdin.Read(make([]byte, 1)) // blocks until the test ends
	fail(err)
}

// startChild runs this test binary as a writer, and returns a scanner of the lines that it prints.
func startChild(t *testing.T, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}

	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}

	return child, bufio.NewScanner(out)
}

// nextAcked waits for the next acknowledgement and returns the number of acknowledged batches.
func nextAcked(t *testing.T, lines *bufio.Scanner) int {
	t.Helper()
	if !lines.Scan() {
		t.Fatal("the child exited before it was killed")
	}

	n, err := strconv.Atoi(lines.Text())
	if err != nil {
		t.Fatal(err)
	}

	return n + 1
}

// kill kills the child with SIGKILL and returns the number of acknowledged batches; acked is the number known before.
func kill(t *testing.T, child *exec.Cmd, lines *bufio.Scanner, acked int) int {
	t.Helper()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}

		acked = n + 1
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child exited before it was killed")
	}

	return acked
}

// assertBatches fails the test unless the file contains consecutive complete batches, as written and at least as many
// as were acknowledged. It returns their number.
func assertBatches(t *testing.T, s *sqlite.Store, acked int) int {
	t.Helper()
	r := domain.Range{Start: start, End: start.AddDate(100, 0, 0)}
	got, err := readAll(t.Context(), s, ports.BarQuery{Key: btc, Range: r})
	if err != nil {
		t.Fatal(err)
	}

	batches := got.Len() / batchBars
	if got.Len()%batchBars != 0 || batches < acked {
		t.Fatalf("%d bars in the file, %d batches of %d acknowledged", got.Len(), acked, batchBars)
	}

	for n := range batches {
		b, err := batch(n)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Slice(n*batchBars, (n+1)*batchBars).Equal(b) {
			t.Fatalf("batch %d differs from the batch written", n)
		}
	}

	return batches
}

// A killed writer must not lose an acknowledged batch or leave an incomplete one, and the coverage must be that of the
// bars.
func TestCrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	acked := 0
	for crash := range crashes {
		child, lines := startChild(t, path)
		for range 1 + crash { // a different number of batches each time
			acked = nextAcked(t, lines)
		}
		acked = kill(t, child, lines, acked)
		s, closeStore, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}

		batches := assertBatches(t, s, acked)
		if batches > acked+1 {
			t.Errorf("%d batches in the file, want at most one more than the %d acknowledged", batches, acked)
		}
		want := domain.Range{Start: start, End: start.Add(time.Duration(batches*batchBars) * time.Minute)}
		extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{}))
		if err != nil || len(extents) != 1 || !extents[0].Range.Equal(want) {
			t.Errorf("extents %v, %v, want %s", extents, err, want)
		}
		closeStore()
	}
}

// A read beside a writing process must see complete batches only, and all that were acknowledged before.
func TestReadWhileAnotherProcessWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s := open(t, path)
	child, lines := startChild(t, path)
	for acked := 0; acked < childBatches; {
		acked = nextAcked(t, lines)
		assertBatches(t, s, acked)
	}

	kill(t, child, lines, childBatches)
}
