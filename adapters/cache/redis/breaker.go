package redis

import (
	"sync"
	"time"
)

const (
	breakAfter = 3               // failures in a row
	breakFor   = 5 * time.Second // then one round trip tries again
)

// breaker stops the use of a server that does not answer. It is closed until breakAfter failures in a row open it for
// breakFor. Then one caller tries: a success closes it, and a failure opens it again. It is safe for concurrent use.
type breaker struct {
	mu       sync.Mutex
	failures int       // in a row; breakAfter or more: open
	until    time.Time // end of the open state
}

// allow reports whether to try. After the open state only one caller may try; the state is open for the others.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return true
	}
	if time.Now().Before(b.until) {
		return false
	}

	b.until = time.Now().Add(breakFor)

	return true
}

// report tells the outcome of a try.
func (b *breaker) report(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		return
	}

	if b.failures++; b.failures == breakAfter {
		b.until = time.Now().Add(breakFor)
	}
}
