package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/ports/blockcache"
)

// hintLaws are the laws of blockcache.Hints.
var hintLaws = []law[HintsSubject]{
	{
		name: "hints/arrive_once_in_order",
		text: "changes that another process publishes after Subscribe returned arrive once each, in the order of " +
			"the publisher",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				const n = 50
				for i := range n {
					if err := s.Peers[1].Publish(ctx, change(i)); err != nil {
						return err
					}
				}
				if err := heard.wants(changes(0, n)...); err != nil {
					return err
				}
				if err := s.Peers[2].Publish(ctx, change(n)); err != nil {
					return err
				}

				return heard.wants(change(n)) // without a change in between
			})
		},
	},
	{
		name: "hints/at_once",
		text: "a subscription is active when Subscribe returns: it receives changes published before the iteration " +
			"begins",
		race: true,
		check: func(ctx context.Context, s HintsSubject) error {
			for i := range 10 {
				sequence, err := s.Peers[0].Subscribe(ctx)
				if err != nil {
					return err
				}
				if err := s.Peers[1].Publish(ctx, change(i)); err != nil {
					return err
				}

				for got, err := range sequence {
					if err != nil || !sameChange(got, change(i)) {
						return fmt.Errorf("want %+v, got %+v and %s", change(i), got, errorText(err))
					}
					break
				}
			}

			return nil
		},
	},
	{
		name: "hints/every_subscriber",
		text: "every subscription receives the changes, in other processes and next to others in one process",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(first *subscription) error {
				return listening(ctx, s.Peers[0], func(second *subscription) error {
					return listening(ctx, s.Peers[1], func(third *subscription) error {
						if err := s.Peers[2].Publish(ctx, change(1)); err != nil {
							return err
						}
						return errors.Join(first.wants(change(1)), second.wants(change(1)), third.wants(change(1)))
					})
				})
			})
		},
	},
	{
		name: "hints/own_may_be_left_out",
		text: "changes published through the same value arrive once or not at all, and those of others still arrive",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				return steps(
					func() error { return s.Peers[0].Publish(ctx, change(0)) },
					func() error { return s.Peers[1].Publish(ctx, change(1)) },
					func() error { return s.Peers[1].Publish(ctx, change(2)) },
					func() error {
						got, err, ok := heard.next()
						if ok && err == nil && sameChange(got, change(0)) {
							return heard.wants(changes(1, 3)...)
						}
						if !ok || err != nil || !sameChange(got, change(1)) {
							return fmt.Errorf("want %+v, got %+v and %s", change(1), got, errorText(err))
						}

						return heard.wants(change(2))
					},
				)
			})
		},
	},
	{
		name: "hints/many_in_one",
		text: "one Publish takes any number of changes: zero changes are no error and publish nothing; many arrive " +
			"complete and in order, also equal ones",
		check: func(ctx context.Context, s HintsSubject) error {
			many := changes(0, 2000)
			for range 500 {
				many = append(many, change(0))
			}

			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				return steps(
					func() error { return s.Peers[1].Publish(ctx) },
					func() error { return s.Peers[1].Publish(ctx, many...) },
					func() error { return s.Peers[1].Publish(ctx, change(1)) },
					func() error { return heard.wants(append(many, change(1))...) },
				)
			})
		},
	},
	{
		name: "hints/every_sort",
		text: "every store name, series and range arrives unchanged, even if a server could misread it",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				return steps(
					func() error { return s.Peers[1].Publish(ctx, everySort()...) },
					func() error { return heard.wants(everySort()...) },
				)
			})
		},
	},
	{
		name: "hints/impossible_symbol",
		text: "a text that is no symbol is refused or arrives as it was, and breaks nothing",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				for i, symbol := range impossible {
					odd := blockcache.Hint{Store: "postgres", Key: minuteKey(symbol), Range: span(0, 1)}
					if s.Peers[1].Publish(ctx, odd) == nil {
						if err := heard.wants(odd); err != nil {
							return fmt.Errorf("Publish and Subscribe of the symbol %q: %w", symbol, err)
						}
					}
					if err := s.Peers[1].Publish(ctx, change(i)); err != nil {
						return err
					}
					if err := heard.wants(change(i)); err != nil {
						return fmt.Errorf("after the symbol %q: %w", symbol, err)
					}
				}

				return nil
			})
		},
	},
	{
		name: "hints/concurrent_publishers",
		text: "changes of concurrent publishers arrive once, in the order of each publisher",
		check: func(ctx context.Context, s HintsSubject) error {
			const publishers, each = 4, 50
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			heard, err := subscribe(ctx, s.Peers[0])
			if err != nil {
				return err
			}

			defer heard.stop()
			var calls []func(context.Context) error
			for p := range publishers {
				calls = append(calls, func(ctx context.Context) error {
					for i := range each {
						if err := s.Peers[1+p%2].Publish(ctx, change(1000*p+i)); err != nil {
							cancel() // the rest is not needed
							return err
						}
					}

					return nil
				})
			}

			return runAll(ctx, append(calls, func(context.Context) error {
				var next [publishers]int
				for range publishers * each {
					got, err, ok := heard.next()
					if !ok || err != nil {
						return fmt.Errorf("Subscribe got %s after %v of each, want the next change", errorText(err), next)
					}

					at := int(got.Range.Start.Sub(start).Minutes())
					if p := at / 1000; p < 0 || p >= publishers || at%1000 != next[p] {
						return fmt.Errorf("Subscribe, after %v of each, got the change %d, want the next of its peer", next, at)
					}

					next[at/1000]++
				}

				return nil
			})...)
		},
	},
	{
		name: "hints/done_context",
		text: "a call with a done context is an error that wraps the context's",
		check: func(ctx context.Context, s HintsSubject) error {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if err := s.Peers[0].Publish(gone, change(0)); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Publish with a done context got %s, want its error", errorText(err))
			}
			if _, err := s.Peers[0].Subscribe(gone); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Subscribe with a done context got %s, want its error", errorText(err))
			}

			return s.wantHeld(ctx, 0)
		},
	},
	{
		name: "hints/cancel_ends",
		text: "when its context is cancelled, a subscription ends within 250 ms with an error that wraps the " +
			"context's, and is freed",
		check: func(ctx context.Context, s HintsSubject) error {
			return steps(
				func() error { return endsInTime(ctx, s.Peers[0]) },
				func() error { return s.wantHeld(ctx, 0) },
			)
		},
	},
	{
		name: "hints/cancel_before_ranging",
		text: "a subscription that was not ranged over ends with its context too, and then yields that error alone",
		check: func(ctx context.Context, s HintsSubject) error {
			waiting, cancel := context.WithCancel(ctx)
			defer cancel()
			return listening(waiting, s.Peers[0], func(heard *subscription) error {
				if err := s.wantHeld(ctx, 1); err != nil {
					return err
				}

				cancel()
				if err := s.wantHeld(ctx, 0); err != nil {
					return err
				}

				ended, fault := heard.ends()
				if fault == nil && !errors.Is(ended, context.Canceled) {
					fault = fmt.Errorf("Subscribe got %s at its end, want context.Canceled", errorText(ended))
				}

				return fault
			})
		},
	},
	{
		name: "hints/cut_is_an_error",
		text: "a subscription whose connection is lost ends with an error that is not the context's, is freed, and " +
			"another can follow",
		check: func(ctx context.Context, s HintsSubject) error {
			err := listening(ctx, s.Peers[0], func(heard *subscription) error {
				if err := s.Peers[1].Publish(ctx, change(0)); err != nil {
					return err
				}
				if err := heard.wants(change(0)); err != nil {
					return err
				}
				if err := s.Cut(ctx); err != nil {
					return err
				}

				ended, fault := heard.ends()
				if fault == nil && (errors.Is(ended, context.Canceled) || errors.Is(ended, context.DeadlineExceeded)) {
					fault = fmt.Errorf("Subscribe got %s at its end, want an error of the lost connection", errorText(ended))
				}

				return fault
			})
			if err != nil {
				return err
			}
			if err := s.wantHeld(ctx, 0); err != nil {
				return err
			}

			return listening(ctx, s.Peers[0], func(heard *subscription) error {
				return steps(
					func() error { return s.Peers[1].Publish(ctx, change(1)) },
					func() error { return heard.wants(change(1)) },
				)
			})
		},
	},
	{
		name: "hints/break_frees",
		text: "stopping an iteration ends the subscription, and no other",
		check: func(ctx context.Context, s HintsSubject) error {
			return listening(ctx, s.Peers[0], func(other *subscription) error {
				err := listening(ctx, s.Peers[0], func(heard *subscription) error {
					return steps(
						func() error { return s.wantHeld(ctx, 2) },
						func() error { return s.Peers[1].Publish(ctx, changes(0, 10)...) },
						func() error { return heard.wants(changes(0, 5)...) },
					)
				})

				return steps(
					func() error { return err },
					func() error { return s.wantHeld(ctx, 1) },
					func() error { return s.Peers[1].Publish(ctx, change(10)) },
					func() error { return other.wants(changes(0, 11)...) },
				)
			})
		},
	},
	{
		name: "hints/single_use",
		text: "ranging over a subscription again yields an error",
		check: func(ctx context.Context, s HintsSubject) error {
			sequence, err := s.Peers[0].Subscribe(ctx)
			if err != nil {
				return err
			}
			if err := s.Peers[1].Publish(ctx, change(0)); err != nil {
				return err
			}

			for _, err := range sequence {
				if err != nil {
					return err
				}
				break
			}
			if err := s.Peers[1].Publish(ctx, change(1)); err != nil {
				return err
			}

			n := 0
			for got, err := range sequence {
				if n++; err == nil || n > 1 {
					return fmt.Errorf("Subscribe, ranged over again: pair %d got %+v and %s, want one error", n, got, errorText(err))
				}
			}
			if n == 0 {
				return errors.New("Subscribe, ranged over again, got no error, want one")
			}

			return nil
		},
	},
}
