package resilience

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// health checks the store, and tells whether the breaker is open.
type health struct {
	ports.HealthChecker
	policy *Policy
}

var (
	_ ports.DetailReporter    = health{}
	_ ports.RetentionReporter = health{}
	_ ports.ProblemReporter   = health{}
)

// Health returns the checker, which also reports an open breaker. Checks ask the server even then. It reports details,
// retention and problems if the checker does.
func (p *Policy) Health(next ports.HealthChecker) ports.HealthChecker { return health{next, p} }

// Details implements ports.DetailReporter.
func (h health) Details() ports.StoreDetails {
	if r, ok := h.HealthChecker.(ports.DetailReporter); ok {
		return r.Details()
	}

	return ports.StoreDetails{}
}

// Retention implements ports.RetentionReporter.
func (h health) Retention(ctx context.Context) (time.Duration, error) {
	if r, ok := h.HealthChecker.(ports.RetentionReporter); ok {
		return r.Retention(ctx)
	}

	return 0, nil
}

// Problems implements ports.ProblemReporter.
func (h health) Problems(ctx context.Context) (problems []ports.Problem, err error) {
	if r, ok := h.HealthChecker.(ports.ProblemReporter); ok {
		problems, err = r.Problems(ctx)
	}
	if open := h.policy.breaker.Open(); open != nil {
		problems = append(problems, ports.Problem{
			State: ports.HealthDegraded, Reason: "circuit breaker open", Detail: open.Error(), Err: open.Last,
		})
	}

	return problems, err
}
