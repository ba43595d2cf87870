package domain

// FrequencyRange selects bars by their nominal length, from one frequency up and below another. A zero end is open, so
// the zero value selects bars of every length.
type FrequencyRange struct {
	From  Frequency // inclusive
	Below Frequency // exclusive
}

// Contains reports whether the range selects bars of f.
func (r FrequencyRange) Contains(f Frequency) bool {
	return f.Nominal() >= r.From.Nominal() && (r.Below == 0 || f.Nominal() < r.Below.Nominal())
}

// Empty reports whether no frequency can be in the range.
func (r FrequencyRange) Empty() bool {
	return r.Below != 0 && r.From.Nominal() >= r.Below.Nominal()
}
