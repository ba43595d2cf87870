// Package health diagnoses the stores: it checks each, and reports its counters, its pool and its cache.
package health

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	checkTimeout = 500 * time.Millisecond // of one check
	slowCheck    = 250 * time.Millisecond // a store whose check takes longer is degraded
)

// Diagnostics diagnoses the stores. It is safe for concurrent use.
type Diagnostics struct {
	stores   access.Stores
	clock    ports.Clock
	settings *access.Settings
}

var _ ports.Diagnostics = (*Diagnostics)(nil)

// New returns Diagnostics over the stores.
func New(stores access.Stores, clock ports.Clock, settings *access.Settings) *Diagnostics {
	return &Diagnostics{stores: stores, clock: clock, settings: settings}
}

// Diagnose checks all stores at once, each for at most 500 ms. A store is down where its check fails. It is degraded
// where the check reports that the store is overloaded, takes more than 250 ms, or finds every connection of the pool
// in use, a cache that cannot be used, writes that did not finish, or a retention policy that drops old bars. Else it
// is healthy. An optional store is degraded where others are down. Checks are not counted as requests.
func (d *Diagnostics) Diagnose(ctx context.Context) (ports.Diagnosis, error) {
	call := &access.Call{Op: "diagnose", Subject: access.Text(""), Settings: d.settings}
	diagnosis := ports.Diagnosis{At: d.clock.Now().UTC(), Stores: make([]ports.StoreDiagnosis, len(d.stores))}
	var checks sync.WaitGroup
	for i, store := range d.stores {
		checks.Go(func() { diagnosis.Stores[i] = diagnose(ctx, call.For(store), d.stores) })
	}
	checks.Wait()

	if err := ctx.Err(); err != nil {
		return ports.Diagnosis{}, &ports.Error{Kind: ports.ContextKind(err), Op: call.Op, Err: err}
	}

	return diagnosis, nil
}

// StoreDetails yields what is known of each store without a request, in the order of the configuration, such as its
// address, database and user. Optional stores are left out, because they keep no data.
func (d *Diagnostics) StoreDetails() iter.Seq2[domain.StoreName, ports.StoreDetails] {
	return func(yield func(domain.StoreName, ports.StoreDetails) bool) {
		for _, s := range d.stores {
			if !s.Optional && !yield(s.Name, detailsOf(s)) {
				return
			}
		}
	}
}

// detailsOf returns the details of a store; they are empty if it reports none.
func detailsOf(s *access.Store) ports.StoreDetails {
	if r, ok := s.Health.(ports.DetailReporter); ok {
		return r.Details()
	}

	return ports.StoreDetails{}
}

func diagnose(ctx context.Context, call *access.Call, stores access.Stores) ports.StoreDiagnosis {
	s := call.Store
	usage := s.Usage()
	d := ports.StoreDiagnosis{
		Store: s.Name, State: ports.HealthOK,
		Requests: usage.Requests, Errors: usage.Errors, Rows: usage.Rows, MeanQuery: usage.Mean,
	}
	if s.Pool != nil {
		pool := s.Pool() // before the check takes a connection of its own
		d.Pool = &pool
	}
	if s.Cache != nil {
		cache := s.Cache.Stats()
		d.Cache = &cache
	}

	var err error
	if s.Health != nil {
		start := time.Now()
		var found findings
		operation := access.Operation[access.Stores, findings]{Name: call.Op, Run: check, Limit: checkTimeout}
		found, err = access.Do(ctx, call, operation, stores)
		d.Latency, d.Retention, d.Unfinished = time.Since(start), found.retention, found.unfinished
		d.Problems = found.problems
	}
	d.Details = detailsOf(s) // after the check, which finds out some of them

	d.Problems = problems(d, err)
	if len(d.Problems) > 0 {
		switch {
		case s.Optional:
			d.Problems[0] = withoutStore(d.Problems[0])
		case s.Closed:
			d.Problems[0].State = ports.HealthDown
		}
		d.State = d.Problems[0].State
	}
	if d.State != ports.HealthOK {
		d.Reason = d.Problems[0].Reason
	}

	return d
}

// problems returns the problems of a store whose check returned err.
func problems(d ports.StoreDiagnosis, err error) []ports.Problem {
	if err != nil {
		return []ports.Problem{failure(err)}
	}

	found := d.Problems
	degraded := func(remedy, format string, args ...any) {
		reason := fmt.Sprintf(format, args...)
		found = append(found, ports.Problem{State: ports.HealthDegraded, Reason: reason, Detail: reason, Remedy: remedy})
	}
	if d.Latency > slowCheck {
		degraded("", "slow: the check took %s", d.Latency.Round(time.Millisecond))
	}
	if d.Cache != nil && d.Cache.Disconnected {
		degraded("", "hints of other processes are disconnected; their writes are seen when a lease ends")
	}
	if d.Pool != nil && d.Pool.Max > 0 && d.Pool.InUse >= d.Pool.Max {
		degraded("", "every connection of the pool is in use (%d)", d.Pool.Max)
	}
	if len(d.Unfinished) > 0 {
		degraded("run the same imports again, or give the ranges up with marketdata doctor --uncover",
			"writes that did not finish: %d; their ranges are not covered until they are written again", len(d.Unfinished))
	}
	if d.Retention > 0 {
		degraded("", "the retention policy drops bars older than %s; blocks with such bars read as not covered", d.Retention)
	}

	slices.SortStableFunc(found, func(a, b ports.Problem) int { return severity(b) - severity(a) })

	return found
}

// severity orders problems.
func severity(p ports.Problem) int {
	switch p.State {
	case ports.HealthDown:
		return 2
	case ports.HealthDegraded:
		return 1
	default:
		return 0
	}
}

// failure returns the problem of a check that failed.
func failure(err error) ports.Problem {
	kind := access.KindOf(err)
	p := ports.Problem{State: ports.HealthDown, Reason: kind.Error(), Err: err}
	if kind == ports.ErrOverloaded { //nolint:errorlint // a kind is one of the sentinels
		p.State = ports.HealthDegraded
	}
	p.Detail, p.Remedy = ports.SplitRemedy(err)

	return p
}

// withoutStore returns the problem of a store without which requests are served.
func withoutStore(p ports.Problem) ports.Problem {
	if p.State == ports.HealthDown {
		p.State, p.Reason = ports.HealthDegraded, p.Reason+"; requests are served without it"
	}

	return p
}

// findings are what a check finds beside the health of a store.
type findings struct {
	retention  time.Duration
	unfinished []ports.UnfinishedWrite
	problems   []ports.Problem
}

// check checks s, which is one of the stores. An error of another one, which s needs, is that one's problem.
func check(ctx context.Context, s *access.Store, stores access.Stores) (found findings, err error) {
	err = s.Health.Check(ctx)
	if r, ok := s.Health.(ports.RetentionReporter); ok && err == nil {
		found.retention, err = r.Retention(ctx)
	}
	if r, ok := s.Health.(ports.ProblemReporter); ok && err == nil {
		found.problems, err = r.Problems(ctx)
	}
	if s.Unfinished != nil && err == nil {
		found.unfinished, err = s.Unfinished.UnfinishedWrites(ctx)
	}
	if from := (*ports.Error)(nil); errors.As(err, &from) && from.Store != s.Name &&
		slices.ContainsFunc(stores, func(other *access.Store) bool { return other.Name == from.Store }) {
		err = nil
	}

	return found, err
}
