package query

import (
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// result collects the fields of a Result beside its bars.
type result struct {
	report     domain.QualityReport
	filled     []domain.Range // by the fill policy: ascending, disjoint
	returned   domain.Range   // of the returned bars
	bars       int            // returned
	origins    []domain.Origin
	storeReads []plan.Read         // queries that a store with a cache answered
	unreadable []*domain.RuleError // stored bars that no Series can represent, in the order of reading
	staleFor   time.Duration
}

// record counts returned bars, which ascend from one call to the next.
func (a *result) record(bars domain.Series, legs []plan.Leg) {
	if a.origins == nil && len(legs) > 0 {
		a.origins = newOrigins(legs)
	}
	if bars.Len() == 0 {
		return
	}

	r := bars.Range()
	if a.bars == 0 {
		a.returned = r
	}
	a.returned.End = r.End
	a.bars += bars.Len()
	for i := range a.origins {
		a.origins[i].Bars += bars.Clip(a.origins[i].Range).Len()
	}
}

func newOrigins(legs []plan.Leg) []domain.Origin {
	origins := make([]domain.Origin, 0, len(legs))
	for _, l := range legs {
		for _, read := range l.Reads {
			origin := domain.Origin{Store: read.Source, Grid: l.Grid, Ticks: l.Rows.Ticks(), Range: read.Range}
			if len(l.Holes) == 0 {
				origins = append(origins, origin)
				continue
			}

			for _, origin.Range = range read.Range.Subtract(domain.ClipRanges(l.Holes, read.Range)) {
				origins = append(origins, origin)
			}
		}
	}

	return origins
}

// provenance returns the origins that served the range r of a result on the grid.
func (a *result) provenance(r domain.Range, grid domain.Grid, isCached func(domain.Origin) bool) []domain.Origin {
	aligned := grid.Align(r) // a bar made of finer rows needs rows up to its own end, beyond the end of r
	var served []domain.Origin
	for _, o := range a.origins {
		part := aligned
		if o.Grid == grid {
			part = r
		}
		if o.Range = o.Range.Intersect(part); o.Range.Empty() {
			continue
		}

		o.Cached = isCached(o)
		if served == nil {
			served = a.origins[:0]
		}
		served = append(served, o)
	}

	return served
}

// recordFilled adds ranges that come after those recorded.
func (a *result) recordFilled(filled []domain.Range) {
	for _, r := range filled {
		if n := len(a.filled); n > 0 && a.filled[n-1].End.Equal(r.Start) {
			a.filled[n-1].End = r.End
		} else {
			a.filled = append(a.filled, r)
		}
	}
}

// check validates a piece as it was read: it reports the findings, and applies the quality policy.
func (t *task) check(v *quality.Validator, p blockcache.Bars) (domain.Series, error) {
	verdict, a := validate(v, p), &t.result
	a.report.Bars += verdict.Bars
	if len(verdict.Findings) == 0 {
		return p.Bars, nil
	}

	a.report.Findings = quality.Merge(a.report.Findings, verdict.Findings)
	bars, dropped, err := verdict.Apply(t.query.request.Quality, p.Bars)
	if err != nil {
		return domain.Series{}, t.query.call.Fault(ports.ErrCorruptData, fmt.Errorf(
			"%w; %d of %d bars break a fatal rule; request with quality drop or flag, or write the bars again",
			err, len(verdict.Fatal), verdict.Bars))
	}
	a.report.Dropped = append(a.report.Dropped, dropped...)

	return bars, nil
}

// withoutFatal returns the bars that the quality policy will keep, and the open times of those that it will drop. It
// reports nothing.
func (t *task) withoutFatal(p blockcache.Bars) (kept domain.Series, dropped []time.Time) {
	if t.query.request.Quality != domain.QualityDrop {
		return p.Bars, nil
	}

	fatal := validate(quality.NewValidator(p.Bars.Range(), t.query.now), p).Fatal
	for _, i := range fatal {
		dropped = append(dropped, p.Bars.OpenTime(i))
	}

	return p.Bars.Drop(fatal), dropped
}

func validate(v *quality.Validator, p blockcache.Bars) quality.Verdict {
	if p.Validated {
		return v.CheckValidated(p.Bars)
	}

	return v.Check(p.Bars)
}

// resampleError gives an error of resampling or filling the kind and the subject of the request.
func (t *task) resampleError(err error) error {
	if ours := (*ports.Error)(nil); err == nil || errors.As(err, &ours) {
		return err
	}

	kind := ports.ErrInternal
	if errors.Is(err, domain.ErrOverflow) {
		kind = ports.ErrTooLarge
	}
	call := &t.query.call

	return &ports.Error{Kind: kind, Op: call.Op, Subject: call.Subject.String(), Err: err}
}
