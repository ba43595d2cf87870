package arch

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gal-friday/marketdata"

// A room is a folder with all below it. It may import itself, the rooms named, and of other people's packages those named; the
// standard library is free but for the packages banned.
type room struct {
	path   string
	rooms  []string
	others []string // import path prefixes; anyOther allows all
	banned []string // standard library
	why    string
}

const anyOther = "*"

var rooms = []room{
	{
		path:   "domain",
		banned: []string{"context", "os", "net", "log", "log/slog", "database/sql", "testing"},
		why:    "what is true does not depend on anything that runs",
	},
	{
		path: "domain/apdconv", rooms: []string{"domain"}, others: []string{"github.com/cockroachdb/apd/v3"},
		banned: []string{"testing"}, why: "who needs no decimals of apd does not link it",
	},
	{
		path: "ports", rooms: []string{"domain"},
		banned: []string{"os", "net", "log", "log/slog", "database/sql", "testing"},
		why:    "promises do not run",
	},
	{
		path:   "adapters/store",
		rooms:  []string{"ports", "domain", "adapters/codec", "adapters/neterror", "adapters/secret", "adapters/tlsconfig"},
		others: []string{anyOther}, banned: []string{"testing"},
		why: "a store knows the ports and its own driver, never another store",
	},
	{
		path: "adapters/codec", rooms: []string{"domain"},
		banned: []string{"testing"},
		why:    "the packed form of a Series depends on nothing but the Series",
	},
	{
		path: "adapters/cache",
		rooms: []string{
			"ports", "domain", "adapters/codec", "adapters/neterror", "adapters/secret", "adapters/tlsconfig",
			"adapters/breaker",
		},
		others: []string{anyOther}, banned: []string{"testing"},
		why: "a cache keeps what it is given; what to keep is the application's to say",
	},
	{
		path: "adapters/tlsconfig", rooms: []string{"ports", "domain"}, banned: []string{"testing"},
		why: "TLS is the same for each server",
	},
	{path: "adapters/neterror", banned: []string{"testing"}, why: "an error of the network is the same for each server"},
	{
		path: "adapters/breaker", others: []string{"github.com/failsafe-go/failsafe-go"}, banned: []string{"testing"},
		why: "a server that fails is left alone the same way, whatever it serves",
	},
	{
		path: "adapters/resilience", rooms: []string{"ports", "domain", "adapters/breaker"},
		others: []string{"github.com/failsafe-go/failsafe-go", "golang.org/x/sync"}, banned: []string{"testing"},
		why: "policies know the ports and no driver",
	},
	{
		path: "adapters/secret", banned: []string{"testing"},
		why: "a secret is a text that is not printed, and depends on nothing",
	},
	{
		path: "adapters/telemetry", rooms: []string{"ports", "domain"}, banned: []string{"testing"},
		why: "what is measured in the process needs nothing but the process",
	},
	{path: "adapters/clock", rooms: []string{"ports", "domain"}, banned: []string{"testing"}, why: "a clock tells time"},
	{
		path: "adapters/file", rooms: []string{"ports", "domain", "adapters/codec"}, others: []string{anyOther},
		banned: []string{"testing"}, why: "file formats know bars, not stores",
	},
	{
		path: "app", rooms: []string{"ports", "domain"}, others: []string{"golang.org/x/sync"},
		banned: []string{"os", "net", "database/sql", "testing"},
		why:    "what we do must not depend on whom we do it with",
	},
	{
		path: "wiring", rooms: []string{"app", "adapters", "ports", "domain"}, others: []string{anyOther},
		banned: []string{"testing"}, why: "the one place that knows everybody",
	},
	{
		path: "cmd", others: []string{anyOther}, banned: []string{"testing"},
		rooms: []string{
			"wiring", "app", "adapters/file", "adapters/codec/barfile", "adapters/cache/redis", "ports", "domain",
		},
		why: "the command parses, calls and prints; which drivers are linked is said by wiring, and Redis by an option of it",
	},
	{
		path: "tests", rooms: []string{"domain", "ports", "adapters", "app", "wiring", "cmd"}, others: []string{anyOther},
		why: "tests may doubt everything; nothing imports them",
	},
	{
		path: "tests/contract", rooms: []string{"domain", "ports"},
		why: "authors of other stores import the suite and inherit nothing with it",
	},
}

// apart lists folders of which one child never imports another.
var apart = []string{"adapters/store", "adapters/cache"}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}

	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}

		all = append(all, p)
	}
}

