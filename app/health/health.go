// Package health diagnoses the stores: it checks each, and reports its counters, its pool and its cache.
package health

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
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
// is healthy. Checks are not counted as requests.
func (d *Diagnostics) Diagnose(ctx context.Context) (ports.Diagnosis, error) {
	call := &access.Call{Op: "diagnose", Subject: access.Text(""), Settings: d.settings}
	diagnosis := ports.Diagnosis{At: d.clock.Now().UTC(), Stores: make([]ports.StoreDiagnosis, len(d.stores))}
	var checks sync.WaitGroup
	for i, store := range d.stores {
		checks.Go(func() { diagnosis.Stores[i] = diagnose(ctx, call.For(store)) })
	}
	checks.Wait()

	if err := ctx.Err(); err != nil {
		return ports.Diagnosis{}, &ports.Error{Kind: ports.ContextKind(err), Op: call.Op, Err: err}
	}

	return diagnosis, nil
}

func diagnose(ctx context.Context, call *access.Call) ports.StoreDiagnosis {
	s := call.Store
	usage := s.Usage()
	d := ports.StoreDiagnosis{
		Store: s.Name, State: ports.Healthy,
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
		found, err = access.DoUncounted(ctx, call, checkTimeout, check, struct{}{})
		d.Latency, d.Retention, d.Unfinished = time.Since(start), found.retention, found.unfinished
	}
	d.State, d.Reason = assess(d, err)

	return d
}

// assess returns the state of a store, and the reason where it is not healthy.
func assess(d ports.StoreDiagnosis, err error) (ports.Health, string) {
	switch kind := access.KindOf(err); {
	case err != nil && kind == ports.ErrOverloaded: //nolint:errorlint // a kind is one of the sentinels
		return ports.Degraded, kind.Error()
	case err != nil:
		return ports.Down, kind.Error()
	case d.Latency > slowCheck:
		return ports.Degraded, fmt.Sprintf("slow: the check took %s", d.Latency.Round(time.Millisecond))
	case d.Cache != nil && d.Cache.Disconnected:
		return ports.Degraded, "hints of other processes are disconnected; their writes are seen when a lease ends"
	case d.Pool != nil && d.Pool.Max > 0 && d.Pool.InUse >= d.Pool.Max:
		return ports.Degraded, fmt.Sprintf("every connection of the pool is in use (%d)", d.Pool.Max)
	case len(d.Unfinished) > 0:
		return ports.Degraded, fmt.Sprintf(
			"writes that did not finish: %d; their ranges are not covered until they are written again", len(d.Unfinished))
	case d.Retention > 0:
		return ports.Degraded, fmt.Sprintf(
			"the retention policy drops bars older than %s; blocks with such bars read as not covered", d.Retention)
	}

	return ports.Healthy, ""
}

// findings are what a check finds beside the health of a store.
type findings struct {
	retention  time.Duration
	unfinished []ports.UnfinishedWrite
}

func check(ctx context.Context, s *access.Store, _ struct{}) (found findings, err error) {
	err = s.Health.Check(ctx)
	if r, ok := s.Health.(ports.RetentionReporter); ok && err == nil {
		found.retention, err = r.Retention(ctx)
	}
	if s.Unfinished != nil && err == nil {
		found.unfinished, err = s.Unfinished.UnfinishedWrites(ctx)
	}

	return found, err
}
