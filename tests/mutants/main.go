// Command mutants shows that the tests notice errors: it makes one small error at a time in the program, a mutant, and
// runs the tests that should notice it. `make mutants` runs it from the root of the module; it takes 20 minutes on two
// cores at most.
//
//	go run ./tests/mutants [-j 2] [-update] [TEXT]
//
// TEXT selects the mutants whose file or title contains it. With -update, the lists get the tests that killed them. The
// command fails if fewer than 95 % of the mutants are killed, if one no longer applies or does not compile, and if the
// tests fail without a mutant.
//
// The lists in list/ have the mutants. Their lines are:
//
//	# a comment
//	file: FILE             of the following mutants, below the root of the module
//	tests: PACKAGE ...     that may kill the following mutants, the likeliest first
//	mutant: TITLE          the promise that the mutant breaks
//	- OLD                  text that occurs once in the file, one line or several
//	+ NEW                  text in its place; no line deletes the old one
//	killer: PACKAGE TEST   the test that killed the mutant the last time, which runs first
//	equivalent: REASON     why no test can notice the mutant, which is then not run
//
// A mutant is compiled through an overlay of the go command, so that no file of the module is changed. It is killed if
// the tests of one of its packages fail, or hang. Tests that need a server are skipped.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"
)

// minKilled is the percentage of the mutants that are not equivalent that the tests must kill.
const minKilled = 95

func main() {
	workers := flag.Int("j", 2, "number of mutants that are tested at a time")
	update := flag.Bool("update", false, "write the tests that kill mutants into the lists")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	t := tester{started: time.Now(), workers: max(1, *workers), updates: *update, killers: map[string]killer{}}
	if err := t.run(ctx, strings.Join(flag.Args(), " ")); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// tester tests mutants, and counts.
type tester struct {
	dir      string // for mutated files
	started  time.Time
	workers  int  // mutants that are tested at a time
	updates  bool // the killers are written into the lists
	selected []Mutant

	equivalent int

	mu        sync.Mutex // guards the fields below, and printing
	done      int
	killers   map[string]killer // by Mutant.At
	survivors []Mutant
	faults    []error // mutants that cannot be tested
}

// run tests the mutants that the text selects, and prints a line for each.
func (t *tester) run(ctx context.Context, text string) error {
	mutants, err := ReadList()
	if err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "mutants"); err != nil {
		return err
	}

	defer os.RemoveAll(t.dir)
	for _, m := range mutants {
		switch {
		case !strings.Contains(m.File, text) && !strings.Contains(m.Title, text):
		case m.Equivalent != "":
			t.equivalent++
		default:
			t.selected = append(t.selected, m)
		}
	}
	if len(t.selected) == 0 {
		return fmt.Errorf("no mutant that can be killed has %q in its file or title", text)
	}
	if err := t.checkBaseline(ctx); err != nil {
		return err
	}

	t.testAll(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.updates {
		if err := writeKillers("tests/mutants/list", t.killers); err != nil {
			return err
		}
	}

	return t.report()
}

// checkBaseline returns an error unless the tests pass without a mutant. It also fills the build cache.
func (t *tester) checkBaseline(ctx context.Context) error {
	var packages []string
	seen := map[string]bool{}
	for _, m := range t.selected {
		for _, p := range m.Tests {
			if !seen[p] {
				seen[p] = true
				packages = append(packages, p)
			}
		}
	}

	if output, err := goTest(ctx, "", "", packages...); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, output)
	}

	return nil
}

// testAll tests the selected mutants.
func (t *tester) testAll(ctx context.Context) {
	next := make(chan int)
	var running sync.WaitGroup
	for range t.workers {
		running.Go(func() {
			for i := range next {
				t.test(ctx, i)
			}
		})
	}

	for i := range t.selected {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	running.Wait()
}

// test tests one mutant, and prints its outcome.
func (t *tester) test(ctx context.Context, i int) {
	m := t.selected[i]
	found, err := m.findKiller(ctx, fmt.Sprintf("%s/%d", t.dir, i))
	if ctx.Err() != nil {
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()

	t.done++
	outcome := "killed by " + found.String()
	switch {
	case err != nil:
		t.faults = append(t.faults, err)
		outcome = "FAULT " + err.Error()
	case found.Package == "":
		t.survivors = append(t.survivors, m)
		outcome = "SURVIVED"
	default:
		t.killers[m.At] = found
	}

	fmt.Printf("%3d/%d %s: %s: %s\n", t.done, len(t.selected), m.File, m.Title, outcome)
}

// report prints the sums, and returns an error unless enough mutants were killed.
func (t *tester) report() error {
	n, killed := len(t.selected), len(t.killers)
	fmt.Printf("%d mutants in %s: %d killed (%.1f %%), %d survived; %d more are equivalent\n", n,
		time.Since(t.started).Round(time.Second), killed, 100*float64(killed)/float64(max(1, n)), len(t.survivors),
		t.equivalent)
	for _, m := range t.survivors {
		fmt.Printf("survived: %s: %s (%s)\n", m.File, m.Title, m.At)
	}

	if len(t.faults) > 0 {
		return fmt.Errorf("%d mutants cannot be tested; mend the list", len(t.faults))
	}
	if 100*killed < minKilled*n {
		return fmt.Errorf("fewer than %d %% of the mutants are killed; write the missing tests", minKilled)
	}

	return nil
}
