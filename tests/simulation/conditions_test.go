package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// condition is how a store behaves for a while.
type condition int

const (
	healthy    condition = iota // one call in 300 cannot connect, the next one can
	slow                        // a call takes up to half a second
	refusing                    // no connection
	silent                      // no answer at all
	unstable                    // a third of the calls lose their connection: before, in the middle, or after the work
	overloaded                  // no permit
	denying                     // the password was changed
	conditions
)

// period is a time with one condition.
type period struct {
	until     time.Time
	condition condition
}

// newPeriods returns the conditions of a store until the end: hours of health, and minutes of a fault between them.
func newPeriods(random *rand.Rand, from, end time.Time) []period {
	const meanHealth, meanFault = 3 * time.Hour, 5 * time.Minute
	draw := func(mean time.Duration) time.Duration { return time.Duration(random.ExpFloat64() * float64(mean)) }
	var periods []period
	for at := from; at.Before(end); {
		at = at.Add(draw(meanHealth))
		periods = append(periods, period{at, healthy})
		at = at.Add(draw(meanFault))
		periods = append(periods, period{at, condition(1 + random.IntN(int(conditions)-1))})
	}

	return append(periods, period{end.AddDate(1, 0, 0), healthy})
}

// server is the machine and the network of one store, for all processes. It is safe for concurrent use.
type server struct {
	name    domain.StoreName
	seed    uint64
	periods []period

	refusedLast atomic.Bool // the last call, while the server was healthy
}

// present returns the present condition, and when it began.
func (s *server) present() (condition, time.Time) {
	i, _ := slices.BinarySearchFunc(s.periods, time.Now(), func(p period, now time.Time) int {
		if p.until.After(now) {
			return 1
		}
		return -1
	})
	if i == 0 {
		return s.periods[0].condition, time.Time{}
	}

	return s.periods[i].condition, s.periods[i-1].until
}

// wasHealthy reports whether the server has been healthy since the time.
func (s *server) wasHealthy(from time.Time) bool {
	condition, since := s.present()
	return condition == healthy && !since.After(from)
}

// outcome is the outcome of a call: an error instead of the work, in the middle of the answer, or in its place.
type outcome struct{ before, middle, after error }

// call waits as long as the work takes, or until ctx is done. It draws the outcome from the seed and the time.
func (s *server) call(ctx context.Context) (o outcome) {
	const usual = time.Millisecond
	random := rand.New(rand.NewPCG(s.seed, uint64(time.Now().UnixNano())))
	wait := usual
	switch present, _ := s.present(); present {
	case healthy:
		if random.IntN(300) > 0 {
			s.refusedLast.Store(false)
		} else if !s.refusedLast.Swap(true) {
			o.before = s.refused()
		}
	case slow:
		wait = time.Duration(random.Int64N(int64(500 * time.Millisecond)))
	case refusing:
		o.before = s.refused()
	case silent:
		wait = 24 * time.Hour
	case unstable:
		switch random.IntN(9) {
		case 0:
			o.before = s.lost()
		case 1:
			o.middle = s.lost()
		case 2:
			o.after = s.lost()
		}
	case overloaded:
		wait, o.before = 250*time.Millisecond, s.failure(ports.ErrOverloaded, "no connection was free within 250 ms")
	case denying:
		o.before = s.failure(ports.ErrAuth, "the password is wrong")
	}

	if err := sleep(ctx, wait); err != nil {
		o.before = s.failure(ports.ContextKind(err), err.Error())
	}

	return o
}

// refused is the error of a call of which nothing was sent.
func (s *server) refused() error {
	return &ports.Error{
		Kind: ports.ErrUnavailable, Op: "call", Store: s.name, Phase: ports.PhaseConnect,
		Err: errors.New("connection refused"), Retryable: true,
	}
}

// lost is the error of a call that may have been done.
func (s *server) lost() error {
	return &ports.Error{
		Kind: ports.ErrUnavailable, Op: "call", Store: s.name, Err: errors.New("the connection was lost"), Retryable: true,
	}
}

func (s *server) failure(kind error, text string) error {
	return &ports.Error{Kind: kind, Op: "call", Store: s.name, Err: errors.New(text)}
}

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
