package domain

import (
	"strconv"
	"strings"
	"time"
)

// FillPolicy says what stands where nothing traded. The zero value is FillNone.
type FillPolicy uint8

// The fill policies.
const (
	FillNone     FillPolicy = iota // no bar
	FillPrevious                   // a bar of the previous close without volume, as a Filler puts it
)

var fillPolicies = [...]string{"none", "previous"}

// Validate refuses a policy made by conversion that is none of the constants.
func (p FillPolicy) Validate() error {
	if int(p) >= len(fillPolicies) {
		return invalid("fill policy", p.String(), "one of %s", strings.Join(fillPolicies[:], ", "))
	}
	return nil
}

// String is the policy's text: none, previous.
func (p FillPolicy) String() string {
	if int(p) < len(fillPolicies) {
		return fillPolicies[p]
	}
	return "policy " + strconv.Itoa(int(p))
}

// MarshalText is String.
func (p FillPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText reads none or previous.
func (p *FillPolicy) UnmarshalText(b []byte) error {
	for i, text := range fillPolicies {
		if string(b) == text {
			*p = FillPolicy(i)
			return nil
		}
	}
	return invalid("fill policy", string(b), "one of %s", strings.Join(fillPolicies[:], ", "))
}

// Filler puts a bar of the previous close and no volume where nothing traded, piece by piece: where a claim covers the
// slot, and an earlier bar is known. It does not fill what nobody holds, nor go on after it before the next bar: the
// price may have moved. Filled bars are for display and for indicators that want every slot; they are never stored,
// cached or resampled. It is for one goroutine.
type Filler struct {
	key       SeriesKey
	at        time.Time // the next slot
	end       time.Time
	uncovered []Range // ascending, what is left of it
	close     Decimal
	known     bool
}

// NewFiller returns a Filler of the slots of key in r, of which the given parts, ascending and disjoint, are held by
// nobody. before is the last bar known before r, if one is.
func NewFiller(key SeriesKey, r Range, uncovered []Range, before *Bar) *Filler {
	r = key.Grid.Align(r)
	f := &Filler{key: key, at: r.Start, end: r.End, uncovered: uncovered}
	if before != nil {
		f.close, f.known = before.Close, true
	}

	return f
}

// Fill returns the next piece with the slots before and between its bars filled, and the ranges of the filled slots.
func (f *Filler) Fill(s Series) (Series, []Range, error) {
	b := NewSeriesBuilder(f.key, s.Len())
	var filled []Range
	from := 0
	for i := range s.Len() {
		open := s.OpenTime(i)
		if open.After(f.at) {
			if err := b.AppendSeries(s.Slice(from, i)); err != nil {
				return Series{}, nil, err
			}

			from = i
			if err := f.fillTo(open, b, &filled); err != nil {
				return Series{}, nil, err
			}
		}

		f.at = f.key.Grid.Next(open)
		f.close, f.known = s.At(i).Close, true
	}
	if err := b.AppendSeries(s.Slice(from, s.Len())); err != nil {
		return Series{}, nil, err
	}

	whole, err := b.Series()
	return whole, filled, err
}

// Flush returns the filled slots after the last piece.
func (f *Filler) Flush() (Series, []Range, error) { return f.FillTo(f.end) }

// FillTo returns the filled slots after the last piece that open before end: a long gap is filled in several pieces by
// it. The next piece must not begin before end.
func (f *Filler) FillTo(end time.Time) (Series, []Range, error) {
	b := NewSeriesBuilder(f.key, 0)
	var filled []Range
	if err := f.fillTo(earlier(end, f.end), b, &filled); err != nil {
		return Series{}, nil, err
	}

	tail, err := b.Series()
	return tail, filled, err
}

// fillTo fills the slots from f.at to end.
func (f *Filler) fillTo(end time.Time, b *SeriesBuilder, filled *[]Range) error {
	for f.at.Before(end) {
		for len(f.uncovered) > 0 && !f.at.Before(f.uncovered[0].End) {
			f.uncovered = f.uncovered[1:]
		}
		if len(f.uncovered) > 0 && f.uncovered[0].Contains(f.at) {
			f.known = false
			f.at = f.key.Grid.Ceil(f.uncovered[0].End)
			continue
		}

		next := f.key.Grid.Next(f.at)
		if f.known {
			bar := Bar{OpenTime: f.at, Open: f.close, High: f.close, Low: f.close, Close: f.close}
			if err := b.Append(bar); err != nil {
				return err
			}

			*filled = appendRange(*filled, Range{Start: f.at, End: next})
		}

		f.at = next
	}
	return nil
}

// appendRange adds a range that begins after the others, or goes on where the last one ends.
func appendRange(ranges []Range, r Range) []Range {
	if n := len(ranges); n > 0 && ranges[n-1].End.Equal(r.Start) {
		ranges[n-1].End = r.End
		return ranges
	}
	return append(ranges, r)
}
