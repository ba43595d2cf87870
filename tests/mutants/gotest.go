package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// findKiller returns a test that fails with the mutant, or an empty one if all pass. The test that killed the mutant the
// last time runs first, alone. findKiller writes the mutated file to dir.
func (m *Mutant) findKiller(ctx context.Context, dir string) (killer, error) {
	overlay, err := m.writeOverlay(dir)
	if err != nil {
		return killer{}, err
	}

	runs := []killer{m.Killer}
	for _, p := range m.Tests {
		runs = append(runs, killer{Package: p})
	}
	for _, k := range runs {
		if k.Package == "" {
			continue
		}

		output, err := goTest(ctx, overlay, k.Test, k.Package)
		if err == nil {
			continue
		}
		if ctx.Err() == nil && (strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]")) {
			return killer{}, fmt.Errorf("%s: the mutant does not compile:\n%s", m.At, output)
		}

		return killer{k.Package, failedTest(output)}, nil
	}

	return killer{}, nil
}

// failedTest returns the name of the first test that failed, with that of its innermost subtest; "" if none is named,
// as where the program ended.
func failedTest(output string) (name string) {
	for line := range strings.Lines(output) {
		failed, found := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: ")
		if !found {
			continue
		}
		if failed, _, _ = strings.Cut(failed, " "); name == "" || strings.HasPrefix(failed, name+"/") {
			name = failed
		}
	}

	return name
}

// runPattern returns the pattern of go test that selects the test, and all tests for "".
func runPattern(test string) string {
	if test == "" {
		return ""
	}

	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}

	return strings.Join(parts, "/")
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

// goTest runs the test, or all tests for "", of the packages and returns what they print. A failing random test is neither
// shrunk nor kept, because the mutant is known.
func goTest(ctx context.Context, overlay, test string, packages ...string) (output string, err error) {
	args := []string{
		"test", "-count=1", "-vet=off", "-failfast", "-timeout=90s", "-ldflags=-s -w", "-overlay=" + overlay,
		"-run=" + runPattern(test),
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1", "RAPID_SHRINKTIME=0s")
	out, err := cmd.CombinedOutput()

	return string(out), err
}
