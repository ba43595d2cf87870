package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/tests/servers"
)

// However much is owed, few keys are remembered, and each that is not belongs to a shard that is renewed.
func TestDebtsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDebts()
	for i := range 10 * maxOwed {
		d.oweDeletes(strconv.Itoa(i))
	}
	if len(d.deletes) != maxOwed || len(d.renewals) > shardCount {
		t.Fatalf("%d keys and %d shards", len(d.deletes), len(d.renewals))
	}
	for i := range 10 * maxOwed {
		text := strconv.Itoa(i)
		if d.deletes[text] == 0 && d.renewals[shardOf(text)] == 0 {
			t.Fatalf("key %d is forgotten", i)
		}
	}
	for range 2 * (maxOwed + shardCount) / owedAtOnce {
		deletes, renewals := d.next()
		if len(deletes) > owedAtOnce || len(renewals) > owedAtOnce {
			t.Fatalf("%d and %d at once", len(deletes), len(renewals))
		}
		d.paid(deletes, renewals)
	}
	if d.open.Load() || len(d.deletes)+len(d.renewals) > 0 {
		t.Errorf("%d keys and %d shards are left", len(d.deletes), len(d.renewals))
	}
}

// What is owed again while it is being paid is still owed.
func TestDebtThatGrewIsNotPaid(t *testing.T) {
	t.Parallel()
	d := newDebts()
	d.oweDeletes("a", "b")
	d.oweRenewal(3)
	deletes, renewals := d.next()
	d.oweDeletes("a")
	if d.paid(deletes, renewals) || !d.open.Load() || d.deletes["a"] == 0 || len(d.deletes)+len(d.renewals) != 1 {
		t.Errorf("%v, %v", d.deletes, d.renewals)
	}
	if deletes, renewals = d.next(); !d.paid(deletes, renewals) || d.open.Load() {
		t.Errorf("%v, %v", d.deletes, d.renewals)
	}
}

// As long as anything is owed, nothing is served.
func TestNothingIsServedBeforeDebtsArePaid(t *testing.T) {
	t.Parallel()
	c, end, err := Open(t.Context(), Config{URL: servers.Redis(t), Prefix: t.Name(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
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
