package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Diagnostics checks the health of the stores.
type Diagnostics interface {
	// Diagnose checks all stores concurrently, each for at most half a second. A store that is down is in the result and
	// is no error; the only error is that of ctx. Safe for concurrent use.
	Diagnose(ctx context.Context) (Diagnosis, error)
}

// Diagnosis is the state of all stores, in the order of the configuration. A shared cache is the last of them.
type Diagnosis struct {
	At     time.Time        `json:"at"` // time of the business clock
	Stores []StoreDiagnosis `json:"stores"`

	Suspicious SuspiciousRequests `json:"suspicious"`

	// Operations has the durations, errors and rows of the requests and of the calls of stores, where the application has
	// a Telemetry that reports them.
	Operations []OperationStats `json:"operations,omitempty"`
}

// SuspiciousRequests counts the requests since the start of the process that an attack may be the reason of.
type SuspiciousRequests struct {
	RefusedSymbols int64 `json:"refused_symbols"` // with a text that is no symbol
	RefusedRanges  int64 `json:"refused_ranges"`  // of years that do not exist, reversed, or beyond a limit
	Denied         int64 `json:"denied"`          // that a store denied: ErrPermission
}

// State returns the worst state of all stores, or HealthOK if there is no store.
func (d Diagnosis) State() Health {
	worst := HealthOK
	for _, s := range d.Stores {
		if s.State == HealthDown || s.State == HealthDegraded && worst == HealthOK {
			worst = s.State
		}
	}

	return worst
}

// Health is the state of a store.
type Health string

// The states of a store.
const (
	HealthOK       Health = "healthy"  // the store responds
	HealthDegraded Health = "degraded" // the store responds, but slowly, or its pool is exhausted, or it drops old bars
	HealthDown     Health = "down"     // the store does not respond, or cannot serve requests
)

// StoreDiagnosis is the state of one store, with its counters since the start of the process.
type StoreDiagnosis struct {
	Store   domain.StoreName `json:"store"`
	State   Health           `json:"state"`
	Reason  string           `json:"reason,omitempty"` // why it is not healthy; never a driver's text
	Latency time.Duration    `json:"-"`                // duration of the check

	Details  StoreDetails `json:"details"`
	Problems []Problem    `json:"problems,omitempty"` // the worst first; only warnings if it is healthy

	Retention time.Duration `json:"-"` // age at which the store drops bars; 0 if it keeps them

	Unfinished []UnfinishedWrite `json:"unfinished,omitempty"` // writes that did not finish

	Requests  int64         `json:"requests"` // calls of the store
	Errors    int64         `json:"errors"`   // calls that failed
	Rows      int64         `json:"rows"`     // bars, trades and quotes read and written
	MeanQuery time.Duration `json:"-"`        // mean time of a call

	Pool  *PoolStats  `json:"pool,omitempty"`  // nil if the store has no pool
	Cache *CacheStats `json:"cache,omitempty"` // nil if the store has no cache
}

// plainStoreDiagnosis is a StoreDiagnosis without methods.
type plainStoreDiagnosis StoreDiagnosis

// storeDiagnosisJSON is the JSON of a StoreDiagnosis.
type storeDiagnosisJSON struct {
	plainStoreDiagnosis

	Latency   domain.Seconds `json:"latency_seconds"`
	MeanQuery domain.Seconds `json:"average_query_seconds"`
	Retention domain.Seconds `json:"retention_seconds,omitempty"`
}

func (d StoreDiagnosis) json() storeDiagnosisJSON {
	return storeDiagnosisJSON{
		plainStoreDiagnosis(d), domain.Seconds(d.Latency), domain.Seconds(d.MeanQuery), domain.Seconds(d.Retention),
	}
}

// MarshalJSON returns an object with the durations in seconds. The retention is left out if it is 0.
func (d StoreDiagnosis) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.json())
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (d *StoreDiagnosis) UnmarshalJSON(text []byte) error {
	j := d.json()
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*d = StoreDiagnosis(j.plainStoreDiagnosis)
	d.Latency, d.MeanQuery, d.Retention = time.Duration(j.Latency), time.Duration(j.MeanQuery), time.Duration(j.Retention)

	return nil
}

// StoreDetails say where a store is, and which versions it has. A field is empty if it is unknown, or if the store has
// no such thing.
type StoreDetails struct {
	Address  string `json:"address,omitempty"`  // host and port, or the URL of the server
	Database string `json:"database,omitempty"` // its name, or the path of its file
	User     string `json:"user,omitempty"`
	Version  string `json:"version,omitempty"` // of the server
	Schema   string `json:"schema,omitempty"`  // version of the tables
}

