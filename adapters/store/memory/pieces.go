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

// within is the parts of the pieces that lie in r.
func within[D rows[D]](pieces []D, r domain.Range) []D {
	from, _ := slices.BinarySearchFunc(pieces, domain.Range{Start: r.Start, End: forever}, func(p D, rest domain.Range) int {
		return min(p.Within(rest).Len(), 1) - 1 // the first piece that does not end before r
	})
	var found []D
	for _, p := range pieces[from:] {
		if p = p.Within(r); p.Len() == 0 {
			break
		}
		found = append(found, p)
	}
	return found
}

// limit keeps the first or the last so many rows of the pieces, which are its own to change; 0 is all.
func limit[D rows[D]](pieces []D, first, last int) []D {
	switch {
	case first > 0:
		for i, p := range pieces {
			if p.Len() >= first {
				pieces[i] = p.Slice(0, first)
				return pieces[:i+1]
			}
			first -= p.Len()
		}
	case last > 0:
		for i, p := range slices.Backward(pieces) {
			if p.Len() >= last {
				pieces[i] = p.Slice(p.Len()-last, p.Len())
				return pieces[i:]
			}
			last -= p.Len()
		}
	}
	return pieces
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
func (t *table[K, D]) splice(pieces []D, r domain.Range, d D) ([]D, error) {
	if r.Empty() {
		return pieces, nil
	}
	next, err := t.add(within(pieces, domain.Range{End: r.Start}), d)
	if err != nil {
		return nil, err
	}
	after := within(pieces, domain.Range{Start: r.End, End: forever})
	if len(after) == 0 {
		return next, nil
	}
	if next, err = t.add(next, after[0]); err != nil {
		return nil, err
	}
	return append(next, after[1:]...), nil
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
