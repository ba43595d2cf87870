package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

const (
	checkTimeout = 500 * time.Millisecond // of one check
	checkSlow    = 250 * time.Millisecond // a check that takes longer tells of a store in trouble
)

// Diagnostics tells how the stores are.
type Diagnostics struct {
	stores stores
	clock  ports.Clock
	cfg    *Config // with defaults
}

var _ ports.Diagnostics = (*Diagnostics)(nil)

// Diagnose checks every store at once, each for at most 500 ms. A store is down when its check fails, degraded when the check says
// that there is no room, takes more than 250 ms, or finds every connection of the pool in use or a cache that cannot be used, and else
// healthy. The checks themselves are not counted as requests.
func (d *Diagnostics) Diagnose(ctx context.Context) (ports.Diagnosis, error) {
	by := &caller{op: "diagnose", subject: text(""), cfg: d.cfg}
	diagnosis := ports.Diagnosis{At: d.clock.Now().UTC(), Stores: make([]ports.StoreDiagnosis, len(d.stores))}
	var checks sync.WaitGroup
	for i, s := range d.stores {
		checks.Go(func() { diagnosis.Stores[i] = s.diagnose(ctx, by.at(s)) })
	}
	checks.Wait()
	if err := ctx.Err(); err != nil {
		return ports.Diagnosis{}, &ports.Error{Kind: ports.ContextKind(err), Op: by.op, Err: err}
	}

	return diagnosis, nil
}

func (s *store) diagnose(ctx context.Context, by *caller) ports.StoreDiagnosis {
	d := ports.StoreDiagnosis{
		Store: s.Name, State: ports.Healthy,
		Requests: s.requests.Load(), Errors: s.errors.Load(), Rows: s.rows.Load(),
	}
	if d.Requests > 0 {
		d.MeanQuery = time.Duration(s.busy.Load() / d.Requests)
	}
	if s.Pool != nil {
		use := s.Pool() // before the check takes a connection of its own
		d.Pool = &use
	}

	if s.Cache != nil {
		use := s.Cache.Stats()
		d.Cache = &use
	}

	var err error
	if s.Health != nil {
		began := time.Now()
		_, err = within(ctx, by, checkTimeout, check, struct{}{})
		d.Latency = time.Since(began)
	}

	switch {
	case err != nil:
		d.State, d.Reason = ports.Down, kindOf(err).Error()
		if kindOf(err) == ports.ErrOverloaded { //nolint:errorlint // a kind is one of the sentinels
			d.State = ports.Degraded
		}
	case d.Latency > checkSlow:
		d.State, d.Reason = ports.Degraded, fmt.Sprintf("slow: the check took %s", d.Latency.Round(time.Millisecond))
	case d.Cache != nil && d.Cache.Disconnected:
		d.State, d.Reason = ports.Degraded, "writes of other processes are not heard of; the cache is not used"
	case d.Pool != nil && d.Pool.Max > 0 && d.Pool.InUse >= d.Pool.Max:
		d.State, d.Reason = ports.Degraded, fmt.Sprintf("every connection of the pool is in use (%d)", d.Pool.Max)
	}

	return d
}

func check(ctx context.Context, s *store, _ struct{}) (struct{}, error) {
	return struct{}{}, s.Health.Check(ctx)
}
