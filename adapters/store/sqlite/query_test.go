package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBarStatementsWalkTheKey holds every statement on the path of bars to the primary key: no scan of the table, nothing sorted.
func TestBarStatementsWalkTheKey(t *testing.T) {
	t.Parallel()
	s, closeStore, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "market.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeStore)
	for name, text := range map[string]string{
		"selectBars": selectBars, "selectLastBars": selectLastBars, "selectTimes": selectTimes,
		"selectBarsAt": selectBarsAt(3), "deleteBars": deleteBars, "deleteBar": deleteBar,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+strings.ReplaceAll(text, "?", "1"))
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
			whole := strings.Join(plan, "\n")
			if !strings.Contains(whole, "SEARCH bars USING PRIMARY KEY (series=? AND open_time") ||
				strings.Contains(whole, "SCAN bars") || strings.Contains(whole, "B-TREE") {
				t.Errorf("plan of %s:\n%s", text, whole)
			}
		})
	}
}
