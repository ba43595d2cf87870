package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

const (
	// smallTableBytes is the size up to which reading a whole table takes about as long as an index lookup.
	smallTableBytes = 1 << 20

	// minChangedRows is the number of changed or dead rows, beside a share of all rows, that is worth advice. It is
	// above the thresholds of autovacuum, which runs once a minute, so that advice means that autovacuum does not keep
	// up.
	minChangedRows = 1000
)

// tableStats is a row of selectTableStats: the facts of the server about a table that a plan reads.
type tableStats struct {
	place               int    // in the arguments, from 1
	name, parent        string // the parent of a table that is not a partition is the table itself
	bytes               int64
	from, to            *time.Time // bounds of a partition of bars; nil if unbounded
	live, dead, changed int64      // rows; changed since the last ANALYZE
	neverAnalyzed       bool

	// The indexes, by position: names, columns separated by ", ", and whether the index is usable.
	indexes, columns []string
	usable           []bool
}

func scanTableStats(row pgx.CollectableRow) (t tableStats, err error) {
	err = row.Scan(&t.place, &t.name, &t.parent, &t.bytes, &t.from, &t.to,
		&t.live, &t.dead, &t.changed, &t.neverAnalyzed, &t.indexes, &t.columns, &t.usable)
	return t, err
}

// findIndex returns an index that begins with the columns, a usable one if there is any.
func (t *tableStats) findIndex(columns string) (name string, usable, found bool) {
	for i, indexed := range t.columns {
		if indexed == columns || strings.HasPrefix(indexed, columns+", ") {
			if t.usable[i] {
				return t.indexes[i], true, true
			}
			name, found = t.indexes[i], true
		}
	}

	return name, false, found
}

// isOutside reports whether the table is a partition that cannot have a row of r.
func (t *tableStats) isOutside(r domain.Range) bool {
	return !r.Empty() && (t.from != nil && !t.from.Before(r.End) || t.to != nil && !t.to.After(r.Start))
}

// readKeys are the indexes that a read of bars needs, by table, as the migrations create them.
var readKeys = map[string]struct{ name, columns, constraint string }{
	"marketdata.bars":    {"bars_pkey", "symbol_id, series_id, open_time", "PRIMARY KEY"},
	"marketdata.series":  {"series_symbol_id_kind_grid_key", "symbol_id, kind, grid", "UNIQUE"},
	"marketdata.symbols": {"symbols_symbol_key", "symbol", "UNIQUE"},
}

// adviceUnpruned is about partitions that are read although they are outside the range. It is not given for a single
// partition, because the server does not prune the only one.
const adviceUnpruned = "{} are outside the range and are read nevertheless: set enable_partition_pruning = on"

// adviseOn returns one sentence for each problem, naming all tables that have it. scans has the scan of each table at
// its place.
func adviseOn(tables []tableStats, scans []tableScan, r domain.Range) []string {
	var found findings
	for _, t := range tables {
		scan := scans[t.place-1]
		if t.isOutside(r) {
			found.add(t.name, adviceUnpruned)
		}
		if t.bytes <= smallTableBytes {
			continue
		}

		if scan.sequential {
			found.add(t.name, t.scanAdvice(scan))
		}
		if t.neverAnalyzed || t.changed > minChangedRows+t.live/5 {
			found.add(t.name, "many rows changed since the planner's statistics were collected: ANALYZE {}")
		}
		if t.dead > minChangedRows+t.live/2 {
			found.add(t.name, "many rows are dead: VACUUM {}")
		}
	}

	return found.sentences()
}

// scanAdvice returns advice about a sequential scan of a table that is not small, "" if an index would not be faster.
func (t *tableStats) scanAdvice(scan tableScan) string {
	key, isOurs := readKeys[t.parent]
	name, usable, found := t.findIndex(key.columns)
	switch {
	case isOurs && !found:
		return fmt.Sprintf("the whole of {} is read, because the index %s on (%s) is missing: "+
			"ALTER TABLE %s ADD CONSTRAINT %s %s (%s)",
			key.name, key.columns, t.parent, key.name, key.constraint, key.columns)
	case isOurs && !usable:
		return fmt.Sprintf("the whole of {} is read, because its index %s is not valid: "+
			"REINDEX INDEX CONCURRENTLY %s", name, name)
	case scan.rows >= float64(t.live)/10:
		return ""
	case isOurs:
		return "the whole of {} is read for a small part of its rows, although an index finds them: " +
			"ANALYZE {}, and if that does not help, check enable_indexscan and random_page_cost"
	}

	return "the whole of {} is read for a small part of its rows: " +
		"create an index on the columns of the symbol and of the time, in this order"
}

// findings collects problems in the order in which they were found.
type findings []finding

type finding struct {
	template string // a sentence with {} for the names of the tables
	tables   []string
}

// add records that a table has the problem that the template describes. An empty template records nothing.
func (f *findings) add(table, template string) {
	if template == "" {
		return
	}

	for i := range *f {
		if (*f)[i].template == template {
			(*f)[i].tables = append((*f)[i].tables, table)
			return
		}
	}

	*f = append(*f, finding{template, []string{table}})
}

func (f *findings) sentences() []string {
	var sentences []string
	for _, one := range *f {
		if one.template == adviceUnpruned && len(one.tables) == 1 {
			continue
		}
		sentences = append(sentences, strings.ReplaceAll(one.template, "{}", strings.Join(one.tables, ", ")))
	}

	return sentences
}
