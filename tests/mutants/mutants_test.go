package main

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestEveryMutantApplies tests that each mutant changes a text that occurs once, and is still a Go file.
func TestEveryMutantApplies(t *testing.T) {
	mutants, err := ReadList()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(mutants); n < 130 {
		t.Errorf("the lists have %d mutants; at least 130 are needed", n)
	}

	var titles []string
	for _, m := range mutants {
		text, err := m.Apply("../..")
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.File, text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", m.At, err)
		}
		titles = append(titles, m.File+": "+m.Title)
	}

	slices.Sort(titles)
	if unique := slices.Compact(slices.Clone(titles)); len(unique) != len(titles) {
		t.Errorf("titles repeat: %d mutants, %d titles", len(titles), len(unique))
	}
}

// TestApplyRefusesOtherTexts tests that a mutant whose text is gone, or is there twice, is an error.
func TestApplyRefusesOtherTexts(t *testing.T) {
	for _, old := range []string{"no such text in the file", "return"} {
		m := Mutant{At: "list:1", File: "list.go", Old: old, New: "panic"}
		if _, err := m.Apply("."); err == nil || !strings.Contains(err.Error(), "list:1: the old text occurs") {
			t.Errorf("%q: %v", old, err)
		}
	}
}

// TestParseRefuses tests that a list with a wrong line, or with a mutant that changes nothing, is an error.
func TestParseRefuses(t *testing.T) {
	const head = "file: list.go\ntests: ./domain\n"
	for _, list := range []string{
		"mutant: no file or tests\n- a\n+ b", head + "mutant: no texts", head + "mutant: equal texts\n- a\n+ a",
		head + "mutants: another word", "- a text without a mutant",
	} {
		if _, err := parseList("list", list); err == nil {
			t.Errorf("accepted:\n%s", list)
		}
	}

	mutants, err := parseList("list", head+"# a comment\nmutant: two lines\n- a\n- \tb\n+ c\nequivalent: because\n")
	if err != nil || len(mutants) != 1 {
		t.Fatal(mutants, err)
	}
	if m := mutants[0]; m.Old != "a\n\tb" || m.New != "c" || m.Equivalent != "because" || m.At != "list:4" {
		t.Errorf("%+v", m)
	}
}
