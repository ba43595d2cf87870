package sqlite

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStatementsWalkTheKey holds every statement on the path of bars and ticks to a key: no scan of a table, and nothing sorted but the
// keys of the last ticks, of which one is kept, the few ticks that a write looks up, and the extents of several symbols.
func TestStatementsWalkTheKey(t *testing.T) {
	t.Parallel()
	s, closeStore, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "market.db")})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)
	someSymbols, _ := selectSymbols([]string{"BTC/USD"}, "", 0)
	someHeld, _ := selectHeld([]string{"BTC/USD"}, true)
	const (
		ofChunks = "SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 (series=? AND first_open"
		ofID     = "SEARCH chunks USING INTEGER PRIMARY KEY (rowid=?)"
		ofTrades = "SEARCH trades USING PRIMARY KEY (series=? AND time"
	)
	for _, test := range []struct {
		name, text, search string
		sorts              int
	}{
		{"chunks", selectChunks, ofChunks, 0},
		{"last chunks", selectLastChunks, ofChunks, 0},
		{"cell", selectCell, ofChunks, 0},
		{"update chunk", updateChunk, ofID, 0},
		{"delete chunk", deleteChunk, ofID, 0},
		{"trades", tradeSQL.selectRange, ofTrades, 0},
		{"last trades", tradeSQL.selectLast, ofTrades, 1},
		{"trade keys", tradeSQL.selectKeys, ofTrades, 0},
		{"trades at", tradeSQL.selectAt(3), "SEARCH trades USING PRIMARY KEY (series=? AND time=? AND seq=?)", 1},
		{"symbols", someSymbols, "SEARCH symbols USING PRIMARY KEY (symbol=?)", 0},
		{"series", selectSeries, "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (symbol=? AND grid=? AND kind=?)", 0},
		{"series held", someHeld, "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (symbol=?)", 1},
		{"extents held", someHeld, "SEARCH extents USING PRIMARY KEY (series=?)", 1},
		{"extents", selectExtents, "SEARCH extents USING PRIMARY KEY (series=? AND range_start<?)", 0},
		{"delete extents", deleteExtents, "SEARCH extents USING PRIMARY KEY (series=? AND range_start<?)", 0},
		{"delete trade", tradeSQL.deleteOne, "SEARCH trades USING PRIMARY KEY (series=? AND time=? AND seq=?)", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := explain(t, s, test.text)
			if !strings.Contains(plan, test.search) || scan.MatchString(plan) ||
				strings.Count(plan, "B-TREE") != test.sorts {
				t.Errorf("plan of %s:\n%s", test.text, plan)
			}
		})
	}
}

// scan is the plan of a statement that walks a whole table; json_each is the list of symbols.
var scan = regexp.MustCompile(`SCAN (chunks|trades|symbols|series|extents)`)

var parameter = regexp.MustCompile(`\?[0-9]*`)

// explain is SQLite's plan for the statement.
func explain(t *testing.T, s *Store, text string) string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+parameter.ReplaceAllString(text, "1"))
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
