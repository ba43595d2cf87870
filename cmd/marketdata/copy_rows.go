package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// copyConfig says how rows are copied.
type copyConfig struct {
	// coverage is the coverage of the target before the copy, ascending. Rows of the target are read before they are
	// written only where it is covered, because there are none elsewhere.
	coverage []domain.Range

	overwrite bool // replace rows of the target that differ; without it, a row that differs is an error

	// limit bounds the rows that the target returns at once. Pages have no more rows, except for the last instant of
	// trades and quotes.
	limit int
}

// copyReport counts the rows that were copied.
type copyReport struct {
	rows  int          // of the pages
	span  domain.Range // from the start of the first page to the end of the last
	wrote ports.WriteReport
}

// copyPages writes the covered rows of the pages to the target, declares their ranges complete there, and reads
// everything back to compare. It does not write rows that the target has already, so a copy that failed continues when
// it is repeated.
//
// A row of the target that the page lacks or contradicts is an error, unless cfg.overwrite is set: the rows of the
// target in the range are replaced then. Rows that read back differently are an error of kind ports.ErrIncomplete. With
// an error, the report counts the pages before it.
func copyPages[S rows[S]](
	ctx context.Context, pages iter.Seq2[page[S], error], to dataset[S], cfg copyConfig,
) (report copyReport, err error) {
	for p, err := range pages {
		if err != nil {
			return report, err
		}

		var wrote ports.WriteReport
		for _, r := range p.span.Subtract(p.uncovered) {
			part, err := copyRange(ctx, p.rows.Clip(r), r, to, cfg)
			if err != nil {
				return report, err
			}

			wrote = wrote.Add(part)
		}

		if report.span.Empty() {
			report.span.Start = p.span.Start
		}
		report.span.End = p.span.End
		report.rows += p.rows.Len()
		report.wrote = report.wrote.Add(wrote)
	}

	return report, nil
}

// copyRange makes the rows of the target in r equal to s, unless they are already, and reads them back.
func copyRange[S rows[S]](
	ctx context.Context, s S, r domain.Range, to dataset[S], cfg copyConfig,
) (ports.WriteReport, error) {
	limit := min(s.Len(), cfg.limit) + 1 // one row more than expected, to see an additional row of the target
	replace := false
	if slices.ContainsFunc(cfg.coverage, func(c domain.Range) bool { return !c.Intersect(r).Empty() }) {
		existing, err := to.read(ctx, r, limit)
		if err != nil {
			return ports.WriteReport{}, err
		}
		if existing.rows.Equal(s) && len(r.Subtract(cfg.coverage)) == 0 {
			return ports.WriteReport{Unchanged: s.Len()}, nil
		}

		var at time.Time
		if at, replace = firstConflict(existing.rows, s); replace && !cfg.overwrite {
			return ports.WriteReport{}, &conflictError{Series: to.name, Time: at}
		}
	}

	wrote, err := writeRange(ctx, s, r, to, replace)
	if err != nil {
		return wrote, err
	}

	stored, err := to.read(ctx, r, limit)
	if err == nil && !stored.rows.Equal(s) {
		err = &ports.Error{Kind: ports.ErrIncomplete, Op: "copy", Subject: to.name, Err: fmt.Errorf(
			"rows in %s read back differently after they were written; another process may write there", r)}
	}

	return wrote, err
}

// writeRange writes the rows and declares r complete.
func writeRange[S rows[S]](
	ctx context.Context, s S, r domain.Range, to dataset[S], replace bool,
) (wrote ports.WriteReport, err error) {
	if replace {
		wrote, err = to.replace(ctx, s, r)
		if err != nil || s.Len() > 0 {
			return wrote, err
		}
	}

	ingested, err := to.ingest(ctx, s, r) // also after a replacement without rows, because it removes the coverage of r
	return wrote.Add(ingested), err
}

// firstConflict returns the time of the first existing row that s lacks or contradicts.
func firstConflict[S rows[S]](existing, s S) (time.Time, bool) {
	for i := range existing.Len() {
		row := existing.Slice(i, i+1)
		if r := row.Range(); !existing.Clip(r).Equal(s.Clip(r)) {
			return r.Start, true
		}
	}

	return time.Time{}, false
}

// conflictError says that the target of a copy has a row that the source lacks or contradicts.
type conflictError struct {
	Series string
	Time   time.Time // of the first such row
}

// Error names the series and the time.
func (e *conflictError) Error() string {
	return fmt.Sprintf("copy %s: the target has other data at %s", e.Series, e.Time.Format(time.RFC3339Nano))
}
