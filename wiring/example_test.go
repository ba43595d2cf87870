package wiring_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gal-friday/marketdata/wiring"
)

// The file overrides the defaults, and the environment overrides the file. An error names its line.
func ExampleLoad() {
	folder, err := os.MkdirTemp("", "marketdata")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "marketdata.yaml")
	const text = "sqlite:\n  path: /var/lib/marketdata/bars.db\nservice:\n  timeout: 10s\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	cfg, err := wiring.Load(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(cfg.SQLite.Path, cfg.Service.Timeout, cfg.HighFrequencyBelow)
	// Output:
	// /var/lib/marketdata/bars.db 10s 1h
}
