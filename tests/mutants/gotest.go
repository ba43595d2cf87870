package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// findKiller returns the first of the packages whose tests fail with the mutant, "" if all pass. It writes the mutated
// file to dir.
func (m *Mutant) findKiller(ctx context.Context, dir string) (string, error) {
	overlay, err := m.writeOverlay(dir)
	if err != nil {
		return "", err
	}

	for _, p := range m.Tests {
		output, err := goTest(ctx, overlay, p)
		if err == nil {
			continue
		}
		if ctx.Err() == nil && (strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]")) {
			return "", fmt.Errorf("%s: the mutant does not compile:\n%s", m.At, output)
		}

		return p, nil
	}

	return "", nil
}

// writeOverlay writes the mutated file and the overlay that puts it in the place of the file. It returns the path of
// the overlay.
func (m *Mutant) writeOverlay(dir string) (string, error) {
	mutated, err := m.Apply(".")
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(m.File)
	if err != nil {
		return "", err
	}

	copied, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	err = errors.Join(err, os.MkdirAll(dir, 0o700))
	err = errors.Join(err, os.WriteFile(copied, mutated, 0o600))
	err = errors.Join(err, os.WriteFile(overlay, text, 0o600))

	return overlay, err
}

// goTest runs the tests of the packages and returns what they print. A failing random test is neither shrunk nor kept,
// because the mutant is known.
func goTest(ctx context.Context, overlay string, packages ...string) (output string, err error) {
	args := []string{"test", "-count=1", "-vet=off", "-failfast", "-timeout=90s", "-overlay=" + overlay}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1", "RAPID_SHRINKTIME=0s")
	out, err := cmd.CombinedOutput()

	return string(out), err
}
