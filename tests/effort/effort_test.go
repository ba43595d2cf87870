package effort

import (
	"os"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckLimitsCalls(t *testing.T) {
	const most = 7
	for deep, want := range map[string]int{"": most, "1": 100} {
		t.Setenv(EnvDeep, deep)
		calls := 0
		Check(t, most, func(*rapid.T) { calls++ })
		if os.Getenv("RAPID_CHECKS") == "" && calls != want {
			t.Errorf("%s=%s: %d calls, want %d", EnvDeep, deep, calls, want)
		}
	}
}

// rapid repeats a check that failed, and each repetition must do what the check does.
func TestFailureLiftsLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		calls := 0
		limited := limit(1, func(*rapid.T) {
			calls++
			panic("fails")
		})
		for want := 1; want <= 3; want++ {
			func() {
				defer func() { _ = recover() }()
				limited(rt)
			}()
			if calls != want {
				rt.Fatalf("%d calls, want %d", calls, want)
			}
		}
	})
}