// DetailReporter tells the details of a store. A HealthChecker may implement it.
type DetailReporter interface {
	// Details returns what is known. It waits for nothing: the configuration tells the address, and checks and opening
	// find out the rest.
	Details() StoreDetails
}

// Problem is one reason why a store is not healthy, or a warning about a healthy one.
type Problem struct {
	State  Health `json:"state"`            // of the store, because of the problem; HealthOK for a warning
	Reason string `json:"reason"`           // in few words; never a driver's text
	Detail string `json:"detail"`           // the whole error, or Reason; may name hosts and users, never a secret
	Remedy string `json:"remedy,omitempty"` // such as a command; "" if none is known
	Err    error  `json:"-"`                // the error of the store; nil for a problem without one, such as slowness
}

// ProblemReporter finds the problems of a store that responds. A HealthChecker may implement it.
type ProblemReporter interface {
	// Problems returns the problems beside that of Check. It changes nothing.
	Problems(ctx context.Context) ([]Problem, error)
}

// MaxUnfinished is how many unfinished writes a diagnosis has at most.
const MaxUnfinished = 100

// UnfinishedWrite is a write that failed, or whose process died, before it was done. Its range is not covered until it
// is written again, or the coverage is given up with Ingestor.Uncover.
type UnfinishedWrite struct {
	Key     domain.SeriesKey `json:"key"`
	Range   domain.Range     `json:"range"`
	Owner   string           `json:"owner"`   // names the writer to people
	Expired time.Time        `json:"expired"` // when others could take the range over
}

// UnfinishedReporter reports writes that did not finish. Stores with transactions have none.
type UnfinishedReporter interface {
	// UnfinishedWrites returns the oldest of them, at most MaxUnfinished.
	UnfinishedWrites(ctx context.Context) ([]UnfinishedWrite, error)
}

// CacheStats are the counters of the cache in front of a store, since it was created. A block is a unit of the cache:
// up to 4096 bars.
type CacheStats struct {
	// Disconnected means that the cache does not receive the hints of other processes. Until it does, their writes are
	// seen when a lease ends.
	Disconnected bool `json:"disconnected"`

	Hits         int64 `json:"hits"`          // blocks found in the memory of this process
	SharedHits   int64 `json:"shared_hits"`   // blocks found in the shared cache
	Misses       int64 `json:"misses"`        // blocks read from the store, including prefetched ones
	Coalesced    int64 `json:"coalesced"`     // states and blocks that a query took from the read of a concurrent query
	TailReads    int64 `json:"tail_reads"`    // reads that added new bars to a block
	Reads        int64 `json:"reads"`         // reads of bars from the store
	Bars         int64 `json:"bars"`          // bars returned by those reads
	StateReads   int64 `json:"state_reads"`   // reads of states from the store
	Bypassed     int64 `json:"bypassed"`      // queries that did not use the cache
	Conflicts    int64 `json:"conflicts"`     // results discarded because of a concurrent write
	WentBack     int64 `json:"went_back"`     // series whose version went back: the store lost writes
	Stale        int64 `json:"stale"`         // results of an older state, because the store could not be asked
	Prefetched   int64 `json:"prefetched"`    // blocks read ahead of queries
	PrefetchHits int64 `json:"prefetch_hits"` // prefetched blocks that a query then used
	Hints        int64 `json:"hints"`         // hints received: writes of other processes
	HintsLost    int64 `json:"hints_lost"`    // writes of which other processes could not be told
}

// PoolStats are the numbers of a connection pool. Waits and WaitTime are totals since the pool was opened.
type PoolStats struct {
	InUse    int           `json:"in_use"`
	Idle     int           `json:"idle"`
	Max      int           `json:"max"`
	Waits    int64         `json:"waits"` // calls that waited for a connection
	WaitTime time.Duration `json:"-"`     // total time of those waits
}

// plainPoolStats is a PoolStats without methods.
type plainPoolStats PoolStats

// poolStatsJSON is the JSON of a PoolStats.
type poolStatsJSON struct {
	plainPoolStats

	WaitTime domain.Seconds `json:"wait_time_seconds"`
}

// MarshalJSON returns an object with the time of the waits in seconds.
func (p PoolStats) MarshalJSON() ([]byte, error) {
	return json.Marshal(poolStatsJSON{plainPoolStats(p), domain.Seconds(p.WaitTime)})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (p *PoolStats) UnmarshalJSON(text []byte) error {
	j := poolStatsJSON{plainPoolStats(*p), domain.Seconds(p.WaitTime)}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*p = PoolStats(j.plainPoolStats)
	p.WaitTime = time.Duration(j.WaitTime)

	return nil
}