func inside(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// roomOf is the most specific room that holds the package.
func roomOf(path string) (room, bool) {
	var best room
	for _, r := range rooms {
		if inside(path, r.path) && len(r.path) > len(best.path) {
			best = r
		}
	}

	return best, best.path != ""
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		r, ok := roomOf(path)
		if !ok {
			t.Errorf("%s is in no room; the rooms are listed in tests/arch", path)
			continue
		}

		for _, imported := range p.Imports {
			if why := refusal(r, imported); why != "" {
				t.Errorf("%s imports %s: %s (%s: %s)", path, imported, why, r.path, r.why)
			}
		}
	}
}

func refusal(r room, imported string) string {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		if inside(own, r.path) || slices.ContainsFunc(r.rooms, func(folder string) bool { return inside(own, folder) }) {
			return ""
		}
		return "not one of the rooms it may import"
	}
	if strings.Contains(strings.Split(imported, "/")[0], ".") {
		allowed := func(prefix string) bool { return prefix == anyOther || inside(imported, prefix) }
		if slices.ContainsFunc(r.others, allowed) {
			return ""
		}

		return "not one of the modules it may import"
	}
	if slices.Contains(r.banned, imported) {
		return "banned here"
	}

	return ""
}

func TestSiblingsDoNotKnowEachOther(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, folder := range apart {
			if !inside(path, folder) || path == folder {
				continue
			}

			child := strings.Split(strings.TrimPrefix(path, folder+"/"), "/")[0]
			for _, imported := range p.Imports {
				own, ok := strings.CutPrefix(imported, module+"/"+folder+"/")
				if ok && strings.Split(own, "/")[0] != child {
					t.Errorf("%s imports its sibling %s", path, imported)
				}
			}
		}
	}
}

// Rules must not outlive what they rule.
func TestRoomsExist(t *testing.T) {
	all := packages(t)
	for _, r := range rooms {
		if !slices.ContainsFunc(all, func(p listed) bool { return inside(strings.TrimPrefix(p.ImportPath, module+"/"), r.path) }) {
			t.Errorf("room %s holds no package: mend the rules", r.path)
		}
	}
}

// appImports lists, for each package of app, the packages of app that it may import. The order has no arrow up and no circle: a package imports
// only those listed before it.
var appImports = []struct {
	name string
	may  []string
}{
	{"app/internal/singleflight", nil},
	{"app/internal/access", nil},
	{"app/internal/checkpoint", nil},
	{"app/internal/fill", nil},
	{"app/internal/plan", nil},
	{"app/seriescache", []string{"app/internal/access", "app/internal/singleflight"}},
	{"app/symbols", []string{"app/internal/access", "app/internal/singleflight"}},
	{"app/health", []string{"app/internal/access"}},
	{"app/ingest", []string{"app/internal/access", "app/symbols"}},
	{"app/query", []string{"app/internal/access", "app/internal/checkpoint", "app/internal/fill", "app/internal/plan", "app/symbols"}},
	{"app/describe", []string{"app/internal/access", "app/query", "app/symbols"}},
	{"app", []string{"app/internal/access", "app/symbols", "app/health", "app/ingest", "app/query", "app/describe"}},
	{"app/replay", []string{"app/internal/access"}},
	{"app/record", nil},
}

func TestAppPackages(t *testing.T) {
	listed := map[string][]string{}
	for _, p := range appImports {
		for _, name := range p.may {
			if _, before := listed[name]; !before {
				t.Errorf("%s may import %s, which is not listed before it", p.name, name)
			}
		}
		listed[p.name] = p.may
	}

	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		if !inside(path, "app") {
			continue
		}

		may, ok := listed[path]
		if !ok {
			t.Errorf("%s is not listed in tests/arch", path)
		}
		for _, imported := range p.Imports {
			own, ours := strings.CutPrefix(imported, module+"/")
			if ours && inside(own, "app") && !slices.Contains(may, own) {
				t.Errorf("%s imports %s, which tests/arch does not allow", path, own)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	allowed := []string{
		"go.mod", "go.sum", "domain", "ports", "adapters", "app", "wiring", "cmd", "tests", "docs", "bin",
		"Makefile", "README.md", "CHANGELOG.md", "LICENSE",
	}
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

// Every package says in its comment what lives there, and none runs code when it is loaded.
func TestPackageCommentsAndInit(t *testing.T) {
	documented := map[string]bool{}
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root(t) || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}

		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}

		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || f.Doc != nil
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", path)
			}
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}

	return filepath.Dir(strings.TrimSpace(string(out)))
}
