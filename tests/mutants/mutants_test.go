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

// TestFailedTest tests that the innermost subtest of the first failure is found, and that its pattern is of it only.
func TestFailedTest(t *testing.T) {
	for output, want := range map[string]string{
		"--- FAIL: TestA (0.01s)\n    --- FAIL: TestA/b/c (0.00s)\n        x.go:1: no\n--- FAIL: TestD (0.01s)\nFAIL\n": "TestA/b/c",
		"    --- FAIL: TestA/b (0.00s)\n--- FAIL: TestB (0.00s)\n":                                                      "TestA/b", "ok\n": "", "panic: no\n": "",
	} {
		if got := failedTest(output); got != want {
			t.Errorf("%q: %q; want %q", output, got, want)
		}
	}
	if got := runPattern("TestA/b.c/d"); got != `^TestA$/^b\.c$/^d$` || runPattern("") != "" {
		t.Errorf("%q, %q", got, runPattern(""))
	}
}

// TestSetKillers tests that a killer stands behind the texts of its mutant, once, and that the others are kept.
func TestSetKillers(t *testing.T) {
	const head = "file: list.go\ntests: ./domain ./app\n"
	const old = head + "mutant: one\n- a\n+ b\nkiller: ./app TestOld\nmutant: two\n- c\n+ d\nequivalent: no\n\n" +
		"mutant: three\n- e\n+ f\nkiller: ./app TestKept\nmutant: four\n- g\n+ h"
	const want = head + "mutant: one\n- a\n+ b\nkiller: ./domain TestNew/x\nmutant: two\n- c\n+ d\nequivalent: no\n\n" +
		"mutant: three\n- e\n+ f\nkiller: ./app TestKept\nmutant: four\n- g\n+ h\nkiller: ./app TestEnd"
	killers := map[string]killer{"l:3": {"./domain", "TestNew/x"}, "l:16": {"./app", "TestEnd"}}
	got := setKillers("l", old, killers)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	mutants, err := parseList("l", got)
	if err != nil || len(mutants) != 4 || mutants[0].Killer != (killer{"./domain", "TestNew/x"}) || mutants[1].Killer.Test != "" {
		t.Errorf("%+v, %v", mutants, err)
	}
}
