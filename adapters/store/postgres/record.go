package postgres

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// record has everything of a series that a transaction reads and changes, beside the rows.
type record struct {
	op      string   // in errors, and in the statements
	names   []string // symbol, kind and grid
	layout  domain.BlockLayout
	r       domain.Range // the transaction needs the coverage that overlaps or touches it, and its blocks
	deletes bool         // a series that does not exist is not added

	needsNoBlocks bool // the transaction needs the coverage alone

	series series // zero until it was found
	err    error  // of this series alone

	// The state when the transaction locked the series.
	isLocked bool
	coverage []domain.Range
	blocks   []block

	// The state that the transaction stores. Blocks get its version.
	version       domain.Version // of the series
	isTouched     bool           // the series gets the version even if nothing else changes
	gone          []time.Time    // starts of ranges of the coverage
	covered       []domain.Range // new, or with a new end
	changedBlocks []block
	emptyBlocks   []int64
}

// recorded is a change of one series: a record and more.
type recorded interface{ base() *record }

func (r *record) base() *record { return r }

func recordsOf[C recorded](changes []C) []*record {
	records := make([]*record, len(changes))
	for i, c := range changes {
		records[i] = c.base()
	}

	return records
}

func (r *record) isUnresolved() bool { return r.series == series{} }

// isNew reports whether the series has no version yet.
func (r *record) isNew() bool { return r.version.Revision == 1 }

// isChanged reports whether the transaction changes the series.
func (r *record) isChanged() bool {
	return r.isTouched || len(r.gone)+len(r.covered)+len(r.changedBlocks)+len(r.emptyBlocks) > 0
}

// begin resets the record for another transaction.
func (r *record) begin() {
	*r = record{
		op: r.op, names: r.names, layout: r.layout, r: r.r,
		deletes: r.deletes, needsNoBlocks: r.needsNoBlocks, series: r.series,
	}
}

// cover adds a range to the coverage.
//
// INVARIANT: the stored ranges of a series are disjoint and do not touch.
func (r *record) cover(added domain.Range) {
	r.setCoverage(domain.MergeRanges(append(slices.Clone(r.coverage), added)))
}

// uncover subtracts a range from the coverage.
func (r *record) uncover(removed domain.Range) {
	var rest []domain.Range
	for _, old := range r.coverage {
		rest = append(rest, old.Subtract([]domain.Range{removed})...)
	}

	r.setCoverage(rest)
}

// setCoverage records how the stored ranges become the next ones.
func (r *record) setCoverage(next []domain.Range) {
	for _, old := range r.coverage {
		if !slices.ContainsFunc(next, func(n domain.Range) bool { return n.Start.Equal(old.Start) }) {
			r.gone = append(r.gone, old.Start)
		}
	}
	for _, n := range next {
		if !slices.ContainsFunc(r.coverage, n.Equal) {
			r.covered = append(r.covered, n)
		}
	}
}

// seriesArrays are the numbers that identify the series of the rows that a statement binds.
type seriesArrays struct{ symbolIDs, ids []int32 }

func (a *seriesArrays) add(s series) {
	a.symbolIDs, a.ids = append(a.symbolIDs, s.symbolID), append(a.ids, s.id)
}

// lockRecords returns the step that locks the series of the records, in their order.
func lockRecords(sql string, records []*record, nonce uint64) step {
	var locked seriesArrays
	var uids []int64
	for _, r := range records {
		locked.add(r.series)
		uids = append(uids, r.series.uid)
	}

	return step{statement{sql: sql, args: []any{locked.symbolIDs, locked.ids, uids}}, func(rows pgx.Rows) error {
		var n, revision int64
		_, err := pgx.ForEachRow(rows, []any{&n, &revision}, func() error {
			r := records[n-1]
			r.isLocked, r.version = true, domain.Version{Revision: revision + 1, Nonce: nonce}
			return nil
		})

		return err
	}}
}

