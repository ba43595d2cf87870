package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/health"
	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// audit records requests in the log: each of them where Config.Audit asks for it, and those that look like an attack in
// any case, which it also counts. It is safe for concurrent use.
type audit struct {
	isOn   bool
	logger Logger
	stores *health.Diagnostics // of the users in which the stores are used

	refusedSymbols, refusedRanges, denied suspicion
}

// newAudit returns the audit of a configuration with its defaults.
func newAudit(cfg Config, stores *health.Diagnostics) *audit {
	return &audit{
		isOn: cfg.Audit, logger: cfg.Logger, stores: stores,
		refusedSymbols: suspicion{name: "refused symbol"},
		refusedRanges:  suspicion{name: "refused range"},
		denied:         suspicion{name: "permission"},
	}
}

// finish records the outcome of a request. It allocates nothing for one without an error while the audit is off.
func (a *audit) finish(ctx context.Context, r request, rows int, err error) {
	if err == nil && !a.isOn {
		return
	}

	kind := a.suspicionOf(err)
	isLogged := kind != nil && kind.add(time.Now())
	if isLogged {
		a.logger.WarnContext(ctx, "suspicious request",
			append([]any{"kind", kind.name, "count", kind.total()}, a.record(r, rows, err)...)...)
	} else if a.isOn {
		a.logger.InfoContext(ctx, "audit", a.record(r, rows, err)...)
	}
}

// record returns the keys and values of a record. It repeats no text of the caller but a valid symbol, and the
// beginning of an invalid argument, in quotes.
func (a *audit) record(r request, rows int, err error) []any {
	record := []any{"op", r.op}
	add := func(name, value string) {
		if value != "" {
			record = append(record, name, value)
		}
	}
	if r.key.Symbol.Validate() == nil {
		add("symbol", string(r.key.Symbol))
	}
	if r.key.Grid.Validate() == nil {
		add("frequency", r.key.Grid.String())
		add("price", r.key.PriceType.String())
	}
	if !r.asked.Start.IsZero() {
		add("start", access.FormatTime(r.asked.Start.UTC()))
	}
	if !r.asked.End.IsZero() {
		add("end", access.FormatTime(r.asked.End.UTC()))
	}
	record = append(record, "rows", rows, "outcome", outcomeOf(err))
	if from := (*ports.Error)(nil); errors.As(err, &from) {
		add("store", string(from.Store))
	}
	if invalid := (*domain.InvalidError)(nil); errors.As(err, &invalid) {
		add("reason", invalid.Error())
	}
	add("user", a.users())

	return record
}

func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}

	return access.KindOf(err).Error()
}

// users returns the users in which the stores are used, such as "postgres: reader, influx: writer".
func (a *audit) users() string {
	var users []string
	for name, details := range a.stores.StoreDetails() {
		if details.User != "" {
			users = append(users, string(name)+": "+details.User)
		}
	}

	return strings.Join(users, ", ")
}

// suspicionOf returns the counter of an error that an attack causes, nil for another one.
func (a *audit) suspicionOf(err error) *suspicion {
	invalid := (*domain.InvalidError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ports.ErrPermission):
		return &a.denied
	case errors.Is(err, ports.ErrTooLarge):
		return &a.refusedRanges
	case !errors.As(err, &invalid):
		return nil
	}

	switch invalid.What {
	case "symbol":
		return &a.refusedSymbols
	case "range", "time":
		return &a.refusedRanges
	}

	return nil
}

// counts returns the counters.
func (a *audit) counts() ports.SuspiciousRequests {
	return ports.SuspiciousRequests{
		RefusedSymbols: a.refusedSymbols.total(), RefusedRanges: a.refusedRanges.total(), Denied: a.denied.total(),
	}
}

// Records of suspicious requests of one kind: a burst of them, and then one for each interval, so that an attacker
// cannot flood the log. The counters count all.
const (
	suspicionBurst    = 20
	suspicionInterval = time.Second
)

// suspicion counts the suspicious requests of one kind.
type suspicion struct {
	name string

	mu    sync.Mutex
	count int64
	next  time.Time // the burst is used up while it is more than the burst ahead
}

// add counts a request, and reports whether it is logged.
func (s *suspicion) add(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if s.next.Before(now) {
		s.next = now
	}
	if s.next.Sub(now) > (suspicionBurst-1)*suspicionInterval {
		return false
	}

	s.next = s.next.Add(suspicionInterval)

	return true
}

func (s *suspicion) total() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
