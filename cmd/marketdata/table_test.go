package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminalTables has a table of each listing, as wide as it becomes with usual names and large numbers.
func terminalTables() map[string]struct {
	columns []column
	rows    [][]string
} {
	const (
		start, end = "2018-04-04T00:01:00Z", "2024-12-31T23:59:00Z"
		symbol     = "SYNTHETIC:ACORN/USD"
		path       = "data/vendor/2024/SYNTHETIC-ACORN-USD_1m.csv"
	)

	return map[string]struct {
		columns []column
		rows    [][]string
	}{
		"coverageList": {coverageList.columns, [][]string{
			{symbol, "bars", "1d@America/New_York", "trade", start, end, "postgres", "declared"},
			{symbol, "trades", "", "", start, "2024-12-31T23:59:59.123456Z", "postgres", "inferred"},
		}},
		"freshnessList": {freshnessList.columns, [][]string{
			{symbol, "1d@America/New_York", "trade", end, "23h59m59s", "postgres", "declared"},
		}},
		"importList": {importList.columns, [][]string{
			{path, symbol + " 1m", "bars", "1234567", "1234567", "0", "0", "0", "0", "0", "0", "0", start, end},
			{path, symbol + " 1m", "bars", "1234567", "1", "2", "3", "4", "5", "6", "7", "8", start, end},
		}},
		"exportList": {exportList.columns, [][]string{{path, symbol + " 1m", "bars", "1234567", start, end}}},
		"copyList": {copyList.columns, [][]string{
			{symbol + " 1m", "bars", "1234567", "1234567", "0", "0", "0", start, end},
			{symbol + " 1m", "quotes", "1234567", "1234567", "1", "2", "3", start, end},
		}},
		"deleteList": {deleteList.columns, [][]string{{symbol + " 1d@America/New_York bid", "bars", start, end, "1234567"}}},
		"demoList":   {demoList.columns, [][]string{{path, symbol, "1m", "43200", start, end}}},
		"diffList": {diffList.columns, [][]string{
			{symbol + " 1d@America/New_York bid", start, "volume", "1234567.00000001", "1234567.00000002"},
		}},
		"uncoverList":   {uncoverList.columns, [][]string{{symbol + " 1d@America/New_York bid", start, end}}},
		"symbolList":    {symbolList.columns, [][]string{{symbol, "SYNTHETIC", "ACORN", "USD", "0.01", "0.00000001", "America/New_York"}}},
		"migrationList": {migrationList.columns, [][]string{{"postgres", "no schema", "version 12"}}},
		"propertyList": {propertyList.columns, [][]string{
			{"bars with inferred coverage", strings.Repeat(start+" to "+end+", ", 5) + "and 7 more"},
		}},
		"healthList": {healthList.columns, [][]string{
			{"postgres", "degraded", "123.45ms", "10 of 100", "PostgreSQL 17.2 (Debian 17.2-1.pgdg120+1)", "version 12"},
		}},
		"detailsList": {detailsList.columns, [][]string{
			{"postgres", "marketdata_reader", "market_production", "very-long-host-name.eu-central-1.rds.example.org:5432"},
		}},
		"operationList": {operationList.columns, [][]string{
			{"read tick extents", "postgres", "1234567", "12345", "1234567", "1.23ms", "12.3ms", "1.23s"},
		}},
		"barColumns": {append([]column{{name: "symbol"}}, barColumns()...), [][]string{
			{symbol, "2018-04-04 00:01", "42150.50", "42150.50", "42150.50", "42150.50", "1234.12345678", "12345"},
		}},
		"tradeView": {tradeView.columns, [][]string{
			{"2018-04-04 00:01:02.123456", "123456789", "42150.50", "1234.12345678", "sell"},
		}},
		"quoteView": {quoteView.columns, [][]string{
			{"2018-04-04 00:01:02.123456", "1234", "42150.50", "42150.50", "1.12345678", "1.12345678"},
		}},
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	for name, table := range terminalTables() {
		for _, width := range []int{50, 64, helpWidth, 100, 200} {
			var out bytes.Buffer
			if err := printTable(&terminal{Writer: &out, width: width}, table.columns, table.rows); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s on %d columns: a line of %d: %s", name, width, n, line)
				}
			}
			for _, row := range table.rows {
				for i, cell := range row {
					isNumber := table.columns[i].kind == number && cell != "0"
					isTime := strings.HasPrefix(cell, "2018-04-04 ")
					if (isNumber || isTime) && !strings.Contains(out.String(), cell) {
						t.Errorf("%s on %d columns: %s is not whole in\n%s", name, width, cell, out.String())
					}
				}
			}
		}
	}
}

