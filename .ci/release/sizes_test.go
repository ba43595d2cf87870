package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// entryPoints caps the size of a stripped program for linux/amd64 that uses one entry point and nothing else.
var entryPoints = []struct {
	name    string
	imports []string
	open    string // the statement that opens it
	maxMiB  float64
}{
	{
		name: "backtest", maxMiB: 3,
		imports: []string{"adapters/clock", "adapters/store/memory", "app", "wiring/backtest"},
		open:    "md, err := backtest.New(memory.New(), clock.NewSimulated(time.Now()), app.Config{})",
	},
	{
		name: "embedded", maxMiB: 10,
		imports: []string{"wiring", "wiring/embedded"},
		open:    "md, _, err := embedded.Open(context.Background(), wiring.Config{}, embedded.Options{})",
	},
	{
		name: "production", maxMiB: 30,
		imports: []string{"wiring", "wiring/production"},
		open:    "md, _, err := production.Open(context.Background(), wiring.Config{}, production.Options{})",
	},
}

const sizeProgram = `package main

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
%s)

func main() {
	%s
	if err != nil {
		panic(err)
	}

	result, err := md.Fetch(context.Background(), domain.DataRequest{Start: time.Now()})
	println(result.Series.Len(), err)
}
`

func TestSizeOfEntryPoints(t *testing.T) {
	for _, e := range entryPoints {
		t.Run(e.name, func(t *testing.T) {
			var imports string
			for _, path := range e.imports {
				imports += fmt.Sprintf("\t\"github.com/gal-friday/marketdata/%s\"\n", path)
			}

			source, program := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(source, fmt.Appendf(nil, sizeProgram, imports, e.open), 0o600); err != nil {
				t.Fatal(err)
			}

			linux := platform{"linux", "amd64"}
			cmd := goCommand("../..", linux, "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}

			info, err := os.Stat(program)
			if err != nil {
				t.Fatal(err)
			}

			mebibytes := float64(info.Size()) / (1 << 20)
			t.Logf("%.2f MiB of %.0f MiB", mebibytes, e.maxMiB)
			if mebibytes > e.maxMiB {
				t.Errorf("a program that links only wiring/%s has %.2f MiB, more than %.0f MiB; see with "+
					"`go tool nm -size -sort size` what it links, and with `go list -deps` why", e.name, mebibytes, e.maxMiB)
			}
		})
	}
}
