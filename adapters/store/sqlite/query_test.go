package sqlite

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/ports"
)

// update makes TestSQLGolden write the golden files instead of comparing with them.
var update = flag.Bool("update", false, "write testdata/sql")

// namedSQL is a statement with its name in query.go.
type namedSQL struct{ name, text string }

// goldenSQL returns every statement of query.go by its golden file.
func goldenSQL() map[string][]namedSQL {
	return map[string][]namedSQL{
		"schema": {{"schema1", schema1}, {"selectVersion", selectVersion}, {"setVersion", setVersion(1)}},
		"chunks": {
			{"selectChunks", selectChunks}, {"selectLastChunks", selectLastChunks}, {"selectSlot", selectSlot},
			{"insertChunk", insertChunk}, {"updateChunk", updateChunk}, {"deleteChunk", deleteChunk},
		},
		"trades": tickStatements("tradeSQL", tradeSQL),
		"quotes": tickStatements("quoteSQL", quoteSQL),
		"series": {
			{"selectSeries", selectSeries}, {"insertSeries", insertSeries}, {"selectCovered", selectCovered},
			{"deleteRowsOf blocks", deleteRowsOf("blocks")}, {"deleteSeries", deleteSeries}, {"deleteSymbol", deleteSymbol},
		},
		"state": {
			{"selectCoverage", selectCoverage}, {"selectBlocks", selectBlocks}, {"selectLastBlocks", selectLastBlocks},
			{"savepoint", savepoint}, {"releaseSavepoint", releaseSavepoint}, {"rollbackToSavepoint", rollbackToSavepoint},
			{"updateVersion", updateVersion},
			{"upsertBlock", upsertBlock}, {"deleteBlock", deleteBlock}, {"deleteEmptyBlocks", deleteEmptyBlocks},
		},
		"symbols": {
			{"insertNewSymbol", insertNewSymbol},
			{"upsertSymbols of 2", upsertSymbols(2)},
			{"selectSymbols", textOf(selectSymbols(nil, ports.SymbolQuery{}))},
			{"selectSymbols by symbols", textOf(selectSymbols([]string{"BTC/USD"}, ports.SymbolQuery{}))},
			{"selectSymbols by pattern", textOf(selectSymbols(nil, ports.SymbolQuery{Pattern: "BTC*"}))},
			{"selectSymbols by symbols and pattern", textOf(selectSymbols([]string{"BTC/USD"}, ports.SymbolQuery{Pattern: "BTC*"}))},
			{"selectPageEnd", selectPageEnd},
		},
		"extents": {
			{"selectTouchingExtents", selectTouchingExtents}, {"deleteTouchingExtents", deleteTouchingExtents},
			{"insertExtent", insertExtent},
			{"selectExtents of bars", textOf(selectExtents(symbolRange{}, nil, true))},
			{"selectExtents of bars up to a symbol", textOf(selectExtents(symbolRange{last: "BTC/USD"}, nil, true))},
			{"selectExtents of ticks by symbols", textOf(selectExtents(symbolRange{}, []string{"BTC/USD"}, false))},
		},
	}
}

func textOf(text string, _ []any) string { return text }

// tickStatements returns every statement of a tickSQL, so that none can be left out.
func tickStatements(name string, table tickSQL) (statements []namedSQL) {
	v := reflect.ValueOf(table)
	for i := range v.NumField() {
		if field := v.Type().Field(i); !slices.Contains([]string{"table", "names", "columnCount"}, field.Name) {
			statements = append(statements, namedSQL{name + "." + field.Name, v.Field(i).String()})
		}
	}

	return append(statements,
		namedSQL{name + ".selectAt of 2", table.selectAt(2)}, namedSQL{name + ".upsert of 2", table.upsert(2)})
}

// TestSQLGolden compares every statement with testdata/sql, so that a changed statement shows in the diff of a change.
// Run it with -update to accept the change.
func TestSQLGolden(t *testing.T) {
	t.Parallel()
	for file, statements := range goldenSQL() {
		var b strings.Builder
		for _, s := range statements {
			b.WriteString("-- " + s.name + "\n" + strings.TrimSuffix(strings.TrimSpace(s.text), ";") + ";\n\n")
		}

		got := strings.TrimSuffix(b.String(), "\n")
		path := filepath.Join("testdata", "sql", file+".sql")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}

			continue
		}

		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from query.go; run the test with -update if the change is intended; got\n%s",
				path, got)
		}
	}
}

// TestGoldenFilesAreUsed fails if testdata/sql contains a file that TestSQLGolden does not compare.
func TestGoldenFilesAreUsed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "sql", "*"))
	if err != nil {
		t.Fatal(err)
	}

	statements := goldenSQL()
	for _, path := range files {
		if name := strings.TrimSuffix(filepath.Base(path), ".sql"); statements[name] == nil {
			t.Errorf("%s belongs to no statements; delete it", path)
		}
	}
	if len(files) == 0 {
		t.Error("no golden files")
	}
}

