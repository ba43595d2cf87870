package memory

import (
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxMergedRows limits the rows of a piece that is concatenated from two pieces. So appending one row copies at most
// that many rows, and a bulk load is not copied.
const maxMergedRows = 4096

// maxTime is later than any row.
var maxTime = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

// overlappingPieces returns the pieces that may have rows in r.
func (t *table[K, D]) overlappingPieces(pieces []D, r domain.Range) []D {
	compare := func(p D, at time.Time) int { return t.startTime(p).Compare(at) }
	to, _ := slices.BinarySearchFunc(pieces, r.End, compare)
	from, _ := slices.BinarySearchFunc(pieces[:to], r.Start, compare)
	return pieces[max(from-1, 0):to] // the piece before may extend into r
}

// clipPieces returns the rows in r.
func (t *table[K, D]) clipPieces(pieces []D, r domain.Range) []D {
	parts := slices.Clone(t.overlappingPieces(pieces, r))
	if n := len(parts); n > 0 { // all rows of the pieces between lie in r
		parts[0] = parts[0].Clip(r)
		parts[n-1] = parts[n-1].Clip(r)
	}

	return slices.DeleteFunc(parts, func(p D) bool { return p.Len() == 0 })
}

// firstRows returns at most limit rows in r, the first ones.
func (t *table[K, D]) firstRows(pieces []D, r domain.Range, limit int) []D {
	var parts []D
	for _, p := range t.overlappingPieces(pieces, r) {
		if p = p.Clip(r); p.Len() == 0 {
			continue
		}

		p = p.Slice(0, min(limit, p.Len()))
		parts = append(parts, p)
		if limit -= p.Len(); limit == 0 {
			break
		}
	}

	return parts
}

// lastRows returns at most limit rows in r, the last ones.
func (t *table[K, D]) lastRows(pieces []D, r domain.Range, limit int) []D {
	var parts []D
	for _, p := range slices.Backward(t.overlappingPieces(pieces, r)) {
		if p = p.Clip(r); p.Len() == 0 {
			continue
		}

		p = p.Slice(max(0, p.Len()-limit), p.Len())
		parts = append(parts, p)
		if limit -= p.Len(); limit == 0 {
			break
		}
	}

	slices.Reverse(parts)

	return parts
}

// mergedRows are the outcome of a merge.
type mergedRows[D any] struct {
	rows      D
	report    ports.WriteReport
	conflicts ports.ConflictError // of ConflictFail
}

// merge merges d into the stored rows. onConflict decides about stored rows with other values.
func (t *table[K, D]) merge(d D, stored []D, onConflict ports.ConflictPolicy) (m mergedRows[D], err error) {
	var runs []D
	done, next := 0, 0 // rows of d: those in runs, and those compared
	for _, piece := range stored {
		for i := 0; i < piece.Len(); {
			for ; next < d.Len() && t.compare(d, next, piece, i) < 0; next++ {
				m.report.Inserted++
			}
			if next < d.Len() && t.compare(d, next, piece, i) == 0 {
				row := piece.Slice(i, i+1)
				if !m.count(d.Slice(next, next+1).Equal(row), t.startTime(row), onConflict) {
					runs = append(runs, d.Slice(done, next), row)
					done = next + 1
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

	m.report.Inserted += d.Len() - next
	if m.rows = d; len(runs) > 0 {
		m.rows, err = t.concat(t.keyOf(d), append(runs, d.Slice(done, d.Len())))
	}

	return m, err
}

// count counts a row that is stored already, and reports whether the written row takes its place.
func (m *mergedRows[D]) count(isEqual bool, at time.Time, onConflict ports.ConflictPolicy) bool {
	switch {
	case isEqual:
		m.report.Unchanged++
	case onConflict == ports.ConflictReplace:
		m.report.Changed++
	case onConflict == ports.ConflictKeep:
		m.report.Kept++
		return false
	default:
		m.conflicts.Add(at, 1)
	}

	return true
}

// splicePieces returns the pieces with everything in r replaced by the rows. It does not change its arguments.
func (t *table[K, D]) splicePieces(pieces []D, r domain.Range, rows ...D) ([]D, error) {
	if r.Empty() {
		return pieces, nil
	}

	after := t.clipPieces(pieces, domain.Range{Start: r.End, End: maxTime})
	spliced := t.clipPieces(pieces, domain.Range{End: r.Start})
	appended := min(1, len(after)) // the first piece after r may be merged with the last of the rows
	for _, d := range slices.Concat(rows, after[:appended]) {
		var err error
		if spliced, err = t.appendPiece(spliced, d); err != nil {
			return nil, err
		}
	}

	return append(spliced, after[appended:]...), nil
}

// appendPiece appends a piece, or concatenates it with the last piece if both together have at most maxMergedRows.
func (t *table[K, D]) appendPiece(pieces []D, piece D) ([]D, error) {
	if piece.Len() == 0 {
		return pieces, nil
	}

	n := len(pieces)
	if n == 0 || pieces[n-1].Len()+piece.Len() > maxMergedRows {
		return append(pieces, piece), nil
	}

	merged, err := t.concat(t.keyOf(piece), []D{pieces[n-1], piece})
	pieces[n-1] = merged

	return pieces, err
}

func countRows[D rows[D]](pieces []D) int {
	n := 0
	for _, p := range pieces {
		n += p.Len()
	}

	return n
}

// subtractRange returns the ranges without r.
func subtractRange(ranges []domain.Range, r domain.Range) []domain.Range {
	var left []domain.Range
	for _, o := range ranges {
		left = append(left, o.Subtract([]domain.Range{r})...)
	}

	return left
}

// span returns the range from the first to the last row of all pieces.
func (t *table[K, D]) span(lists ...[]D) domain.Range {
	var span domain.Range
	for _, pieces := range lists {
		if n := len(pieces); n > 0 {
			span = span.Hull(pieces[0].Range()).Hull(pieces[n-1].Range())
		}
	}

	return span
}

// equalRows reports whether the pieces of both lists have the same rows, however they are cut.
func equalRows[D rows[D]](a, b []D) bool {
	if countRows(a) != countRows(b) {
		return false
	}

	i, j := 0, 0 // rows of a[0] and b[0] that are compared
	for len(a) > 0 {
		n := min(a[0].Len()-i, b[0].Len()-j)
		if !a[0].Slice(i, i+n).Equal(b[0].Slice(j, j+n)) {
			return false
		}

		if i += n; i == a[0].Len() {
			a, i = a[1:], 0
		}
		if j += n; j == b[0].Len() {
			b, j = b[1:], 0
		}
	}

	return true
}
