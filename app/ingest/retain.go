package ingest

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// RetainReport reports the rows that Retain deleted.
type RetainReport struct {
	Range   domain.Range // from the start of the first deletion to the end of the last; empty if nothing was deleted
	Deleted int          // rows
}

// Expired returns the parts of the coverage whose rows ended at or before a time, ascending and disjoint. A bar ends
// where the next one of its grid opens; a trade or a quote is over at the next microsecond. The time must be in the
// years 1 to 9999; the error is ErrInvalid otherwise, or that of the store.
func Expired[S any](ctx context.Context, d Dataset[S], before time.Time) ([]domain.Range, error) {
	all := domain.AllYears()
	if !before.After(all.Start) || before.After(all.End) {
		return nil, access.Refusal("retain", d.Name(), &domain.InvalidError{
			What: "time", Value: access.FormatTime(before),
			Reason: "give the time before which rows are deleted, in the years 1 to 9999",
		})
	}

	coverage, err := d.Coverage(ctx)
	if err != nil {
		return nil, err
	}

	return domain.ClipRanges(coverage, domain.Range{Start: all.Start, End: d.Floor(before)}), nil
}

// Retain deletes the rows that ended at or before a time, with their coverage: see Expired. It deletes the oldest ones
// first, in parts that end at the edges of blocks, each in one call of the store, so that no transaction is long.
//
// INVARIANT: a range that was deleted is not covered, so that no reader takes it for one in which nothing traded, and
// the other rows stay as they are. This holds after each part: a Retain that failed continues when it is repeated. With
// an error, the report counts the parts before it. Rows that another process wrote within the lease of the cache may
// stay until the next call, because the coverage is read through the cache.
func Retain[S any](ctx context.Context, d Dataset[S], before time.Time) (report RetainReport, err error) {
	expired, err := Expired(ctx, d, before)
	if err != nil || len(expired) == 0 {
		return report, err
	}

	whole := domain.Range{Start: expired[0].Start, End: expired[len(expired)-1].End}
	for part := range d.Parts(whole) {
		hasCoverage := func(r domain.Range) bool { return !r.Intersect(part).Empty() }
		if !slices.ContainsFunc(expired, hasCoverage) {
			continue
		}

		wrote, err := d.Delete(ctx, part)
		if err != nil {
			return report, err
		}

		report.Range = report.Range.Hull(part)
		report.Deleted += wrote.Deleted
	}

	return report, nil
}

// blocksPerPart is how many blocks of bars a part has: some 100,000 bars without a gap.
const blocksPerPart = 25

// parts yields the ranges of n blocks each that make up r. Both ends of each are moved up to an edge; one that is then
// empty is left out.
func parts(e access.Edges, layout domain.BlockLayout, r domain.Range, n int64) iter.Seq[domain.Range] {
	return func(yield func(domain.Range) bool) {
		from, to := layout.Span(r)
		for i := from; i < to; i += n {
			part := e.Align(layout.Range(i, i+n).Intersect(r))
			if !part.Empty() && !yield(part) {
				return
			}
		}
	}
}

// DropPartitions drops the partitions of all stores that have no rows and end at or before a time, after a Retain for
// example, and returns them. PostgreSQL has partitions: years of bars, and months of trades and quotes. A partition
// that a transaction may need stays until the next call, which Partition.Kept says. ErrPermission tells that the role
// may not drop partitions. With an error, the result has the partitions before it.
func (i *Ingestor) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	var all []ports.Partition
	for _, s := range i.stores {
		call := &access.Call{Op: "drop partitions", Subject: access.Text(""), Store: s, Settings: i.settings}
		call.SetDefaultDeadline(ctx, i.stores)
		drop := access.Operation[time.Time, []ports.Partition]{Name: call.Op, Run: dropPartitions}
		dropped, err := access.Do(ctx, call, drop, before)
		all = append(all, dropped...)
		if err != nil {
			return all, err
		}
	}

	return all, nil
}

func dropPartitions(ctx context.Context, s *access.Store, before time.Time) ([]ports.Partition, error) {
	if s.Bars == nil {
		return ports.DropPartitions(ctx, s.Ticks, before)
	}
	return ports.DropPartitions(ctx, s.Bars, before)
}
