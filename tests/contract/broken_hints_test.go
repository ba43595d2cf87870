package contract

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// broken_hints_test.go has a wire that keeps every law of blockcache.Hints, and seeds faults into it.

// wire carries hints between the peers of one process.
type wire struct {
	mu   sync.Mutex
	subs []*wireSub
	held int

	wireFault
}

// wireFault is a set of faults.
type wireFault struct {
	alter   func(changes []blockcache.Hint) []blockcache.Hint // alters the changes of a Publish
	publish func(ctx context.Context, changes []blockcache.Hint) error
	sub     func(s *wireSub) // as it is made
	wrap    func(iter.Seq2[blockcache.Hint, error]) iter.Seq2[blockcache.Hint, error]
	own     int  // how often changes published through the same value arrive
	late    bool // a subscription is active only when it is ranged over
	leaks   bool // an ended subscription keeps its connection
	gone    bool // Subscribe ignores its context
	onlyOne bool // a peer's second subscription replaces its first
	cuts    func(s *wireSub)
}

// wireSub is one subscription.
type wireSub struct {
	peer  *wirePeer
	queue []blockcache.Hint
	err   error         // ends it, when the queue is empty
	more  chan struct{} // has a place for one: the queue or err changed
	open  bool

	slow  bool // ends late after a cancellation
	keeps bool // is not freed unless it is ranged over
}

type wirePeer struct{ wire *wire }

func (w *wire) hear(s *wireSub, changes ...blockcache.Hint) {
	s.queue = append(s.queue, changes...)
	s.wake()
}

func (s *wireSub) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (w *wire) end(s *wireSub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.open && !w.leaks {
		w.held--
	}
	s.open = false
	w.subs = slices.DeleteFunc(w.subs, func(o *wireSub) bool { return o == s })
}

func (p *wirePeer) Publish(ctx context.Context, changes ...blockcache.Hint) error {
	w := p.wire
	if w.publish != nil {
		if err := w.publish(ctx, changes); err != nil {
			return err
		}
	} else if ctx.Err() != nil {
		return ctx.Err()
	}

	changes = slices.Clone(changes)
	if w.alter != nil {
		changes = w.alter(changes)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subs {
		times := 1
		if s.peer == p {
			times = w.own
		}
		for range times {
			w.hear(s, changes...)
		}
	}

	return nil
}

func (p *wirePeer) Subscribe(ctx context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	w := p.wire
	if ctx.Err() != nil && !w.gone {
		return nil, ctx.Err()
	}

	s := &wireSub{peer: p, more: make(chan struct{}, 1), open: true}
	if w.sub != nil {
		w.sub(s)
	}
	stand := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.onlyOne {
			w.subs = slices.DeleteFunc(w.subs, func(o *wireSub) bool { return o.peer == p })
		}
		w.subs = append(w.subs, s)
	}
	w.mu.Lock()
	w.held++
	w.mu.Unlock()
	if !w.late {
		stand()
	}
	stop := func() bool { return true }
	if !s.keeps {
		stop = context.AfterFunc(ctx, func() { w.end(s) })
	}
	var used atomic.Bool
	sequence := func(yield func(blockcache.Hint, error) bool) {
		if used.Swap(true) {
			yield(blockcache.Hint{}, errors.New("used"))
			return
		}

		if w.late {
			stand()
		}
		defer w.end(s)
		defer stop()
		s.each(ctx, w, yield)
	}
	if w.wrap != nil {
		return w.wrap(sequence), nil
	}

	return sequence, nil
}

func (s *wireSub) each(ctx context.Context, w *wire, yield func(blockcache.Hint, error) bool) {
	for {
		if ctx.Err() != nil {
			yield(blockcache.Hint{}, ctx.Err())
			return
		}

		w.mu.Lock()
		queue, err := s.queue, s.err
		s.queue = nil
		w.mu.Unlock()
		for _, change := range queue {
			if !yield(change, nil) {
				return
			}
		}
		if err != nil {
			yield(blockcache.Hint{}, err)
			return
		}
		if len(queue) > 0 {
			continue
		}

		select {
		case <-s.more:
		case <-ctx.Done():
			if s.slow {
				<-time.After(2 * cancelLimit)
			}
		}
	}
}

func openWire(f wireFault) HintsSubject {
	w := &wire{wireFault: f}
	return HintsSubject{
		Peers: []blockcache.Hints{&wirePeer{w}, &wirePeer{w}, &wirePeer{w}},
		Held: func(context.Context) (int, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.held, nil
		},
		Cut: func(context.Context) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, s := range w.subs {
				s.err = errors.New("connection lost")
				if w.cuts != nil {
					w.cuts(s)
				}
				s.wake()
			}

			return nil
		},
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]int{"own left out": 0, "own told": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Hints(t, func(testing.TB) HintsSubject { return openWire(wireFault{own: own}) })
		})
	}
}