// readCoverage returns the step that reads the coverage of the records.
func readCoverage(records []*record) step {
	args := rangeArgs(records)
	return step{statement{sql: selectTouchingRanges, args: args}, func(rows pgx.Rows) error {
		var n int64
		var start, end time.Time
		_, err := pgx.ForEachRow(rows, []any{&n, &start, &end}, func() error {
			records[n-1].coverage = append(records[n-1].coverage, domain.Range{Start: start.UTC(), End: end.UTC()})
			return nil
		})

		return err
	}}
}

// rangeArgs returns one array each of the numbers of the series, and of the starts and ends of the ranges.
func rangeArgs(records []*record) []any {
	var of seriesArrays
	var starts, ends []time.Time
	for _, r := range records {
		of.add(r.series)
		starts, ends = append(starts, r.r.Start), append(ends, r.r.End)
	}

	return []any{of.symbolIDs, of.ids, starts, ends}
}

// readBlocks returns the step that reads the blocks of the records that need them.
func readBlocks(records []*record) step {
	records = filter(records, func(r *record) bool { return !r.needsNoBlocks })
	var of seriesArrays
	var froms, tos []int64
	for _, r := range records {
		from, to := r.layout.Span(r.r)
		of.add(r.series)
		froms, tos = append(froms, from), append(tos, to)
	}

	return step{statement{sql: selectBlocks, args: []any{of.symbolIDs, of.ids, froms, tos}}, func(rows pgx.Rows) error {
		var n, nonce int64
		var last time.Time
		var b block
		targets := []any{&n, &b.number, &b.rows, &last, &b.last.seq, &b.version.Revision, &nonce, &b.hash}
		_, err := pgx.ForEachRow(rows, targets, func() error {
			b.last.micros, b.version.Nonce = last.UnixMicro(), uint64(nonce)
			records[n-1].blocks = append(records[n-1].blocks, b)
			return nil
		})

		return err
	}}
}

// storeRecords returns the statements that store the changes of the records.
func storeRecords(records []*record, nonce uint64) []step {
	if len(records) == 0 {
		return nil
	}

	var changed seriesArrays
	for _, r := range records {
		changed.add(r.series)
	}

	return slices.Concat(
		storeCoverage(records), storeBlocks(records, nonce),
		[]step{stepOf(updateSeries, changed.symbolIDs, changed.ids, int64(nonce))},
	)
}

// storeCoverage returns the statements that store the changed ranges of the coverage.
func storeCoverage(records []*record) (steps []step) {
	var goneOf, coveredOf seriesArrays
	var gone, starts, ends []time.Time
	for _, r := range records {
		for _, start := range r.gone {
			goneOf.add(r.series)
			gone = append(gone, start)
		}
		for _, c := range r.covered {
			coveredOf.add(r.series)
			starts, ends = append(starts, c.Start), append(ends, c.End)
		}
	}

	if len(gone) > 0 {
		steps = append(steps, stepOf(deleteRanges, goneOf.symbolIDs, goneOf.ids, gone))
	}
	if len(starts) > 0 {
		steps = append(steps, stepOf(upsertRanges, coveredOf.symbolIDs, coveredOf.ids, starts, ends))
	}

	return steps
}

// storeBlocks returns the statements that store the changed blocks, and delete those without rows.
func storeBlocks(records []*record, nonce uint64) (steps []step) {
	var emptyOf, changedOf seriesArrays
	var empty, revisions []int64
	var changed []block
	for _, r := range records {
		for _, number := range r.emptyBlocks {
			emptyOf.add(r.series)
			empty = append(empty, number)
		}
		for _, b := range r.changedBlocks {
			changedOf.add(r.series)
			changed, revisions = append(changed, b), append(revisions, r.version.Revision)
		}
	}

	if len(empty) > 0 {
		steps = append(steps, stepOf(deleteBlocks, emptyOf.symbolIDs, emptyOf.ids, empty))
	}
	if len(changed) > 0 {
		args := []any{int64(nonce), domain.MaxTail, changedOf.symbolIDs, changedOf.ids, revisions}
		steps = append(steps, stepOf(upsertBlocks, append(args, blockArgs(changed)...)...))
	}

	return steps
}
