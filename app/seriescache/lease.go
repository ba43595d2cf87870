package seriescache

import (
	"sync"
	"time"
)

const (
	// maxLeases bounds the keys of which something is remembered; beyond it, all are forgotten. A state of maxLeasedBlocks
	// takes 10 kB.
	maxLeases = 1 << 14

	// recently is how long ago a value must have been used to be asked for together with another one.
	recently = 4 * time.Second
)

// leases has values that the store told, each believed for a while. It is safe for concurrent use.
type leases[K comparable, V any] struct {
	duration time.Duration
	same     func(a, b V) bool // both are the same value of the store

	mu      sync.Mutex // guards the entries, too; held for an instant
	entries map[K]*lease[V]
	epoch   uint64 // the last one; no two entries of a key have the same, also if one was forgotten between them
}

func newLeases[K comparable, V any](duration time.Duration, same func(a, b V) bool) *leases[K, V] {
	return &leases[K, V]{duration: duration, same: same, entries: map[K]*lease[V]{}}
}

// lease is a value with the time when the question for it was sent. Zero time is no value.
type lease[V any] struct {
	value V
	sent  time.Time
	used  time.Time

	// epoch is raised by whatever makes an answer doubtful that is under way: an own write, a hint, another answer that
	// differs.
	epoch uint64
}

// ticket is a question that is about to be sent.
type ticket[K comparable, V any] struct {
	key   K
	lease *lease[V]
	value V    // known when the question was sent
	known bool // value is set
	epoch uint64
	sent  time.Time
}

// isValid reports whether a lease that was asked for at sent is valid at now.
func (l *leases[K, V]) isValid(sent, now time.Time) bool {
	_, valid := l.age(sent, now)
	return valid
}

// age returns how old at now a value is that was asked for at sent, and whether its lease is valid. Both clocks must
// agree that it is, and the one that says it is older tells the age: the monotonic clock stands still while a machine
// sleeps, and the wall clock may be set.
func (l *leases[K, V]) age(sent, now time.Time) (age time.Duration, valid bool) {
	monotonic, wall := elapsedSince(sent, now)
	age = max(monotonic, wall)

	return age, age < l.duration && wall >= 0
}

// elapsedSince returns the time from a past instant to now by the monotonic and by the wall clock.
func elapsedSince(past, now time.Time) (monotonic, wall time.Duration) {
	return now.Sub(past), now.Round(0).Sub(past.Round(0))
}

// get returns the value of the key, how long ago it was asked for, and whether its lease is valid. The age of no value
// is 0.
func (l *leases[K, V]) get(key K) (value V, age time.Duration, valid bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	if e == nil || e.sent.IsZero() {
		return value, 0, false
	}

	e.used = now
	age, valid = l.age(e.sent, now)

	return e.value, age, valid
}

// begin returns the ticket of a question that is sent after the call.
func (l *leases[K, V]) begin(key K) ticket[K, V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	e := l.entries[key]
	if e == nil {
		if len(l.entries) >= maxLeases {
			clear(l.entries)
		}
		e = &lease[V]{used: now}
		l.entries[key] = e
		l.raiseEpoch(e)
	}

	return newTicket(key, e, now)
}

func newTicket[K comparable, V any](key K, e *lease[V], now time.Time) ticket[K, V] {
	return ticket[K, V]{key: key, lease: e, value: e.value, known: !e.sent.IsZero(), epoch: e.epoch, sent: now}
}

// others returns tickets of at most limit keys other than key that were used recently and whose leases are not valid.
func (l *leases[K, V]) others(key K, limit int) (tickets []ticket[K, V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	visits := 4 * limit
	for k, e := range l.entries {
		if visits--; visits < 0 || len(tickets) == limit {
			break
		}
		if k != key && !e.sent.IsZero() && now.Sub(e.used) < recently && !l.isValid(e.sent, now) {
			tickets = append(tickets, newTicket(k, e, now))
		}
	}

	return tickets
}

// finish records the answer to a question.
func (l *leases[K, V]) finish(t ticket[K, V], answer V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := t.lease
	isSame := !e.sent.IsZero() && l.same(e.value, answer)
	switch {
	case isSame:
		if t.sent.After(e.sent) {
			e.value, e.sent = answer, t.sent
		}
	case e.epoch == t.epoch:
		e.value, e.sent = answer, t.sent
		l.raiseEpoch(e) // an older answer may be under way
	default:
		l.dropEntry(e)
	}
}

// drop forgets the value of the key.
func (l *leases[K, V]) drop(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[key]; e != nil {
		l.dropEntry(e)
	}
}

// dropAll forgets all values. An answer that is under way is of an entry that is forgotten.
func (l *leases[K, V]) dropAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.entries)
}

func (l *leases[K, V]) dropEntry(e *lease[V]) {
	var none V
	e.value, e.sent = none, time.Time{}
	l.raiseEpoch(e)
}

func (l *leases[K, V]) raiseEpoch(e *lease[V]) {
	l.epoch++
	e.epoch = l.epoch
}
