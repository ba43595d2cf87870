package replay

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Lookahead knows what comes after the clock's now. It is for what simulates the execution of orders: an order that a
// strategy gives at a bar's end is filled in the bar after it. It is no provider and no reader, so that it cannot be
// handed to a strategy by mistake. It is for one goroutine.
type Lookahead struct {
	store ports.BarReader
	clock ports.Clock
	r     domain.Range
	cfg   Config
	feeds map[domain.SeriesKey]*feed
}

// NewLookahead returns a Lookahead over the bars of the store that open in r. It refuses a range that is none, and a
// Config that contradicts itself.
func NewLookahead(store ports.BarReader, clock ports.Clock, r domain.Range, cfg Config) (*Lookahead, error) {
	if err := errors.Join(cfg.Validate(), checkRange(r)); err != nil {
		return nil, &ports.Error{Kind: ports.ErrInvalid, Op: "look ahead", Err: err}
	}
	return &Lookahead{store: store, clock: clock, r: r, cfg: cfg.withDefaults(), feeds: map[domain.SeriesKey]*feed{}}, nil
}

// Next is the first bar of the series that opens at the clock's now or later; found is false where the store holds none
// in the range. After an error the same call may be tried again.
func (l *Lookahead) Next(ctx context.Context, key domain.SeriesKey) (bar domain.Bar, found bool, err error) {
	f := l.feeds[key]
	if f == nil {
		if err := key.Validate(); err != nil {
			return domain.Bar{}, false, &ports.Error{Kind: ports.ErrInvalid, Op: "look ahead", Err: err}
		}

		f = newFeed("look ahead", l.store, key, l.r, l.cfg)
		l.feeds[key] = f
	}
	if found, err = f.seek(ctx, l.clock.Now()); !found {
		return domain.Bar{}, false, err
	}

	return f.piece.At(0), true, nil
}