func altering(alter func([]blockcache.Hint) []blockcache.Hint) wireFault {
	return wireFault{alter: alter}
}

// each returns a function that alters every change.
func each(alter func(c *blockcache.Hint)) wireFault {
	return altering(func(changes []blockcache.Hint) []blockcache.Hint {
		for i := range changes {
			alter(&changes[i])
		}
		return changes
	})
}

// ending returns the sequence with its last pair altered.
func ending(alter func(error) error) wireFault {
	return wireFault{wrap: func(sequence iter.Seq2[blockcache.Hint, error]) iter.Seq2[blockcache.Hint, error] {
		return func(yield func(blockcache.Hint, error) bool) {
			for change, err := range sequence {
				if err != nil {
					err = alter(err)
				}
				if err == nil && change == (blockcache.Hint{}) || !yield(change, err) {
					return
				}
			}
		}
	}}
}

func TestEveryHintLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{}
	for _, f := range hintFaults {
		for _, name := range f.laws {
			name = "hints/" + name
			noticed[name] = true
			i := slices.IndexFunc(hintLaws, func(l law[HintsSubject]) bool { return l.name == name })
			if i < 0 {
				t.Errorf("%s: there is no law %s", f.name, name)
				continue
			}

			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				// A law that waits for a missing change waits until its timeout.
				ctx, cancel := context.WithTimeout(t.Context(), 2*cancelTries*cancelLimit)
				defer cancel()
				for range 50 {
					if isNoticed(t, hintLaws[i].run(ctx, openWire(f.wireFault))) {
						return
					}
					if !hintLaws[i].race {
						break
					}
				}

				t.Errorf("the law does not notice: %s", hintLaws[i].text)
			})
		}
	}

	for _, l := range hintLaws {
		if !noticed[l.name] {
			t.Errorf("no fault breaks %s", l.name)
		}
	}
}

var hintFaults = []struct {
	name string
	wireFault
	laws []string
}{
	{"everything comes twice", altering(func(changes []blockcache.Hint) []blockcache.Hint {
		return append(changes, changes...)
	}), []string{"arrive_once_in_order", "own_may_be_left_out", "concurrent_publishers"}},
	{"own come twice", wireFault{own: 2}, []string{"own_may_be_left_out"}},
	{"the last comes first", altering(func(changes []blockcache.Hint) []blockcache.Hint {
		slices.Reverse(changes)
		return changes
	}), []string{"many_in_one"}},
	{"alike ones become one", altering(slices.Compact[[]blockcache.Hint]), []string{"many_in_one"}},
	{"a message has an end", altering(func(changes []blockcache.Hint) []blockcache.Hint {
		return changes[:min(len(changes), 100)]
	}), []string{"many_in_one"}},
	{"times are whole seconds", each(func(c *blockcache.Hint) {
		c.Range.Start = c.Range.Start.Truncate(1e9)
	}), []string{"every_sort"}},
	{"a zone is lost", each(func(c *blockcache.Hint) { c.Key.Grid = c.Key.Grid.Frequency().UTC() }), []string{"every_sort"}},
	{"a kind is lost", each(func(c *blockcache.Hint) { c.Key.PriceType = domain.PriceTrade }), []string{"every_sort"}},
	{"a strange symbol is altered", each(func(c *blockcache.Hint) {
		if c.Key.Symbol.Validate() != nil {
			c.Key.Symbol = "BTC/USD"
		}
	}), []string{"impossible_symbol"}},
	{"a subscription stands later", wireFault{late: true}, []string{"at_once"}},
	{"a process hears once", wireFault{onlyOne: true}, []string{"every_subscriber"}},
	{"a done context is not looked at", wireFault{
		publish: func(context.Context, []blockcache.Hint) error { return nil },
	}, []string{"done_context"}},
	{"a done context is subscribed with", wireFault{gone: true}, []string{"done_context"}},
	{"a cancelled wait goes on", wireFault{sub: func(s *wireSub) { s.slow = true }}, []string{"cancel_ends"}},
	{"an unused subscription is kept", wireFault{sub: func(s *wireSub) { s.keeps = true }}, []string{"cancel_before_ranging"}},
	{"a cancelled wait says something else", ending(func(error) error { return errors.New("closed") }),
		[]string{"cancel_ends", "cancel_before_ranging"}},
	{"a cancelled wait just ends", ending(func(error) error { return nil }), []string{"cancel_ends", "cut_is_an_error", "single_use"}},
	{"nothing is freed", wireFault{leaks: true}, []string{"cancel_ends", "cancel_before_ranging", "cut_is_an_error", "break_frees"}},
	{"a cut is called a cancellation", wireFault{cuts: func(s *wireSub) { s.err = context.Canceled }}, []string{"cut_is_an_error"}},
}
