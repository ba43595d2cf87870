package replay

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Lookahead returns the bars after the clock's now. It is for execution simulators: an order that a strategy places at
// the end of a bar is filled in the bar that follows. Lookahead implements neither a provider nor a reader, so that it
// cannot be passed to a strategy by mistake. It is not safe for concurrent use.
type Lookahead struct {
	store ports.BarReader
	clock ports.Clock
	r     domain.Range
	cfg   Config
	feeds map[domain.SeriesKey]*feed
}

// NewLookahead returns a Lookahead over the stored bars that open in r. It returns ErrInvalid for a reversed range and
// for an invalid Config.
func NewLookahead(store ports.BarReader, clock ports.Clock, r domain.Range, cfg Config) (*Lookahead, error) {
	if err := errors.Join(cfg.Validate(), checkRange(r)); err != nil {
		return nil, &ports.Error{Kind: ports.ErrInvalid, Op: "look ahead", Err: err}
	}

	return &Lookahead{store: store, clock: clock, r: r, cfg: cfg.withDefaults(), feeds: map[domain.SeriesKey]*feed{}}, nil
}

// Next returns the first bar of the series that opens at the clock's now or later. found is false if the range has no
// such bar. An invalid key is ErrInvalid, a series that is not stored ErrNotFound; errors of the store pass through,
// and the caller may repeat a failed call.
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
