package memory

import (
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// pieceRows is up to how many rows neighbouring pieces are joined: appending one row copies at most so many, and a bulk load stays
// as it came.
const pieceRows = 4096

// forever is after the last instant that any data has.
var forever = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

// overlapping is those of the pieces that may have rows in r.
func (t *table[K, D]) overlapping(pieces []D, r domain.Range) []D {
	begins := func(p D, at time.Time) int { return t.begins(p).Compare(at) }
	to, _ := slices.BinarySearchFunc(pieces, r.End, begins)
	from, _ := slices.BinarySearchFunc(pieces[:to], r.Start, begins)
	return pieces[max(from-1, 0):to] // the one before may reach into r
}

// within is the parts of the pieces that lie in r.
func (t *table[K, D]) within(pieces []D, r domain.Range) []D {
	parts := slices.Clone(t.overlapping(pieces, r))
	if n := len(parts); n > 0 { // those between lie in r whole
		parts[0] = parts[0].Clip(r)
		parts[n-1] = parts[n-1].Clip(r)
	}

	return slices.DeleteFunc(parts, func(p D) bool { return p.Len() == 0 })
}

// firstWithin is the parts that hold the first so many rows of the pieces in r.
func (t *table[K, D]) firstWithin(pieces []D, r domain.Range, rows int) []D {
	var parts []D
	for _, p := range t.overlapping(pieces, r) {
		if p = p.Clip(r); p.Len() == 0 {
			continue
		}

		p = p.Slice(0, min(rows, p.Len()))
		parts = append(parts, p)
		if rows -= p.Len(); rows == 0 {
			break
		}
	}

	return parts
}

// lastWithin is the parts that hold the last so many rows of the pieces in r.
func (t *table[K, D]) lastWithin(pieces []D, r domain.Range, rows int) []D {
	var parts []D
	for _, p := range slices.Backward(t.overlapping(pieces, r)) {
		if p = p.Clip(r); p.Len() == 0 {
			continue
		}

		p = p.Slice(max(0, p.Len()-rows), p.Len())
		parts = append(parts, p)
		if rows -= p.Len(); rows == 0 {
			break
		}
	}

	slices.Reverse(parts)
	return parts
}

// upsert merges the rows over those that are there, and counts what that does.
func (t *table[K, D]) upsert(d D, there []D) (D, ports.WriteReport, error) {
	var report ports.WriteReport
	var runs []D
	done, next := 0, 0 // of d: the rows in runs, and the rows compared
	for _, piece := range there {
		for i := 0; i < piece.Len(); {
			for ; next < d.Len() && t.compare(d, next, piece, i) < 0; next++ {
				report.Inserted++
			}
			if next < d.Len() && t.compare(d, next, piece, i) == 0 {
				if d.Slice(next, next+1).Equal(piece.Slice(i, i+1)) {
					report.Unchanged++
				} else {
					report.Changed++
				}

				next++
				i++
				continue
			}

			from := i
			for i < piece.Len() && (next == d.Len() || t.compare(d, next, piece, i) > 0) {
				i++
			}
			runs = append(runs, d.Slice(done, next), piece.Slice(from, i))
			done = next
		}
	}

	report.Inserted += d.Len() - next
	if len(runs) == 0 {
		return d, report, nil
	}

	merged, err := t.join(t.keyOf(d), append(runs, d.Slice(done, d.Len())))
	return merged, report, err
}

// splice puts the rows in the place of what the pieces hold in r. The pieces given are not changed.
func (t *table[K, D]) splice(pieces []D, r domain.Range, rows ...D) ([]D, error) {
	if r.Empty() {
		return pieces, nil
	}

	after := t.within(pieces, domain.Range{Start: r.End, End: forever})
	next := t.within(pieces, domain.Range{End: r.Start})
	joined := min(1, len(after))
	for _, d := range slices.Concat(rows, after[:joined]) {
		var err error
		if next, err = t.add(next, d); err != nil {
			return nil, err
		}
	}

	return append(next, after[joined:]...), nil
}

// add appends a piece, joined with the last one where both are short.
func (t *table[K, D]) add(pieces []D, piece D) ([]D, error) {
	if piece.Len() == 0 {
		return pieces, nil
	}

	n := len(pieces)
	if n == 0 || pieces[n-1].Len()+piece.Len() > pieceRows {
		return append(pieces, piece), nil
	}

	whole, err := t.join(t.keyOf(piece), []D{pieces[n-1], piece})
	pieces[n-1] = whole
	return pieces, err
}

func count[D rows[D]](pieces []D) int {
	n := 0
	for _, p := range pieces {
		n += p.Len()
	}
	return n
}

// subtract is the ranges without r.
func subtract(ranges []domain.Range, r domain.Range) []domain.Range {
	var left []domain.Range
	for _, o := range ranges {
		left = append(left, o.Subtract([]domain.Range{r})...)
	}
	return left
}
