package redis

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// goneName begins the tombstone of a deleted value; it is as long as magic.
	goneName = "mdgone "

	// headSize is the length of the head of a value, which no other value has: its name, its version and a random
	// number.
	headSize = 24

	// goneFor is how long it is remembered of a key that it was deleted: longer than anybody takes from a Get to its
	// Put.
	goneFor = 10 * time.Minute

	// leaseFor is how long a Get that found nothing allows a Put; maxLeases is of how many keys one is kept.
	leaseFor  = goneFor / 2
	maxLeases = 8192
)

// newHead is a head of its own.
func newHead(name string, version byte) string {
	b := make([]byte, 0, headSize)
	b = append(b, name...)
	b = append(b, version)
	return string(b) + rand.Text()[:headSize-len(b)]
}

// newGone returns the tombstone of a deleted value.
func newGone() string { return newHead(goneName, version) }

// swap puts a value where the head is still the observed one, else a tombstone.
const swap = `
if redis.call('GETRANGE', KEYS[1], 0, ARGV[1] - 1) == ARGV[2] then
	redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
	return 1
end
redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
return 0`

func newSwap() *redis.Script { return redis.NewScript(swap) }

// leases has the heads that were observed under keys that a caller may be about to put. It is safe for concurrent use.
type leases struct {
	mu   sync.Mutex
	seen map[string]lease
}

type lease struct {
	head string
	at   time.Time
}

// note records an observed head, unless one is recorded: of several callers that miss at once and then read the store,
// any may put, so the head that the first one observed must still be there.
func (l *leases) note(text, head string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.seen[text]; ok && time.Since(before.at) < leaseFor {
		return
	}

	for old := range l.seen {
		if len(l.seen) < maxLeases {
			break
		}
		delete(l.seen, old)
	}

	l.seen[text] = lease{head, time.Now()}
}

// take returns and removes the observed head, for a put. Heads are never used twice, but nothing may be there time and
// again.
func (l *leases) take(text string) (head string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, ok := l.seen[text]
	delete(l.seen, text)

	return before.head, ok && (before.head != "" || time.Since(before.at) < leaseFor)
}
