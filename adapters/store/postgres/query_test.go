package postgres

import (
	"database/sql"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// update makes TestSQLGolden write the golden files instead of comparing with them.
var update = flag.Bool("update", false, "write testdata/sql")

// namedSQL is the text of one statement under the identifier that query.go gives it.
type namedSQL struct{ name, text string }

// goldenSQL returns every statement of query.go by its golden file.
func goldenSQL(t *testing.T) map[string][]namedSQL {
	t.Helper()
	return map[string][]namedSQL{
		"bars":   append(tableStatements("barSQL", barSQL), namedSQL{"selectBatch", selectBatch}),
		"trades": tableStatements("tradeSQL", tradeSQL),
		"quotes": tableStatements("quoteSQL", quoteSQL),
		"aggregate": {
			{"aggregateFixed", aggregateFixed}, {"aggregateCalendar", aggregateCalendar},
			{"selectTradeBounds", selectTradeBounds},
		},
		"extents": {
			{"selectPageEnd", selectPageEnd},
			{"selectExtentsOfPage", selectExtentsOfPage}, {"selectExtentsOfSymbols", selectExtentsOfSymbols},
			{"selectTickExtentsOfPage", selectTickExtentsOfPage}, {"selectTickExtentsOfSymbols", selectTickExtentsOfSymbols},
			{"selectTouchingRanges", selectTouchingRanges}, {"deleteRanges", deleteRanges},
			{"upsertRanges", upsertRanges},
		},
		"series": {
			{"selectRelations", selectRelations}, {"selectSeries", selectSeries}, {"insertSeries", insertSeries},
			{"lockSeries", lockSeries}, {"lockFreeSeries", lockFreeSeries}, {"updateSeries", updateSeries},
			{"selectBlocks", selectBlocks}, {"deleteBlocks", deleteBlocks},
			{"upsertBlocks", upsertBlocks},
		},
		"intents": {
			{"selectIntents", selectIntents}, {"deleteIntents", deleteIntents}, {"insertIntents", insertIntents},
			{"endIntents", endIntents},
			{"selectLedger", selectLedger}, {"renewIntents", renewIntents}, {"abandonIntents", abandonIntents},
			{"selectExpiredIntents", selectExpiredIntents},
			{"selectLedgerSeries", selectLedgerSeries}, {"selectLedgerSeriesOfSymbols", selectLedgerSeriesOfSymbols},
		},
		"states": {
			{"selectState", selectState}, {"selectFirstState", selectFirstState}, {"selectLastState", selectLastState},
			{"selectManyStates", selectManyStates}, {"selectChangedStates", selectChangedStates},
		},
		"symbols": append([]namedSQL{
			{"insertSymbols", insertSymbols}, {"upsertSymbols", upsertSymbols},
			{"removeSymbol", removeSymbol}, {"lockNewSeries", lockNewSeries},
		}, symbolSearches(t)...),
		"schema": {
			{"checkSchema", checkSchema}, {"checkVersions", checkVersions}, {"createSchema", createSchema}, {"selectVersion", selectVersion},
			{"ensurePartitions", ensurePartitions}, {"dropPartition", dropPartition}, {"selectPartitions", selectPartitions},
		},
		"session": {
			{"selectSessionSettings", selectSessionSettings}, {"selectServer", selectServer}, {"selectHidesRows", selectHidesRows}, {"selectRole", selectRole}, {"selectMissingPrivileges", selectMissingPrivileges}, {"selectIdentity", selectIdentity}, {"selectCacheKey", selectCacheKey},
			{"selectInfluxIdentity", selectInfluxIdentity}, {"updateInfluxIdentity", updateInfluxIdentity},
			{"begin", begin}, {"commit", commit}, {"rollback", rollback},
			{"beginSnapshot", beginSnapshot}, {"planByKeys", planByKeys},
			{"setApplicationName", setApplicationName}, {"limitStatements", limitStatements}, {"unlimitStatements", unlimitStatements},
			{"lockMigrations", lockMigrations}, {"unlockMigrations", unlockMigrations},
			{"listenHints", listenHints}, {"notifyHints", notifyHints},
		},
		"explain": {
			{"setArguments", setArguments},
			{"explainRead", explainRead("FORMAT TEXT", "statement", false)},
			{"explainRead limited", explainRead("FORMAT JSON, VERBOSE", "statement", true)},
			{"selectTableStats", selectTableStats},
		},
	}
}

// tableStatements returns every field of a tableSQL, so that a new one cannot be left out.
func tableStatements(name string, table tableSQL) (statements []namedSQL) {
	v := reflect.ValueOf(table)
	for i := range v.NumField() {
		statements = append(statements, namedSQL{name + "." + v.Type().Field(i).Name, v.Field(i).String()})
	}

	return statements
}

// symbolSearches returns the searches of the catalog that bun builds, with every combination of conditions.
func symbolSearches(t *testing.T) (statements []namedSQL) {
	t.Helper()
	config, err := pgx.ParseConfig("host=127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}

	pool := stdlib.OpenDB(*config) // never connects
	defer closeDB(t, pool)
	db := bun.NewDB(pool, pgdialect.New())
	for _, c := range []struct {
		name string
		q    ports.SymbolQuery
	}{
		{"all", ports.SymbolQuery{}},
		{"symbols", ports.SymbolQuery{Symbols: []domain.Symbol{"BTC/USD"}}},
		{"pattern", ports.SymbolQuery{Pattern: "BTC*"}},
		{"symbols pattern limit", ports.SymbolQuery{Symbols: []domain.Symbol{"BTC/USD"}, Pattern: "BTC*", Limit: 7}},
	} {
		text, args, err := symbolSearch(db, c.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(args) != strings.Count(text, "$") {
			t.Fatalf("%d arguments for %s", len(args), text)
		}

		statements = append(statements, namedSQL{"symbolSearch " + c.name, text})
	}

	return statements
}

func closeDB(t *testing.T, db *sql.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestSQLGolden compares every statement with testdata/sql, so that a change of the text that the server receives shows
// as a difference of SQL. Run it with -update to accept the change.
func TestSQLGolden(t *testing.T) {
	t.Parallel()
	for file, statements := range goldenSQL(t) {
		var b strings.Builder
		for _, s := range statements {
			b.WriteString("-- " + s.name + "\n" + strings.TrimSpace(s.text) + ";\n\n")
		}

		got := strings.TrimSuffix(b.String(), "\n")
		path := filepath.Join("testdata", "sql", file+".sql")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}

		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from query.go; run the test with -update if that is intended:\n%s", path, got)
		}
	}
}

// TestSQLIsInOneFile proves that query.go holds all SQL of the package but the grants, which it prints only, and that testdata/sql holds all statements of
// query.go.
func TestSQLIsInOneFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	for _, file := range files {
		if file == "query.go" || file == "grants.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			if text, ok := stringLiteral(n); ok && statementStart.MatchString(text) {
				t.Errorf("%s has SQL text, which belongs to query.go: %.60q", file, text)
			}
			return true
		})
	}

	var golden []string
	for _, statements := range goldenSQL(t) {
		for _, s := range statements {
			name, _, _ := strings.Cut(s.name, ".")
			golden = append(golden, name)
		}
	}

	declared, uses := declarations(parse(t, "query.go"))
	for _, name := range declared {
		isFragment := uses[name] > 1
		if !isFragment && !slices.Contains(golden, name) {
			t.Errorf("no golden file has %s", name)
		}
	}
}

// statementStart matches the start of a statement. Advice for people, such as "...: ANALYZE bars", does not start with
// one.
var statementStart = regexp.MustCompile(
	`^\s*(SELECT|INSERT|UPDATE|DELETE|COPY|CREATE|TRUNCATE|BEGIN|COMMIT|ROLLBACK` +
		`|SET|LISTEN|NOTIFY|EXPLAIN|WITH|LOCK)\b`)

func parse(t *testing.T, file string) *ast.File {
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

// declarations returns the constants and variables that a file declares at top level, and how often the file names
// each.
func declarations(file *ast.File) (names []string, uses map[string]int) {
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			if values, ok := spec.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					names = append(names, name.Name)
				}
			}
		}
	}

	uses = map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			uses[id.Name]++
		}
		return true
	})

	return names, uses
}
