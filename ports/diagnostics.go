package ports

import (
	"context"
	"time"
)

// Diagnostics tells how the stores are.
type Diagnostics interface {
	// Diagnose checks every store, all at once, each for at most half a second. A store that is down is part of the answer; the
	// error is for a ctx that is done. Safe for concurrent use.
	Diagnose(ctx context.Context) (Diagnosis, error)
}

// Diagnosis is the state of every store, in the order of the configuration.
type Diagnosis struct {
	At     time.Time        `json:"at"` // by the clock
	Stores []StoreDiagnosis `json:"stores"`
}

// State is the worst state of a store; healthy where there is none.
func (d Diagnosis) State() Health {
	worst := Healthy
	for _, s := range d.Stores {
		if s.State == Down || s.State == Degraded && worst == Healthy {
			worst = s.State
		}
	}
	return worst
}

// Health is the state of a store.
type Health string

// The states.
const (
	Healthy  Health = "healthy"  // it answers
	Degraded Health = "degraded" // it answers, but slowly, or has no room for more
	Down     Health = "down"     // it does not answer, or cannot serve
)

// StoreDiagnosis is the state of one store, and what was asked of it since the start.
type StoreDiagnosis struct {
	Store  string        `json:"store"`
	State  Health        `json:"state"`
	Reason string        `json:"reason,omitempty"` // why it is not healthy: kinds of errors and numbers, never a driver's words
	Took   time.Duration `json:"took_ns"`          // by the check

	Requests  int64         `json:"requests"`         // calls of the store
	Errors    int64         `json:"errors"`           // of them, those that the store failed
	Rows      int64         `json:"rows"`             // bars, trades and quotes read and written
	MeanQuery time.Duration `json:"average_query_ns"` // mean time of a call

	Pool *PoolUse `json:"pool,omitempty"` // nil where the store has no pool
}

// PoolUse is how busy a pool of connections is.
type PoolUse struct {
	InUse    int           `json:"in_use"`
	Idle     int           `json:"idle"`
	Max      int           `json:"max"`
	Waited   int64         `json:"waited"`       // how often a call had to wait for a connection
	WaitTime time.Duration `json:"wait_time_ns"` // how long, all in all
}
