package ingest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// previewRows is about how many stored rows a preview reads at once.
const previewRows = 100_000

// Preview is the effect of a write of rows: how many would be inserted, changed and left unchanged under
// ports.ConflictReplace.
type Preview struct {
	ports.WriteReport

	// The first row that would be changed; zero if none would.
	First           time.Time
	Stored, Written string // its texts
}

// Add returns the preview of both writes, of which o is the later one in time.
func (p Preview) Add(o Preview) Preview {
	p.WriteReport = p.WriteReport.Add(o.WriteReport)
	if p.First.IsZero() {
		p.First, p.Stored, p.Written = o.First, o.Stored, o.Written
	}

	return p
}

// Conflict returns the error of the write under ports.ConflictFail, or nil.
func (p Preview) Conflict() error {
	if p.Changed == 0 {
		return nil
	}

	return &ports.ConflictError{Rows: p.Changed, First: p.First}
}

// PreviewBars returns the effect of a write of the bars to the dataset, and writes nothing.
func PreviewBars(ctx context.Context, d Dataset[domain.Series], bars domain.Series) (Preview, error) {
	return preview(ctx, d, bars, compareBars)
}

// PreviewTicks is PreviewBars for trades or quotes.
func PreviewTicks[T domain.Tick](
	ctx context.Context, d Dataset[domain.Ticks[T]], ticks domain.Ticks[T],
) (Preview, error) {
	return preview(ctx, d, ticks, compareTicks)
}

// preview compares the rows with the stored ones, which it reads in pages where the dataset is covered: elsewhere
// nothing of it is stored. compare compares the rows of one page.
func preview[S Rows[S]](
	ctx context.Context, d Dataset[S], rows S, compare func(stored, rows S) Preview,
) (Preview, error) {
	coverage, err := d.Coverage(ctx)
	if err != nil {
		return Preview{}, err
	}

	var p Preview
	absent := rows.Len()
	for page, err := range Pages(ctx, d, domain.ClipRanges(coverage, rows.Range()), previewRows) {
		if err != nil {
			return Preview{}, err
		}

		part := rows.Clip(page.Range)
		absent -= part.Len()
		p = p.Add(compare(page.Rows, part))
	}
	p.Inserted += absent

	return p, nil
}

// compareBars compares bars with stored ones.
func compareBars(stored, bars domain.Series) Preview {
	p, i, j := compareRows(stored.Len(), bars.Len(),
		func(i, j int) int { return stored.OpenTime(i).Compare(bars.OpenTime(j)) },
		func(i, j int) bool { return stored.At(i).Equal(bars.At(j)) })
	if p.Changed > 0 {
		p.First, p.Stored, p.Written = bars.OpenTime(j), stored.At(i).String(), bars.At(j).String()
	}

	return p
}

// compareTicks compares trades or quotes with stored ones.
func compareTicks[T domain.Tick](stored, ticks domain.Ticks[T]) Preview {
	p, i, j := compareRows(stored.Len(), ticks.Len(),
		func(i, j int) int {
			return cmp.Or(stored.Time(i).Compare(ticks.Time(j)), cmp.Compare(stored.Seq(i), ticks.Seq(j)))
		},
		func(i, j int) bool { return stored.Slice(i, i+1).Equal(ticks.Slice(j, j+1)) })
	if p.Changed > 0 {
		p.First = ticks.Time(j)
		p.Stored, p.Written = fmt.Sprint(stored.At(i)), fmt.Sprint(ticks.At(j))
	}

	return p
}

// compareRows compares the rows with the stored ones of their keys, both being in order. It returns the indices of the
// first stored row that differs, and of the row. compare and equal take an index of each.
func compareRows(
	stored, rows int, compare func(i, j int) int, equal func(i, j int) bool,
) (p Preview, firstStored, firstRow int) {
	i := 0
	for j := range rows {
		for i < stored && compare(i, j) < 0 {
			i++
		}

		switch {
		case i == stored || compare(i, j) > 0:
			p.Inserted++
		case equal(i, j):
			p.Unchanged++
		default:
			if p.Changed == 0 {
				firstStored, firstRow = i, j
			}
			p.Changed++
		}
	}

	return p, firstStored, firstRow
}
