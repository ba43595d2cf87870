package ingest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// CopyOptions says how rows are copied. The zero value never changes a row of the target.
type CopyOptions struct {
	Overwrite bool // replace rows of the target that differ; without it, a row that differs is an error

	// MaxRows bounds the rows that the target is asked for at once; 0 asks for one row more than the page has. Pages
	// must not have more rows, except for the last instant of trades and quotes.
	MaxRows int
}

// CopyReport counts the rows that were copied.
type CopyReport struct {
	Range domain.Range // from the start of the first page to the end of the last
	Rows  int          // of the pages
	Wrote ports.WriteReport
}

// Copy writes the covered rows of the pages to the target, declares their ranges complete there, and reads everything
// back to compare. It does not write rows that the target has already, so a copy that failed continues when it is
// repeated. The pages must ascend and must not overlap; see Pages and StreamPages.
//
// A row of the target that the page lacks or contradicts is a *ConflictError, unless o.Overwrite is set: the rows of
// the target in the range are replaced then. Rows that read back differently are an error of kind ports.ErrIncomplete.
// With an error, the report counts the pages before it.
func Copy[S Rows[S]](
	ctx context.Context, pages iter.Seq2[Page[S], error], to Dataset[S], o CopyOptions,
) (report CopyReport, err error) {
	coverage, err := to.Coverage(ctx)
	if err != nil {
		return report, err
	}

	c := copier[S]{to: to, coverage: coverage, o: o}
	for p, err := range pages {
		if err != nil {
			return report, err
		}

		var wrote ports.WriteReport
		for _, r := range p.Range.Subtract(p.Uncovered) {
			part, err := c.copyRange(ctx, p.Rows.Clip(r), r)
			if err != nil {
				return report, err
			}

			wrote = wrote.Add(part)
		}

		if report.Range.Empty() {
			report.Range.Start = p.Range.Start
		}
		report.Range.End = p.Range.End
		report.Rows += p.Rows.Len()
		report.Wrote = report.Wrote.Add(wrote)
	}

	return report, nil
}

// copier is one copy into a target.
type copier[S Rows[S]] struct {
	to Dataset[S]
	o  CopyOptions

	// coverage is the coverage of the target before the copy. Rows of the target are read before they are written only
	// where it is covered, because there are none elsewhere.
	coverage []domain.Range
}

// copyRange makes the rows of the target in r equal to s, unless they are already, and reads them back.
func (c copier[S]) copyRange(ctx context.Context, s S, r domain.Range) (ports.WriteReport, error) {
	replace := false
	if slices.ContainsFunc(c.coverage, func(covered domain.Range) bool { return !covered.Intersect(r).Empty() }) {
		existing, err := c.read(ctx, s, r)
		if err != nil {
			return ports.WriteReport{}, err
		}
		if existing.Equal(s) && len(r.Subtract(c.coverage)) == 0 {
			return ports.WriteReport{Unchanged: s.Len()}, nil
		}

		var at time.Time
		if at, replace = firstConflict(existing, s); replace && !c.o.Overwrite {
			return ports.WriteReport{}, &ConflictError{Series: c.to.Name(), Time: at}
		}
	}

	wrote, err := c.write(ctx, s, r, replace)
	if err != nil {
		return wrote, err
	}

	stored, err := c.read(ctx, s, r)
	if err == nil && !stored.Equal(s) {
		err = &ports.Error{Kind: ports.ErrIncomplete, Op: "copy", Subject: c.to.Name(), Err: fmt.Errorf(
			"rows in %s read back differently after they were written; another process may write there", r)}
	}

	return wrote, err
}

// read returns the rows of the target in r, at most one more than s has, which shows an additional row.
func (c copier[S]) read(ctx context.Context, s S, r domain.Range) (S, error) {
	limit := s.Len()
	if c.o.MaxRows > 0 {
		limit = min(limit, c.o.MaxRows)
	}

	p, err := c.to.Read(ctx, r, limit+1)

	return p.Rows, err
}

// write writes the rows and declares r complete.
func (c copier[S]) write(ctx context.Context, s S, r domain.Range, replace bool) (wrote ports.WriteReport, err error) {
	switch {
	case replace && s.Len() > 0:
		return c.to.Replace(ctx, s, r)
	case replace:
		if wrote, err = c.to.Delete(ctx, r); err != nil {
			return wrote, err
		}
	}

	ingested, err := c.to.Ingest(ctx, s, r)

	return wrote.Add(ingested), err
}

// firstConflict returns the time of the first existing row that s lacks or contradicts.
func firstConflict[S Rows[S]](existing, s S) (time.Time, bool) {
	for i := range existing.Len() {
		row := existing.Slice(i, i+1)
		if r := row.Range(); !existing.Clip(r).Equal(s.Clip(r)) {
			return r.Start, true
		}
	}

	return time.Time{}, false
}

// ConflictError says that the target of a copy has a row that the source lacks or contradicts.
type ConflictError struct {
	Series string
	Time   time.Time // of the first such row
}

// Error names the series and the time.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("copy %s: the target has other data at %s", e.Series, e.Time.Format(time.RFC3339Nano))
}
