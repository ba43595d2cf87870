package domain

import "time"

// Apply applies the policy to bars and the verdict on them. Under QualityFail the first fatal finding is returned as a
// *RuleError. Under QualityDrop the bars that break a fatal rule are left out, and their open times are returned in
// dropped.
func (p QualityPolicy) Apply(bars Series, v Verdict) (kept Series, dropped []time.Time, err error) {
	if len(v.Fatal) == 0 {
		return bars, nil, nil
	}

	switch p {
	case QualityFail:
		return Series{}, nil, v.Err(bars.Key())
	case QualityDrop:
		for _, i := range v.Fatal {
			dropped = append(dropped, bars.OpenTime(i))
		}
		bars = bars.Drop(v.Fatal)
	}

	return bars, dropped, nil
}
