package seriescache

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLeaseRules checks which answers are believed, by the order in which questions are sent and answered.
func TestLeaseRules(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, c := range map[string]struct {
		run  func(l *leases[string, int])
		want int // 0: nothing is believed
	}{
		"an answer is believed": {func(l *leases[string, int]) { l.finish(l.begin("a"), 1) }, 1},
		"from before the question was sent": {func(l *leases[string, int]) {
			ticket := l.begin("a")
			time.Sleep(2 * second)
			l.finish(ticket, 1)
		}, 0},
		"an answer from before a drop is not believed": {func(l *leases[string, int]) {
			ticket := l.begin("a")
			l.drop("a")
			l.finish(ticket, 1)
		}, 0},
		"an older answer that is late drops the newer one": {func(l *leases[string, int]) {
			first, second := l.begin("a"), l.begin("a")
			l.finish(second, 2)
			l.finish(first, 1)
		}, 0},
		"an equal answer that is late changes nothing": {func(l *leases[string, int]) {
			first, second := l.begin("a"), l.begin("a")
			l.finish(second, 2)
			l.finish(first, 2)
		}, 2},
		"an equal answer renews the lease": {func(l *leases[string, int]) {
			l.finish(l.begin("a"), 1)
			time.Sleep(second)
			ticket := l.begin("a")
			l.finish(ticket, 1)
			time.Sleep(second)
		}, 1},
		"another answer replaces it": {func(l *leases[string, int]) {
			l.finish(l.begin("a"), 1)
			l.finish(l.begin("a"), 2)
		}, 2},
		"a drop ends a lease": {func(l *leases[string, int]) {
			l.finish(l.begin("a"), 1)
			l.drop("a")
		}, 0},
		"a drop of all ends a lease": {func(l *leases[string, int]) {
			l.finish(l.begin("a"), 1)
			l.dropAll()
		}, 0},
		"other keys are apart": {func(l *leases[string, int]) {
			l.finish(l.begin("a"), 1)
			l.drop("b")
			l.finish(l.begin("b"), 2)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLeases[string](2*second, func(a, b int) bool { return a == b })
				c.run(l)
				got, _, valid := l.get("a")
				if !valid {
					got = 0
				}
				if got != c.want {
					t.Errorf("%d is believed, want %d", got, c.want)
				}
			})
		})
	}
}

// TestLeasesAreBounded asks for more keys than are remembered.
func TestLeasesAreBounded(t *testing.T) {
	t.Parallel()
	l := newLeases[int](time.Hour, func(a, b int) bool { return a == b })
	for i := range 3 * maxLeases {
		l.finish(l.begin(i), i)
		if i%1_000 == 0 {
			l.get(i / 2)
		}
	}
	if n := len(l.entries); n > maxLeases {
		t.Errorf("%d keys are remembered", n)
	}
	if got, _, valid := l.get(3*maxLeases - 1); !valid || got != 3*maxLeases-1 {
		t.Errorf("got %d, %t", got, valid)
	}
}

// TestForgottenKeysGetNewEpochs forgets a key while a question for it is under way. A caller after a write must not share
// that question, so that the next one has another epoch.
func TestForgottenKeysGetNewEpochs(t *testing.T) {
	t.Parallel()
	l := newLeases[int](time.Hour, func(a, b int) bool { return a == b })
	before := l.begin(-1)
	for i := range maxLeases {
		l.finish(l.begin(i), i)
	}
	if l.entries[-1] != nil {
		t.Fatal("the key is remembered")
	}
	l.drop(-1)
	if after := l.begin(-1); after.epoch == before.epoch {
		t.Errorf("both have the epoch %d", after.epoch)
	}
}

// TestOthersInUse returns the keys that were used recently and whose lease is over.
func TestOthersInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases[string](2*time.Second, func(a, b int) bool { return a == b })
		for _, key := range []string{"unused", "used", "asked", "valid"} {
			l.finish(l.begin(key), 1)
		}
		time.Sleep(3 * time.Second)
		l.get("used")
		l.finish(l.begin("valid"), 1)
		l.get("valid")
		time.Sleep(1500 * time.Millisecond)
		tickets := l.others("asked", 10)
		if len(tickets) != 1 || tickets[0].key != "used" || !tickets[0].known || tickets[0].value != 1 {
			t.Errorf("got %+v", tickets)
		}
	})
}
