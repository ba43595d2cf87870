package redis

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxOwed is how many keys are remembered to be deleted. Where there are more, all that the server has is given up.
	maxOwed = 1024

	// owedAtOnce is how many are deleted with one request.
	owedAtOnce = 128

	// payEvery is how often it is tried, while the server is away.
	payEvery = time.Second
)

// debts are the keys that were to be deleted or replaced, and the server did not say that they were. It is safe for
// concurrent use.
type debts struct {
	open atomic.Bool   // there are some
	wake chan struct{} // with room for one

	mu   sync.Mutex
	keys map[string]int // by the text of a key, how often
	all  int            // how often keys were not remembered
}

func newDebts() *debts { return &debts{wake: make(chan struct{}, 1), keys: map[string]int{}} }

func (d *debts) owe(texts ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, text := range texts {
		if _, ok := d.keys[text]; ok || len(d.keys) < maxOwed {
			d.keys[text]++
		} else {
			d.all++
		}
	}

	d.open.Store(true)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// next is some of the keys, and how often others were not remembered.
func (d *debts) next() (part map[string]int, all int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	part = make(map[string]int, min(len(d.keys), owedAtOnce))
	for text, n := range d.keys {
		if len(part) == owedAtOnce {
			break
		}
		part[text] = n
	}

	return part, d.all
}

// ack removes the keys that did not grow in the meantime, and reports whether nothing is left.
func (d *debts) ack(part map[string]int, all int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for text, n := range part {
		if d.keys[text] == n {
			delete(d.keys, text)
		}
	}

	if d.all == all {
		d.all = 0
	}
	none := len(d.keys) == 0 && d.all == 0
	d.open.Store(!none)

	return none
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
		part, all := c.owed.next()
		if c.payPart(ctx, part, all > 0) != nil {
			return false
		}

		c.breaker.report(true)
		if c.owed.ack(part, all) {
			return true
		}
	}

	return true
}

// payPart deletes the keys, and where it is all, has the server begin a new generation.
func (c *Cache) payPart(ctx context.Context, part map[string]int, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.remove(ctx, slices.Collect(maps.Keys(part))); err != nil || !all {
		return err
	}

	c.seen.Store(nil)

	return c.client.Set(ctx, c.generationName(), rand.Text(), 0).Err()
}
