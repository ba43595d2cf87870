package arch

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt")

// TestAPI compares the exported names of every package that programs import, with their signatures, with
// testdata/api.txt.
func TestAPI(t *testing.T) {
	golden := filepath.Join("testdata", "api.txt")
	got := exportedAPI(t)
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}

	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	var changes []string
	for _, line := range want {
		if _, found := slices.BinarySearch(got, line); !found {
			changes = append(changes, "- "+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			changes = append(changes, "+ "+line)
		}
	}
	if len(changes) > 0 {
		t.Errorf("the exported API changed:\n%s\nadd a line to CHANGELOG.md and run: go test ./tests/arch -run API -update",
			strings.Join(changes, "\n"))
	}
}

// TestAPILines tests that each kind of declaration has its lines, and that names that are not exported have none.
func TestAPILines(t *testing.T) {
	const source = `package p
const A, b = 1, 2
const (
	C Kind = iota
	D
)
var E, f = 1, 2
type Kind uint8
type G[T any] struct { H, i int; *Kind; j }
type K interface { L(n int) error; Kind; m() }
type n struct { O int }
func (g *G[T]) P(a int) (b error) { return nil }
func (n) Q() {}
func R() {}
`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, d := range f.Decls {
		got = append(got, apiLines(t, d)...)
	}
	want := []string{
		"const A = 1", "const C Kind", "const D Kind", "var E = 1", "type Kind uint8", "type G[T any] struct", "type G struct, H int",
		"type G struct, *Kind", "type K interface", "type K interface, L(n int) error", "type K interface, Kind",
		"type K interface, unexported methods", "func (g *G[T]) P(a int) (b error)", "func R()",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// exportedAPI returns the lines of testdata/api.txt, sorted.
func exportedAPI(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, f := range sourceFiles(t, false) {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		if f.ast.Name.Name == "main" || !isForPrograms(dir) {
			continue
		}

		for _, d := range f.ast.Decls {
			for _, line := range apiLines(t, d) {
				lines = append(lines, dir+": "+line)
			}
		}
	}

	slices.Sort(lines)

	return slices.Compact(lines) // files of several platforms declare the same
}

// apiLines returns a line for each exported name that the declaration declares, its fields and methods included.
func apiLines(t *testing.T, d ast.Decl) (lines []string) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiverName(d.Recv.List[0].Type))) {
			lines = append(lines, oneLine(t, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type}))
		}
	case *ast.GenDecl:
		var group ast.Expr // the type of the constants of a group, which only the first one has
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				lines = append(lines, typeLines(t, s)...)
			case *ast.ValueSpec:
				if s.Type != nil || len(s.Values) > 0 {
					group = s.Type
				}
				lines = append(lines, valueLines(t, d.Tok, group, s)...)
			}
		}
	}

	return lines
}

// valueLines returns the lines of constants or variables: their type, and without one their value.
func valueLines(t *testing.T, tok token.Token, group ast.Expr, s *ast.ValueSpec) (lines []string) {
	t.Helper()
	for i, name := range s.Names {
		if !name.IsExported() {
			continue
		}

		line := tok.String() + " " + name.Name
		switch {
		case group != nil:
			line += " " + oneLine(t, group)
		case i < len(s.Values):
			line += " = " + oneLine(t, s.Values[i])
		}
		lines = append(lines, line)
	}

	return lines
}

// typeLines returns the lines of a type: of a struct its exported fields, of an interface its methods.
func typeLines(t *testing.T, s *ast.TypeSpec) []string {
	t.Helper()
	if !s.Name.IsExported() {
		return nil
	}

	name := "type " + s.Name.Name
	head := &ast.TypeSpec{Name: s.Name, TypeParams: s.TypeParams, Assign: s.Assign}
	switch typ := s.Type.(type) {
	case *ast.StructType:
		head.Type = ast.NewIdent("struct")
		return append([]string{"type " + oneLine(t, head)}, memberLines(t, name+" struct, ", typ.Fields)...)
	case *ast.InterfaceType:
		head.Type = ast.NewIdent("interface")
		return append([]string{"type " + oneLine(t, head)}, memberLines(t, name+" interface, ", typ.Methods)...)
	}

	head.Type = s.Type

	return []string{"type " + oneLine(t, head)}
}

// memberLines returns the lines of fields or methods. A method that is not exported has a line without its name, because
// it decides who may implement the interface.
func memberLines(t *testing.T, prefix string, members *ast.FieldList) (lines []string) {
	t.Helper()
	for _, m := range members.List {
		if len(m.Names) == 0 && ast.IsExported(receiverName(m.Type)) {
			lines = append(lines, prefix+oneLine(t, m.Type))
		}
		for _, name := range m.Names {
			method, isMethod := m.Type.(*ast.FuncType)
			isMethod = isMethod && strings.HasSuffix(prefix, " interface, ")
			switch {
			case isMethod && !name.IsExported():
				lines = append(lines, prefix+"unexported methods")
			case isMethod:
				lines = append(lines, prefix+name.Name+strings.TrimPrefix(oneLine(t, method), "func"))
			case name.IsExported():
				lines = append(lines, prefix+name.Name+" "+oneLine(t, m.Type))
			}
		}
	}

	return lines
}

// receiverName returns the name of the type of a receiver or of an embedded field, without its package.
func receiverName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverName(e.X)
	case *ast.IndexExpr:
		return receiverName(e.X)
	case *ast.IndexListExpr:
		return receiverName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	case *ast.BinaryExpr: // of a constraint
		return receiverName(e.X)
	}

	return ""
}

// oneLine returns the source of the node with single blanks.
func oneLine(t *testing.T, node ast.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := format.Node(&b, token.NewFileSet(), node); err != nil {
		t.Fatal(err)
	}

	return strings.Join(strings.Fields(b.String()), " ")
}
