package faults_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(importerEnv) != "" {
		os.Exit(runImporter()) // this process is a child of import_test.go
	}

	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if program.dir != "" {
			_ = os.RemoveAll(program.dir)
		}
		os.Exit(code)
	}))
}

// program is the command, which the first test that needs it builds.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// commandPath returns the path of the command.
func commandPath(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "marketdata-faults-"); program.err != nil { //nolint:usetesting // for all tests
			return
		}

		build := exec.Command("go", "build", "-o", program.dir+string(filepath.Separator), "../../cmd/marketdata")
		if out, err := build.CombinedOutput(); err != nil {
			program.err = errors.Join(err, fmt.Errorf("build the command: %s", out))
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}

	return filepath.Join(program.dir, "marketdata")
}
