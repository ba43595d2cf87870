package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

const (
	// small is the size in bytes up to which a table is read whole in the time that a look into its index takes, about.
	smallTableBytes = 1 << 20

	// few is how many rows a table may have changed, or dead, beside a share of those it has, before somebody should look: autovacuum,
	// which comes once a minute, acts from less on.
	minChangedRows = 1000
)

// scannedTable is what the server knows of a table that a plan reads.
type tableStats struct {
	place               int    // among those asked for, from 1
	name, parent        string // where it is no partition, it is its own parent
	bytes               int64
	from, to            *time.Time // nil where it is not bounded
	live, dead, changed int64      // rows; changed since they were analyzed
	neverAnalyzed       bool

	indexes, columns []string // the columns of each, with ", " between
	usable           []bool
}

func scanTableStats(row pgx.CollectableRow) (t tableStats, err error) {
	err = row.Scan(&t.place, &t.name, &t.parent, &t.bytes, &t.from, &t.to, &t.live, &t.dead, &t.changed, &t.neverAnalyzed,
		&t.indexes, &t.columns, &t.usable)
	return t, err
}

// index is the best of the table's indexes that begin with the columns; found is false where there is none.
func (t *tableStats) findIndex(columns string) (name string, usable, found bool) {
	for i, own := range t.columns {
		if own == columns || strings.HasPrefix(own, columns+", ") {
			if t.usable[i] {
				return t.indexes[i], true, true
			}
			name, found = t.indexes[i], true
		}
	}
	return name, false, found
}

// outside reports whether the table is a partition that holds nothing of r.
func (t *tableStats) isOutside(r domain.Range) bool {
	return !r.Empty() && (t.from != nil && !t.from.Before(r.End) || t.to != nil && !t.to.After(r.Start))
}

// readKeys is the index that a read of bars needs in a table, as migrations/ makes it.
var readKeys = map[string]struct{ name, columns, form string }{
	"marketdata.bars":    {"bars_pkey", "symbol_id, kind, grid, open_time", "PRIMARY KEY"},
	"marketdata.symbols": {"symbols_symbol_key", "symbol", "UNIQUE"},
}

// unpruned is what is wrong with partitions that are read for nothing. Of one alone it is not said: the server has none to choose from
// where there is but one, and looks into its index.
const adviceUnpruned = "{} lie outside of the range and are read all the same: set enable_partition_pruning = on"

// advice is a sentence for each thing that is wrong, about all the tables that it is wrong with.
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
			found.add(t.name, "many rows came or changed since the planner's statistics were made: ANALYZE {}")
		}
		if t.dead > minChangedRows+t.live/2 {
			found.add(t.name, "dead rows are many beside the live ones: VACUUM {}")
		}
	}

	return found.sentences()
}

// wholeScan says why a table that is not small is read from end to end, where that is wrong.
func (t *tableStats) scanAdvice(scan tableScan) string {
	key, ours := readKeys[t.parent]
	name, usable, found := t.findIndex(key.columns)
	switch {
	case ours && !found:
		return fmt.Sprintf("the whole of {} is read, since the index %s on (%s) is missing: "+
			"ALTER TABLE %s ADD CONSTRAINT %s %s (%s)", key.name, key.columns, t.parent, key.name, key.form, key.columns)
	case ours && !usable:
		return fmt.Sprintf("the whole of {} is read, since its index %s is not valid: REINDEX INDEX CONCURRENTLY %s", name, name)
	case scan.rows >= float64(t.live)/10:
		return "" // an index would not be faster
	case ours:
		return "the whole of {} is read for a few rows, which an index there would find: " +
			"ANALYZE {}, and if that changes nothing, look at enable_indexscan and random_page_cost"
	}

	return "the whole of {} is read for a few rows: make an index on the columns of the symbol and of the time, in this order"
}

// findings is what is wrong, in the order in which it was found.
type findings []finding

type finding struct {
	template string // of the sentence, with {} for the tables
	tables   []string
}

// add notes that something is wrong with a table; "" is nothing.
func (f *findings) add(table, form string) {
	if form == "" {
		return
	}

	for i := range *f {
		if (*f)[i].template == form {
			(*f)[i].tables = append((*f)[i].tables, table)
			return
		}
	}

	*f = append(*f, finding{form, []string{table}})
}

func (f *findings) sentences() []string {
	var all []string
	for _, one := range *f {
		if one.template == adviceUnpruned && len(one.tables) == 1 {
			continue
		}
		all = append(all, strings.ReplaceAll(one.template, "{}", strings.Join(one.tables, ", ")))
	}

	return all
}
