package ports

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Diagnostics tells how the stores are.
type Diagnostics interface {
	// Diagnose checks every store, all at once, each for at most half a second. A store that is down is part of the
	// answer; the error is for a ctx that is done. Safe for concurrent use.
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
	Degraded Health = "degraded" // it answers, but slowly, or has no room for more, or drops old bars
	Down     Health = "down"     // it does not answer, or cannot serve
)

// StoreDiagnosis is the state of one store, and what was asked of it since the start.
type StoreDiagnosis struct {
	Store   domain.StoreName `json:"store"`
	State   Health           `json:"state"`
	Reason  string           `json:"reason,omitempty"` // why it is not healthy: kinds of errors and numbers, never a driver's words
	Latency time.Duration    `json:"latency_ns"`       // by the check

	Retention time.Duration `json:"retention_ns,omitempty"` // age at which the store drops bars; 0 if it keeps them

	Requests  int64         `json:"requests"`         // calls of the store
	Errors    int64         `json:"errors"`           // of them, those that the store failed
	Rows      int64         `json:"rows"`             // bars, trades and quotes read and written
	MeanQuery time.Duration `json:"average_query_ns"` // mean time of a call

	Pool  *PoolStats  `json:"pool,omitempty"`  // nil where the store has no pool
	Cache *CacheStats `json:"cache,omitempty"` // nil where no cache stands before the store
}

// CacheStats is what a cache in front of a store did since it was made. A chunk is a few thousand bars that are kept
// together.
type CacheStats struct {
	Disconnected bool `json:"disconnected"` // the writes of other processes are not heard of, since hearing failed; until they are the cache is not used

	Hits          int64 `json:"hits"`           // chunks found in the cache
	Misses        int64 `json:"misses"`         // chunks read from the store, ahead or for a caller
	Coalesced     int64 `json:"coalesced"`      // chunks that one caller had of another's read
	TailReads     int64 `json:"tail_reads"`     // reads of which the first chunk needed its tail only
	Reads         int64 `json:"reads"`          // reads of the store for the cache
	Bars          int64 `json:"bars"`           // bars that those returned
	Bypassed      int64 `json:"bypassed"`       // queries answered by the store alone
	Conflicts     int64 `json:"conflicts"`      // answers and chunks given up because a write fell in between
	Prefetched    int64 `json:"prefetched"`     // chunks read ahead
	PrefetchHits  int64 `json:"prefetch_hits"`  // of them, those that somebody then asked for
	Invalidated   int64 `json:"invalidated"`    // chunks that writes, here or elsewhere, made untrue
	PublishErrors int64 `json:"publish_errors"` // writes that other processes were not told of
}

// PoolStats is how busy a pool of connections is.
type PoolStats struct {
	InUse    int           `json:"in_use"`
	Idle     int           `json:"idle"`
	Max      int           `json:"max"`
	Waits    int64         `json:"waits"`        // how often a call had to wait for a connection
	WaitTime time.Duration `json:"wait_time_ns"` // how long, all in all
}