// TestSQLIsInOneFile fails if a file other than query.go contains SQL, or if testdata/sql lacks a statement of
// query.go.
func TestSQLIsInOneFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	for _, file := range files {
		if file == "query.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parseFile(t, file), func(n ast.Node) bool {
			if text, ok := stringLiteral(n); ok && statementStart.MatchString(text) {
				t.Errorf("%s contains SQL, which belongs in query.go: %.60q", file, text)
			}
			return true
		})
	}

	var golden []string
	for statements := range maps.Values(goldenSQL()) {
		for _, s := range statements {
			name, _, _ := strings.Cut(s.name, ".")
			name, _, _ = strings.Cut(name, " ")
			golden = append(golden, name)
		}
	}

	for _, name := range unusedDeclarations(parseFile(t, "query.go")) {
		if !slices.Contains(golden, name) {
			t.Errorf("no golden file contains %s", name)
		}
	}
}

var statementStart = regexp.MustCompile(
	`^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|BEGIN|COMMIT|ROLLBACK|EXPLAIN|VACUUM|WITH)\b`)

func parseFile(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}

	return parsed
}

func stringLiteral(n ast.Node) (text string, ok bool) {
	literal, ok := n.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}

	text, err := strconv.Unquote(literal.Value)

	return text, err == nil
}

// unusedDeclarations returns the constants, variables and functions of a file that no other declaration of the file
// uses, which are the statements: the others are parts of them.
func unusedDeclarations(file *ast.File) (unused []string) {
	var declared []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				declared = append(declared, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range values.Names {
						declared = append(declared, name.Name)
					}
				}
			}
		}
	}

	uses := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			uses[id.Name]++
		}
		return true
	})

	return slices.DeleteFunc(declared, func(name string) bool { return uses[name] > 1 })
}

// TestStatementsUseKeys verifies that statements search by a key and never scan a table. A sort (B-TREE) is allowed
// only of the keys of the last ticks, of the ticks that a write selects, and of the extents of several symbols.
func TestStatementsUseKeys(t *testing.T) {
	t.Parallel()
	s, closeStore, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "market.db")})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)
	symbols, _ := selectSymbols([]string{"BTC/USD"}, ports.SymbolQuery{Limit: 1})
	extents, _ := selectExtents(symbolRange{}, []string{"BTC/USD"}, true)
	const (
		byFirstOpen = "SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 (series=? AND first_open"
		byID        = "SEARCH chunks USING INTEGER PRIMARY KEY (rowid=?)"
		byTime      = "SEARCH trades USING PRIMARY KEY (series=? AND time"
		byTickKey   = "SEARCH trades USING PRIMARY KEY (series=? AND time=? AND seq=?)"
		byRange     = "SEARCH extents USING PRIMARY KEY (series=? AND range_start<?)"
		bySeries    = "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (symbol=? AND grid=? AND kind=?)"
	)
	for _, test := range []struct {
		name, text, search string
		sorts              int
	}{
		{"chunks", selectChunks, byFirstOpen, 0},
		{"last chunks", selectLastChunks, byFirstOpen, 0},
		{"slot", selectSlot, byFirstOpen, 0},
		{"update chunk", updateChunk, byID, 0},
		{"delete chunk", deleteChunk, byID, 0},
		{"trades", tradeSQL.selectRange, byTime, 0},
		{"last trades", tradeSQL.selectLast, byTime, 1},
		{"trade keys", tradeSQL.selectKeys, byTime, 0},
		{"trades at", tradeSQL.selectAt(3), byTickKey, 1},
		{"symbols", symbols, "SEARCH symbols USING PRIMARY KEY (symbol=?)", 0},
		{"series", selectSeries, bySeries, 0},
		{"series of extents", extents, "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (symbol=?)", 1},
		{"extents", extents, "SEARCH extents USING PRIMARY KEY (series=?)", 1},
		{"touching extents", selectTouchingExtents, byRange, 0},
		{"delete touching extents", deleteTouchingExtents, byRange, 0},
		{"delete trade", tradeSQL.deleteOne, byTickKey, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := explain(t, s, test.text)
			if !strings.Contains(plan, test.search) || tableScan.MatchString(plan) ||
				strings.Count(plan, "B-TREE") != test.sorts {
				t.Errorf("plan of %s:\n%s\nwant %s and %d sorts", test.text, plan, test.search, test.sorts)
			}
		})
	}
}

// tableScan matches a plan that scans a table. It does not match a scan of json_each, which is the list of symbols.
var tableScan = regexp.MustCompile(`SCAN (chunks|trades|symbols|series|extents)`)

var parameter = regexp.MustCompile(`\?[0-9]*`)

// explain returns SQLite's plan of the statement.
func explain(t *testing.T, s *Store, text string) string {
	t.Helper()
	rows, err := s.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+parameter.ReplaceAllString(text, "1"))
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}

		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}

	return strings.Join(plan, "\n")
}
