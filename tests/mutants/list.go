package main

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed list/*.txt
var files embed.FS

// Mutant is one wrong program: a file in which one text, which occurs once, is another text.
type Mutant struct {
	At         string   // file and line of the list, for errors
	Title      string   // the promise that the mutant breaks
	File       string   // path below the root of the module
	Old, New   string   // whole or parts of lines
	Tests      []string // packages whose tests may kill it, the likeliest first
	Killer     killer   // the test that killed it the last time; empty if none is known
	Equivalent string   // the reason why no test can tell it from the program; "" if one can
}

// killer is a test of a package.
type killer struct {
	Package string
	Test    string // with subtests; "" is all tests of the package
}

// String returns the package and the test.
func (k killer) String() string { return strings.TrimSpace(k.Package + " " + k.Test) }

// Apply returns the text of the file with the mutant in it. It returns an error unless the old text occurs once.
func (m *Mutant) Apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.At, err)
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return nil, fmt.Errorf("%s: the old text occurs %d times in %s; it must occur once:\n%s", m.At, n, m.File, m.Old)
	}

	return []byte(strings.Replace(string(text), m.Old, m.New, 1)), nil
}

// ReadList returns the mutants of all lists, in the order of the names of the lists.
func ReadList() ([]Mutant, error) {
	entries, err := files.ReadDir("list")
	if err != nil {
		return nil, err
	}

	var all []Mutant
	for _, e := range entries {
		text, err := files.ReadFile("list/" + e.Name())
		if err != nil {
			return nil, err
		}

		mutants, err := parseList(e.Name(), string(text))
		if err != nil {
			return nil, err
		}

		all = append(all, mutants...)
	}

	return all, nil
}

// listParser reads a list line by line; the package comment describes the lines.
type listParser struct {
	file     string
	tests    []string
	mutants  []Mutant
	old, new []string // lines of the last mutant
}

func parseList(name, text string) ([]Mutant, error) {
	p := listParser{}
	for i, line := range strings.Split(text, "\n") {
		if err := p.parseLine(fmt.Sprintf("%s:%d", name, i+1), line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}

	return p.mutants, p.endMutant()
}

// parseLine takes the next line.
func (p *listParser) parseLine(at, line string) error {
	mark, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "", mark == "#":
		return nil
	case mark == "-" && len(p.mutants) > 0:
		p.old = append(p.old, rest)
		return nil
	case mark == "+" && len(p.mutants) > 0:
		p.new = append(p.new, rest)
		return nil
	case mark == "killer:" && len(p.mutants) > 0:
		m := &p.mutants[len(p.mutants)-1]
		m.Killer.Package, m.Killer.Test, _ = strings.Cut(rest, " ")
		return nil
	case mark == "equivalent:" && len(p.mutants) > 0:
		p.mutants[len(p.mutants)-1].Equivalent = rest
		return nil
	}

	if err := p.endMutant(); err != nil {
		return err
	}
	switch mark {
	case "file:":
		p.file = rest
	case "tests:":
		p.tests = strings.Fields(rest)
	case "mutant:":
		p.mutants = append(p.mutants, Mutant{At: at, Title: rest, File: p.file, Tests: p.tests})
	default:
		return fmt.Errorf("%q is not a line of a list", line)
	}

	return nil
}

// endMutant gives the last mutant its texts.
func (p *listParser) endMutant() error {
	if len(p.mutants) == 0 {
		return nil
	}

	m := &p.mutants[len(p.mutants)-1]
	if m.Old != "" {
		return nil
	}

	m.Old, m.New = strings.Join(p.old, "\n"), strings.Join(p.new, "\n")
	p.old, p.new = nil, nil
	if m.Old == "" || m.Old == m.New || m.File == "" || len(m.Tests) == 0 {
		return errors.New("a mutant has a file, tests, an old text, and a new one that differs")
	}

	return nil
}

// writeKillers writes the killers into the lists of the module, each behind its mutant. The keys are as Mutant.At.
func writeKillers(dir string, killers map[string]killer) error {
	entries, err := files.ReadDir("list")
	if err != nil {
		return err
	}

	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(setKillers(e.Name(), string(text), killers)), 0o600); err != nil {
			return err
		}
	}

	return nil
}

// setKillers returns the text of a list with the killers in place of older ones of the same mutants.
func setKillers(name, text string, killers map[string]killer) string {
	var lines []string
	var pending killer // of the mutant whose lines these are
	flush := func() {
		if pending.Test != "" {
			lines = append(lines, "killer: "+pending.String())
		}
		pending = killer{}
	}
	for i, line := range strings.Split(text, "\n") {
		mark, _, _ := strings.Cut(line, " ")
		switch {
		case mark == "killer:" && pending.Test != "":
			continue
		case mark != "-" && mark != "+" && mark != "killer:":
			flush()
		}

		if k, found := killers[fmt.Sprintf("%s:%d", name, i+1)]; found {
			pending = k
		}
		lines = append(lines, line)
	}
	flush()

	return strings.Join(lines, "\n")
}
