package postgres

import (
	"sync"
	"time"
)

// lookups remembers series and partitions that exist, so that most writes need not look for them. A series that was
// replaced after a restore is found out by its uid, and a partition that was dropped by the error of the write.
type lookups struct {
	mu         sync.Mutex
	series     map[[3]string]series // by symbol, kind and grid
	partitions map[partition]bool
}

// partition is one of a table, by its start.
type partition struct {
	table string
	start time.Time
}

// maxLookups is how many series are remembered: some 20 MB.
const maxLookups = 100_000

// resolve gives the records the series that are known.
func (l *lookups) resolve(records []*record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		if r.isUnresolved() {
			r.series = l.series[[3]string(r.names)]
		}
	}
}

// add remembers the series of the records.
func (l *lookups) add(records []*record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.series == nil || len(l.series)+len(records) > maxLookups {
		l.series = make(map[[3]string]series, len(records))
	}
	for _, r := range records {
		if !r.isUnresolved() {
			l.series[[3]string(r.names)] = r.series
		}
	}
}

// forget forgets the series of the records, which have none then.
func (l *lookups) forget(records []*record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		delete(l.series, [3]string(r.names))
		r.series = series{}
	}
}

// missingPartitions returns those of the starts of partitions that are not known.
func (l *lookups) missingPartitions(table string, starts []time.Time) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return filter(starts, func(start time.Time) bool { return !l.partitions[partition{table, start}] })
}

func (l *lookups) addPartitions(table string, starts []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.partitions == nil {
		l.partitions = map[partition]bool{}
	}
	for _, start := range starts {
		l.partitions[partition{table, start}] = true
	}
}

func (l *lookups) forgetPartitions() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partitions = nil
}
