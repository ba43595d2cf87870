package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// build writes the programs and the files that go with them to dir, which it empties first.
func build(root, dir string, linked []*module) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}

	for _, p := range platforms {
		if err := buildProgram(root, dir, p); err != nil {
			return fmt.Errorf("build for %s: %w", p, err)
		}
	}

	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}

	texts := map[string]string{"LICENSE": string(license), "NOTICE": notice(linked), "LINKED": list(linked)}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}

	return writeChecksums(dir)
}

func buildProgram(root, dir string, p platform) error {
	name := "marketdata-" + p.os + "-" + p.arch
	if p.os == "windows" {
		name += ".exe"
	}

	fmt.Println("build", name)
	cmd := goCommand(root, p, "build", "-trimpath", "-buildvcs=auto", "-ldflags=-s -w", "-o", filepath.Join(dir, name),
		"./cmd/marketdata")

	return cmd.Run()
}

// list returns a line for each linked module: path, version, licenses, and the platforms if it is not all.
func list(linked []*module) string {
	var b strings.Builder
	for _, m := range linked {
		fmt.Fprintf(&b, "%s %s %s", m.path, m.version, strings.Join(m.licenses(), ","))
		if len(m.platforms) < len(platforms) {
			fmt.Fprintf(&b, " %v", m.platforms)
		}
		b.WriteByte('\n')
	}

	return b.String()
}

// licenses returns the licenses of all files of the module, without repetition.
func (m *module) licenses() []string {
	var all []string
	for _, f := range m.files {
		for _, id := range f.licenses {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}

	return all
}

// notice returns the license texts of all linked modules.
func notice(linked []*module) string {
	var b strings.Builder
	b.WriteString("marketdata is licensed under the Apache License, Version 2.0 (LICENSE).\n" +
		"It links the following modules; std is the standard library of Go.\n")
	rule := strings.Repeat("=", 80)
	for _, m := range linked {
		for _, f := range m.files {
			text := strings.TrimSpace(strings.ReplaceAll(f.text, "\r\n", "\n"))
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%s\n\n%s\n", rule, m.path, m.version, f.name, rule, text)
		}
	}

	return b.String()
}

// writeChecksums writes SHA256SUMS, in the form that `sha256sum -c` reads.
func writeChecksums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}

	var b strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}

		fmt.Fprintf(&b, "%s  %s\n", checksum(string(data)), e.Name())
	}

	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(b.String()), 0o644)
}