// TestTablesAreAllTested finds the listings and views of the package in its sources.
func TestTablesAreAllTested(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	isTable := regexp.MustCompile(`^[a-z]+(List|View)$`)
	tested := terminalTables()
	found := 0
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}

		for _, d := range file.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				v, ok := n.(*ast.ValueSpec)
				if !ok || len(v.Values) == 0 || !isTable.MatchString(v.Names[0].Name) {
					return true
				}

				found++
				if _, ok := tested[v.Names[0].Name]; !ok && v.Names[0].Name != "diagnosisList" { // which is for CSV only
					t.Errorf("%s has no table in terminalTables", v.Names[0].Name)
				}

				return true
			})
		}
	}
	if found < 15 {
		t.Errorf("%d tables found; want all", found)
	}
}

// A table that is not on a terminal is as wide as its cells.
func TestPrintTableIsWideOnAPipe(t *testing.T) {
	t.Parallel()
	for name, table := range terminalTables() {
		var out bytes.Buffer
		if err := printTable(&out, table.columns, table.rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range table.rows {
			for _, cell := range row {
				if !strings.Contains(out.String(), cell) {
					t.Errorf("%s: %q is missing in\n%s", name, cell, out.String())
				}
			}
		}
	}
}

func TestFitShortensTexts(t *testing.T) {
	t.Parallel()
	columns := []column{{name: "symbol"}, {name: "price", usual: "trade"}, {name: "start", kind: instant}, {name: "rows", kind: number}}
	rows := [][]string{{"SYNTHETIC:ACORN/USD", "trade", "2024-01-01T00:00:00Z", "12345"}}
	for width, want := range map[int]string{
		60: "SYMBOL               PRICE  START                  ROWS\n" +
			"SYNTHETIC:ACORN/USD  trade  2024-01-01T00:00:00Z  12345\n",
		50: "SYMBOL               PRICE  START (UTC)   ROWS\n" +
			"SYNTHETIC:ACORN/USD  trade  2024-01-01   12345\n",
		40: "SYMBOL               START (UTC)   ROWS\n" +
			"SYNTHETIC:ACORN/USD  2024-01-01   12345\n",
		35: "SYMBOL           START (UTC)   ROWS\n" +
			"SYNTHET…ORN/USD  2024-01-01   12345\n",
		30: "SYMBOL       SYNTHETI…CORN/USD\nSTART (UTC)  2024-01-01\nROWS         12345\n",
	} {
		var out bytes.Buffer
		if err := printTable(&terminal{Writer: &out, width: width}, columns, rows); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, got, want)
		}
	}
}

func TestColors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		variables map[string]string
		goos      string
		want      bool
	}{
		{map[string]string{"TERM": "xterm"}, "linux", true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, "linux", false},
		{map[string]string{"TERM": "dumb"}, "linux", false},
		{nil, "linux", false},
		{nil, "windows", false},
		{map[string]string{"WT_SESSION": "1"}, "windows", true},
	} {
		if got := wantsColor(func(name string) string { return test.variables[name] }, test.goos); got != test.want {
			t.Errorf("%v on %s: %v", test.variables, test.goos, got)
		}
	}

	var out bytes.Buffer
	for _, hasColor := range []bool{true, false} {
		screen := &terminal{Writer: &out, hasColor: hasColor}
		if _, err := io.WriteString(&messages{Writer: screen}, "marketdata: no\x1bdata\n"); err != nil {
			t.Fatal(err)
		}
		columns := []column{{name: "state", kind: state}}
		if err := printTable(screen, columns, [][]string{{"down"}}); err != nil {
			t.Fatal(err)
		}
	}

	const want = "\x1b[31mmarketdata:\x1b[0m no\\x1bdata\nSTATE\n\x1b[31mdown\x1b[0m\nmarketdata: no\\x1bdata\nSTATE\ndown\n"
	if out.String() != want {
		t.Errorf("got %q; want %q", out.String(), want)
	}
}

// A table that is too wide even with short texts has a line for each cell, and there only texts too long for a line are
// shortened.
func TestPrintTableShowsWholeCellsInRecords(t *testing.T) {
	t.Parallel()
	columns := []column{{name: "symbol"}, {name: "time", kind: instant}, {name: "file", kind: freeText}, {name: "reason", kind: prose}}
	rows := [][]string{{
		"SYNTHETIC:CEDAR/USD", "2018-04-04T00:01:00Z", strings.Repeat("long/", 10) + "name.csv", "one two three four five six seven",
	}}
	const want = `SYMBOL      SYNTHETIC:CEDAR/USD
TIME (UTC)  2018-04-04 00:01
FILE        long/long/lo…ng/name.csv
REASON      one two three four five
            six seven
`
	var out bytes.Buffer
	if err := printTable(&terminal{Writer: &out, width: 36}, columns, rows); err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
