package backtest

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Clock is the clock of a session, which Steps and Events move. *clock.Simulated implements it.
type Clock interface {
	ports.Clock
	replay.Clock
}

// Options has the settings of a session. The zero value is the default of all.
type Options struct {
	// Clock stands at the start of the range or before. Defaults to a clock.Simulated at the start.
	Clock Clock

	App    app.Config    // of Market
	Replay replay.Config // of Steps, Events and Future
}

// Session is one run of a strategy over the history of a store. Steps plays the bars and moves the clock; a strategy
// asks Market, which knows nothing that is later than the clock; a simulated exchange fills its orders from Future. A
// session runs once, and closes nothing, because it opens nothing.
type Session struct {
	// Market is the application over the clock, for the strategy. record.New(Market) also keeps the requests, for a
	// report that is compared with that of an earlier run. It is safe for concurrent use.
	Market *app.Service

	// Future returns the bar after the clock's time, for the simulated exchange. A strategy must not have it.
	Future *replay.Lookahead

	// Clock tells the time of the current step.
	Clock ports.Clock

	replay *replay.Replay
}

// NewSession returns a session over the bars of the keys that open in r. It reads nothing yet. It returns an error that
// wraps domain.ErrInvalid for no store, no key, an invalid or repeated key, a reversed range, and invalid options.
func NewSession(store Store, keys []domain.SeriesKey, r domain.Range, opts Options) (*Session, error) {
	if store == nil {
		return nil, &domain.InvalidError{What: "store", Value: "nil", Reason: "give a store, like one of memory.Open"}
	}
	if opts.Clock == nil {
		opts.Clock = clock.NewSimulated(r.Start)
	}

	market, err := New(store, opts.Clock, opts.App)
	if err != nil {
		return nil, err
	}

	played, err := replay.New(store, opts.Clock, keys, r, opts.Replay)
	if err != nil {
		return nil, err
	}

	future, err := replay.NewLookahead(store, opts.Clock, r, opts.Replay)
	if err != nil {
		return nil, err
	}

	return &Session{Market: market, Future: future, Clock: opts.Clock, replay: played}, nil
}

// Steps moves the clock from one instant at which bars closed to the next, and yields these bars. replay.Replay.Steps
// tells more, errors too.
func (s *Session) Steps(ctx context.Context) iter.Seq2[replay.Step, error] {
	return s.replay.Steps(ctx)
}

// Events is Steps, one bar at a time.
func (s *Session) Events(ctx context.Context) iter.Seq2[replay.Event, error] {
	return s.replay.Events(ctx)
}

// Quality returns the quality reports of the bars that were played so far.
func (s *Session) Quality() map[domain.SeriesKey]domain.QualityReport { return s.replay.Quality() }
