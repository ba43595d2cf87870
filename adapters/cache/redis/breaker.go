package redis

import (
	"sync"
	"time"
)

const (
	breakAfter = 3               // failures in a row
	breakFor   = 5 * time.Second // then one operation tries again
)

// breaker leaves a server alone that does not answer.
type breaker struct {
	mu       sync.Mutex
	failures int
	until    time.Time // with breakAfter failures: nothing is tried before
}

// allow reports whether to try. Where the time is over, it is the one that tries; the others wait another turn.
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
