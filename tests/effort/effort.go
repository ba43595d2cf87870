// Package effort says how much a random test does. `make test` runs the short form, in which each test that is slow
// makes fewer checks than rapid's 100. `make test-deep` sets MARKETDATA_TEST_DEEP=1, in which every test makes as many
// as -rapid.checks or RAPID_CHECKS says.
package effort

import (
	"os"
	"testing"

	"pgregory.net/rapid"
)

// EnvDeep is 1 for the long form.
const EnvDeep = "MARKETDATA_TEST_DEEP"

// IsDeep reports whether the tests run in the long form.
func IsDeep() bool { return os.Getenv(EnvDeep) == "1" }

// Check is rapid.Check with at most so many checks in the short form.
func Check(t *testing.T, most int, check func(*rapid.T)) {
	t.Helper()
	if !IsDeep() {
		check = limit(most, check)
	}
	rapid.Check(t, check)
}

// limit returns a check that does nothing after so many calls. A call that fails lifts the limit, because rapid repeats
// it to find a shorter one.
func limit(most int, check func(*rapid.T)) func(*rapid.T) {
	calls, failed := 0, false
	return func(t *rapid.T) {
		if calls == most && !failed {
			return
		}

		passed := false
		defer func() { failed = failed || !passed || t.Failed() }()
		calls++
		check(t)
		passed = true
	}
}
