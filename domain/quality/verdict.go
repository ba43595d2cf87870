package quality

import (
	"cmp"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
)

// Verdict is the result of a Validator for one piece of a Series.
type Verdict struct {
	Bars     int              // number of validated bars
	Findings []domain.Finding // one per broken rule, fatal ones first
	Fatal    []int            // indices of the bars that break a fatal rule, ascending
}

// Err returns a *domain.RuleError for the first fatal finding, or nil if there is none.
func (v Verdict) Err(key domain.SeriesKey) error {
	for _, f := range v.Findings {
		if f.Severity == domain.SeverityFatal {
			return &domain.RuleError{Rule: f.Rule, Key: key, At: f.First, Detail: f.Detail}
		}
	}

	return nil
}

// Apply applies the policy to the bars of the verdict. With domain.QualityFail it returns the first fatal finding as a
// *domain.RuleError. With domain.QualityDrop it drops the bars that break a fatal rule and returns their open times in
// dropped.
func (v Verdict) Apply(
	p domain.QualityPolicy, bars domain.Series,
) (kept domain.Series, dropped []time.Time, err error) {
	if len(v.Fatal) == 0 {
		return bars, nil, nil
	}

	switch p {
	case domain.QualityFail:
		return domain.Series{}, nil, v.Err(bars.Key())
	case domain.QualityDrop:
		for _, i := range v.Fatal {
			dropped = append(dropped, bars.OpenTime(i))
		}
		bars = bars.Drop(v.Fatal)
	}

	return bars, dropped, nil
}

// Merge returns the findings of two consecutive pieces of one series as one list. It does not change its arguments.
func Merge(earlier, later []domain.Finding) []domain.Finding {
	merged := slices.Clone(earlier)
	for _, f := range later {
		i := slices.IndexFunc(merged, func(m domain.Finding) bool { return m.Rule == f.Rule })
		if i < 0 {
			merged = append(merged, f)
			continue
		}

		merged[i].Count += f.Count
	}

	sorting.StableFunc(merged, func(a, b domain.Finding) int {
		return cmp.Compare(ruleIndex(a.Rule), ruleIndex(b.Rule))
	})

	return merged
}
