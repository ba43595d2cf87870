package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noExample lists the packages that need no Example, with the reason.
var noExample = map[string]string{
	"app/seriescache":  "wiring puts it in front of a store",
	"app/describe":     "app.New makes it; Service has its methods",
	"app/health":       "app.New makes it; Service has its methods",
	"app/query":        "app.New makes it; the Examples of Service call it",
	"app/symbols":      "app.New makes it; Service has its methods",
	"domain/blockhash": "ingest, ledgers and checkpoints call it, not programs",
	"ports/blockcache": "app/seriescache takes its ports; the caches have Examples",
	"ports/ledger":     "ingest.WithLedger takes its two ports; wiring/production calls it",
}

// Every package that a program imports has an Example. Programs do not import internal packages, commands, and tests
// but for the contract suite.
func TestExamples(t *testing.T) {
	has := map[string]bool{}
	for _, f := range sourceFiles(t, true) {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		has[dir] = has[dir] || slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && strings.HasPrefix(fn.Name.Name, "Example") && strings.HasSuffix(f.path, "_test.go")
		})
	}

	for dir, ok := range has {
		_, excused := noExample[dir]
		switch {
		case ok && excused:
			t.Errorf("%s has an Example: remove it from the list", dir)
		case !ok && !excused && isForPrograms(dir):
			t.Errorf("%s has no Example", dir)
		}
	}
	for dir := range noExample {
		if _, exists := has[dir]; !exists {
			t.Errorf("%s does not exist: remove it from the list", dir)
		}
	}
}

func isForPrograms(dir string) bool {
	inTests := inside(dir, "tests") && dir != "tests/contract"
	return !inTests && !inside(dir, "cmd") && !slices.Contains(strings.Split(dir, "/"), "internal")
}

// Every exported name has a comment, and those of functions, methods and types begin with the name. Methods of types
// that are not exported are checked too, because errors and ports hand them out.
func TestExportedNamesHaveComments(t *testing.T) {
	for _, f := range sourceFiles(t, false) {
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no comment that begins with it", f.set.Position(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented returns the exported names of a declaration that lack a comment.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && !beginsWith(d.Doc, d.Name) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var missing []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				missing = append(missing, undocumentedType(d, s)...)
			case *ast.ValueSpec:
				missing = append(missing, undocumentedValues(d, s)...)
			}
		}

		return missing
	}

	return nil
}

func undocumentedType(d *ast.GenDecl, s *ast.TypeSpec) []*ast.Ident {
	var missing []*ast.Ident
	if s.Name.IsExported() && !beginsWith(s.Doc, s.Name) && !beginsWith(d.Doc, s.Name) {
		missing = append(missing, s.Name)
	}

	port, ok := s.Type.(*ast.InterfaceType)
	if !ok || !s.Name.IsExported() {
		return missing
	}
	for _, m := range port.Methods.List {
		if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc == nil && m.Comment == nil {
			missing = append(missing, m.Names...)
		}
	}

	return missing
}

// undocumentedValues returns the exported constants or variables that neither they nor their group explain.
func undocumentedValues(d *ast.GenDecl, s *ast.ValueSpec) []*ast.Ident {
	if d.Doc != nil || s.Doc != nil || s.Comment != nil {
		return nil
	}

	return slices.DeleteFunc(slices.Clone(s.Names), func(n *ast.Ident) bool { return !n.IsExported() })
}

// beginsWith reports whether the comment begins with the name, perhaps after an article.
func beginsWith(doc *ast.CommentGroup, name *ast.Ident) bool {
	words := strings.Fields(doc.Text())
	if len(words) > 1 && slices.Contains([]string{"A", "An", "The"}, words[0]) {
		words = words[1:]
	}

	return len(words) > 0 && strings.TrimRight(words[0], ".,:;") == name.Name
}

type sourceFile struct {
	path string // below the root
	set  *token.FileSet
	ast  *ast.File
}

// sourceFiles returns the Go files of the main module that are not generated.
func sourceFiles(t *testing.T, withTests bool) []sourceFile {
	t.Helper()
	top := root(t)
	var files []sourceFile
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && isOutside(top, path) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") && !withTests {
			return nil
		}

		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil || ast.IsGenerated(f) {
			return err
		}

		rel, err := filepath.Rel(top, path)
		files = append(files, sourceFile{path: rel, set: set, ast: f})

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return files
}

// isOutside reports whether the folder is hidden, of another module, or holds no source.
func isOutside(top, path string) bool {
	if path == top {
		return false
	}

	modules, _ := filepath.Glob(filepath.Join(path, "go.mod"))
	name := filepath.Base(path)

	return len(modules) > 0 || strings.HasPrefix(name, ".") || name == "testdata" || name == "bin"
}
