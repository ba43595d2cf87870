package contract

import (
	"os"
	"os/exec"
	"testing"
)

// TestSuiteIsImportable runs the tests of a second module, which holds a store of its own to the suite.
func TestSuiteIsImportable(t *testing.T) {
	t.Parallel()
	test := exec.CommandContext(t.Context(), "go", "test", "./...")
	test.Dir = "../external"
	test.Env = append(os.Environ(), "GOWORK=off")
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("go test in tests/external: %v\n%s", err, out)
	}
}
