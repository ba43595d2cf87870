package arch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// faultRows are the rows of docs/faults.md: the highest number of each letter, and the numbers that it leaves out.
var faultRows = map[string]struct {
	last int
	none []int
}{
	"P": {27, []int{12, 13}}, "I": {last: 16}, "C": {last: 7}, "D": {last: 8}, "X": {last: 13},
}

// TestFaultRows proves that docs/faults.md has every row of the fault matrix once, and that each test that it names
// exists. A subtest exists if the tests of the package contain the first part of its name.
func TestFaultRows(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}

	for letter, rows := range faultRows {
		for n := 1; n <= rows.last; n++ {
			want := 1
			for _, none := range rows.none {
				if n == none {
					want = 0
				}
			}
			if got := strings.Count(string(text), fmt.Sprintf("\n| %s%d |", letter, n)); got != want {
				t.Errorf("docs/faults.md has %d rows %s%d, want %d", got, letter, n, want)
			}
		}
	}

	named := regexp.MustCompile("`([a-z/0-9]+) (Test[A-Za-z0-9]+)(?:/([^/`]+))?[^`]*`").FindAllStringSubmatch(string(text), -1)
	if len(named) == 0 {
		t.Error("docs/faults.md names no test")
	}
	for _, n := range named {
		tests := testText(t, n[1])
		if !strings.Contains(tests, "func "+n[2]+"(") {
			t.Errorf("docs/faults.md: %s has no %s", n[1], n[2])
		}
		if !strings.Contains(tests, n[3]) {
			t.Errorf("docs/faults.md: no test of %s contains %q", n[1], n[3])
		}
	}
}

// testText returns the text of all test files of a package.
func testText(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}

	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		all.Write(text)
	}

	return all.String()
}
