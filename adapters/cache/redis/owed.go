package redis

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxOwed is how many keys are remembered to be deleted. Of more, the whole shards are given up.
	maxOwed = 1024

	// owedAtOnce is how many debts are paid with one request.
	owedAtOnce = 128

	// payEvery is how often it is tried, while the server is away.
	payEvery = time.Second
)

// debts are the writes that the server did not acknowledge, and what they touched. It is safe for concurrent use.
type debts struct {
	open atomic.Bool   // there are some
	wake chan struct{} // with room for one

	mu       sync.Mutex
	deletes  map[string]int // by the text of a key, how often it was to be deleted
	renewals map[int]int    // by shard, how often a value of it was sent that may yet arrive
}

func newDebts() *debts {
	return &debts{wake: make(chan struct{}, 1), deletes: map[string]int{}, renewals: map[int]int{}}
}

// oweDeletes is called where keys were not deleted, or not replaced and nothing is under way that may yet do so.
func (d *debts) oweDeletes(texts ...string) {
	d.add(func() {
		for _, text := range texts {
			if _, ok := d.deletes[text]; ok || len(d.deletes) < maxOwed {
				d.deletes[text]++
			} else {
				d.renewals[shardOf(text)]++
			}
		}
	})
}

// oweRenewal is called where a value of the shard may yet arrive: to delete it would not be enough.
func (d *debts) oweRenewal(shard int) { d.add(func() { d.renewals[shard]++ }) }

func (d *debts) add(note func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	note()
	d.open.Store(true)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// next is some of the debts.
func (d *debts) next() (deletes map[string]int, renewals map[int]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return some(d.deletes), some(d.renewals)
}

// paid takes out those that did not grow in the meantime, and reports whether none is left.
func (d *debts) paid(deletes map[string]int, renewals map[int]int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	takeOut(d.deletes, deletes)
	takeOut(d.renewals, renewals)
	none := len(d.deletes) == 0 && len(d.renewals) == 0
	d.open.Store(!none)
	return none
}

func some[K comparable](all map[K]int) map[K]int {
	part := make(map[K]int, min(len(all), owedAtOnce))
	for k, n := range all {
		if len(part) == owedAtOnce {
			break
		}
		part[k] = n
	}
	return part
}

func takeOut[K comparable](all, part map[K]int) {
	for k, n := range part {
		if all[k] == n {
			delete(all, k)
		}
	}
}

// pay makes good what is owed as soon as the server answers, until ctx is done.
func (c *Cache) pay(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.owed.wake:
		}
		for !c.payAll(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(payEvery):
			}
		}
	}
}

// payAll reports whether nothing is owed any more.
func (c *Cache) payAll(ctx context.Context) bool {
	for c.owed.open.Load() {
		deletes, renewals := c.owed.next()
		if c.payPart(ctx, deletes, renewals) != nil {
			return false
		}
		c.breaker.report(true)
		if c.owed.paid(deletes, renewals) {
			return true
		}
	}
	return true
}

// payPart deletes the keys and gives new generations to the shards, which makes all of their values invalid for everybody.
func (c *Cache) payPart(ctx context.Context, deletes map[string]int, renewals map[int]int) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for text := range deletes {
			p.Unlink(ctx, c.chunkName(text))
		}
		for shard := range renewals {
			c.generations[shard].Store(nil)
			p.Set(ctx, c.generationName(shard), rand.Text(), 0)
		}
		return nil
	})
	return err
}
