package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/tests/servers"
)

// However much is owed, few keys are remembered; then all is.
func TestDebtsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDebts()
	for i := range 10 * maxOwed {
		d.owe(strconv.Itoa(i))
	}
	if len(d.keys) != maxOwed || d.all != 9*maxOwed {
		t.Fatalf("%d keys, and %d that are not remembered", len(d.keys), d.all)
	}

	for range 2 * maxOwed / owedAtOnce {
		part, all := d.next()
		if len(part) > owedAtOnce {
			t.Fatalf("%d at once", len(part))
		}

		d.ack(part, all)
	}

	if d.open.Load() || len(d.keys)+d.all > 0 {
		t.Errorf("%d keys and %d are left", len(d.keys), d.all)
	}
}

// What is owed again while it is being paid is still owed.
func TestDebtThatGrewIsNotPaid(t *testing.T) {
	t.Parallel()
	d := newDebts()
	d.owe("a", "b")
	part, all := d.next()
	d.owe("a")
	if d.ack(part, all) || !d.open.Load() || d.keys["a"] == 0 || len(d.keys) != 1 {
		t.Errorf("%v, %d", d.keys, d.all)
	}
	if part, all = d.next(); !d.ack(part, all) || d.open.Load() {
		t.Errorf("%v, %d", d.keys, d.all)
	}
}

// After more deletes were missed than are remembered, nothing that was there before is served to anybody.
func TestTooManyDebtsEndTheGeneration(t *testing.T) {
	t.Parallel()
	peer := func(url string) *Cache {
		c, end, err := Open(t.Context(), Config{URL: secret.New(url), Prefix: t.Name(), Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(end)

		return c
	}
	url := servers.Redis(t)
	c, other := peer(url), peer(url)
	kept := func(c *Cache) bool {
		_, ok := c.Get(t.Context(), valueKey)
		return ok
	}
	kept(c)
	c.Put(t.Context(), valueKey, valueChunk(t, 5), time.Hour)
	if !kept(c) || !kept(other) {
		t.Fatal("not kept")
	}

	texts := make([]string, 2*maxOwed)
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	c.owed.owe(texts...)
	for deadline := time.Now().Add(20 * time.Second); c.owed.open.Load(); time.Sleep(time.Millisecond) { // polls a real server
		if kept(c) && c.owed.open.Load() {
			t.Fatal("served with debts")
		}
		if time.Now().After(deadline) {
			t.Fatal("not paid")
		}
	}

	if kept(c) || kept(other) {
		t.Error("what was there before is served")
	}
}

// As long as anything is owed, nothing is served.
func TestNothingIsServedBeforeDebtsArePaid(t *testing.T) {
	t.Parallel()
	c, end, err := Open(t.Context(), Config{URL: secret.New(servers.Redis(t)), Prefix: t.Name(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}

	defer end()
	c.Get(t.Context(), valueKey)
	c.Put(t.Context(), valueKey, valueChunk(t, 5), time.Hour)
	if _, ok := c.Get(t.Context(), valueKey); !ok {
		t.Fatal("not kept")
	}

	c.owed.open.Store(true) // and nobody is woken to pay
	if _, ok := c.Get(t.Context(), valueKey); ok {
		t.Error("served")
	}
	c.owed.open.Store(false)
	if _, ok := c.Get(t.Context(), valueKey); !ok {
		t.Error("not served again")
	}
}
