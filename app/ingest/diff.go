package ingest

import (
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Difference is a field in which two bars of one open time differ, a bar that one of two sequences lacks, or a range
// that one of two stores does not cover.
type Difference struct {
	Key   domain.SeriesKey `json:"key"`
	Time  time.Time        `json:"time"`  // the open time of the bar, or the start of the range
	Field string           `json:"field"` // of domain.Field, FieldBar, FieldTrades or FieldCoverage
	From  string           `json:"from"`  // "" where this side lacks the bar, "present" where the other one does
	To    string           `json:"to"`
	End   time.Time        `json:"end,omitzero"` // of the range; zero for bars
}

// The fields of a Difference that are no domain.Field.
const (
	FieldBar    = "bar"    // one side lacks the bar
	FieldTrades = "trades" // the trade counts differ

	// FieldCoverage is a range that one side does not cover. On the other side, which covers it, the text is "until" and
	// its end.
	FieldCoverage = "coverage"
)

const barPresent = "present"

// DiffReport counts the bars that were compared.
type DiffReport struct {
	Compared    int // open times at which either side has a bar
	Different   int // of these, the ones with a difference
	Differences int // fields that differ, bars that one side lacks, and ranges of Coverage
	Coverage    int // ranges that one side does not cover
}

// Add returns the sums of both.
func (r DiffReport) Add(o DiffReport) DiffReport {
	return DiffReport{
		Compared:    r.Compared + o.Compared,
		Different:   r.Different + o.Different,
		Differences: r.Differences + o.Differences,
		Coverage:    r.Coverage + o.Coverage,
	}
}

// IsEqual reports whether no difference was found.
func (r DiffReport) IsEqual() bool { return r.Differences == 0 }

// DiffCoverage returns a Difference for each range that only one of two stores covers, in order of time, and their
// counts. Declared and inferred coverage count alike. The ranges may be in any order.
func DiffCoverage(key domain.SeriesKey, from, to []domain.Range) ([]Difference, DiffReport) {
	var found []Difference
	for _, r := range domain.MergeRanges(from) {
		for _, only := range r.Subtract(to) {
			found = append(found, Difference{
				Key: key, Time: only.Start, End: only.End, Field: FieldCoverage, From: untilText(only.End),
			})
		}
	}
	for _, r := range domain.MergeRanges(to) {
		for _, only := range r.Subtract(from) {
			found = append(found, Difference{
				Key: key, Time: only.Start, End: only.End, Field: FieldCoverage, To: untilText(only.End),
			})
		}
	}

	slices.SortFunc(found, func(a, b Difference) int { return a.Time.Compare(b.Time) })

	return found, DiffReport{Differences: len(found), Coverage: len(found)}
}

func untilText(end time.Time) string { return "until " + end.Format(time.RFC3339Nano) }

// Diff compares two sequences of bars of one key, each in order of time, and yields the differences in order of time.
// It holds one piece of each sequence in memory; see StreamBars and ResampleBars. The sequence is single use; an error
// of either side is its last pair. report returns the counts of the bars compared so far. DiffCoverage compares what
// the two sides cover, which the bars do not show.
func Diff(
	from, to iter.Seq2[domain.Series, error], t Tolerance,
) (differences iter.Seq2[Difference, error], report func() DiffReport) {
	d := &barDiffer{tolerance: t}
	differences = func(yield func(Difference, error) bool) {
		left, right := newDiffSide(from), newDiffSide(to)
		defer left.stop()
		defer right.stop()
		for {
			err := left.fill()
			if err == nil {
				err = right.fill()
			}
			if err != nil {
				yield(Difference{}, err)
				return
			}
			if left.bars.Len()+right.bars.Len() == 0 {
				return
			}

			end := earliestEnd(left.bars, right.bars)
			for _, found := range d.compare(left.takeBefore(end), right.takeBefore(end)) {
				if !yield(found, nil) {
					return
				}
			}
		}
	}

	return differences, func() DiffReport { return d.report }
}

// diffSide is one of the two sequences.
type diffSide struct {
	next func() (domain.Series, error, bool)
	stop func()
	bars domain.Series // of the current piece, not compared yet
	done bool
}

func newDiffSide(pieces iter.Seq2[domain.Series, error]) *diffSide {
	next, stop := iter.Pull2(pieces)
	return &diffSide{next: next, stop: stop}
}

// fill reads the next piece that has bars, unless bars of the current one are left.
func (s *diffSide) fill() error {
	for s.bars.Len() == 0 && !s.done {
		piece, err, ok := s.next()
		if err != nil {
			return err
		}

		s.bars, s.done = piece, !ok
	}

	return nil
}

// takeBefore removes and returns the bars that open before end.
func (s *diffSide) takeBefore(end time.Time) domain.Series {
	if s.bars.Len() == 0 {
		return s.bars
	}

	taken := s.bars.Clip(domain.Range{Start: s.bars.OpenTime(0), End: end})
	s.bars = s.bars.Slice(taken.Len(), s.bars.Len())

	return taken
}

// earliestEnd returns the end of the piece that ends first; an empty one does not count.
func earliestEnd(a, b domain.Series) time.Time {
	if b.Len() == 0 || a.Len() > 0 && a.Range().End.Before(b.Range().End) {
		return a.Range().End
	}

	return b.Range().End
}

// barDiffer compares bars and counts them.
type barDiffer struct {
	tolerance Tolerance
	report    DiffReport
}

// compare returns the differences between two runs of bars.
func (d *barDiffer) compare(left, right domain.Series) []Difference {
	if left.Equal(right) {
		d.report.Compared += left.Len()
		return nil
	}

	var found []Difference
	for i, j := 0, 0; i < left.Len() || j < right.Len(); {
		var a, b *domain.Bar
		if i < left.Len() && (j == right.Len() || !right.OpenTime(j).Before(left.OpenTime(i))) {
			a = new(left.At(i))
		}
		if j < right.Len() && (a == nil || right.OpenTime(j).Equal(a.OpenTime)) {
			b = new(right.At(j))
		}

		var more []Difference
		switch {
		case a == nil:
			j++
			more = []Difference{{Key: right.Key(), Time: b.OpenTime, Field: FieldBar, To: barPresent}}
		case b == nil:
			i++
			more = []Difference{{Key: left.Key(), Time: a.OpenTime, Field: FieldBar, From: barPresent}}
		default:
			i, j = i+1, j+1
			more = d.tolerance.compareBars(left.Key(), a, b)
		}

		d.report.Compared++
		if len(more) > 0 {
			d.report.Different++
			d.report.Differences += len(more)
			found = append(found, more...)
		}
	}

	return found
}

// Tolerance is how far the fields of two bars may be apart and still count as equal. The zero value compares exactly.
type Tolerance struct {
	Fields [domain.FieldVolume + 1]domain.Decimal // by domain.Field
	Trades int64
}

// compareBars returns the fields in which two bars of one open time differ.
func (t Tolerance) compareBars(key domain.SeriesKey, a, b *domain.Bar) []Difference {
	var found []Difference
	others := decimals(b)
	for f, number := range decimals(a) {
		if field := domain.Field(f); t.isExceeded(field, number, others[f]) {
			found = append(found, Difference{
				Key: key, Time: a.OpenTime, Field: field.String(), From: number.String(), To: others[f].String(),
			})
		}
	}

	if apart := a.Trades - b.Trades; max(apart, -apart) > t.Trades {
		from, to := strconv.FormatInt(a.Trades, 10), strconv.FormatInt(b.Trades, 10)
		found = append(found, Difference{Key: key, Time: a.OpenTime, Field: FieldTrades, From: from, To: to})
	}

	return found
}

// isExceeded reports whether the numbers are further apart than the field may be.
func (t Tolerance) isExceeded(f domain.Field, a, b domain.Decimal) bool {
	if a.Equal(b) {
		return false
	}

	apart, err := a.Sub(b)
	if err != nil { // because the distance is larger than any Decimal
		return true
	}

	if apart.Sign() < 0 {
		apart = apart.Neg()
	}

	return apart.Cmp(t.Fields[f]) > 0
}

// decimals returns the numbers of a bar, by domain.Field.
func decimals(b *domain.Bar) [domain.FieldVolume + 1]domain.Decimal {
	return [...]domain.Decimal{b.Open, b.High, b.Low, b.Close, b.Volume}
}
