package replay

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
)

// blockBars is how many bars of a series are taken out of their columns at once. A bar at a time would jump between the
// columns of all series; so many make whole cache lines of each column, and the blocks of a hundred series, 1 MB, stay
// in the cache.
const blockBars = 64

// track is one series of a replay: its feed, and the bars that come next.
type track struct {
	key   domain.SeriesKey
	at    int // in the block
	ends  []domain.Micros
	block []domain.Bar // as many as ends
	last  *domain.Bar  // of the block before
	feed  *feed
}

func newTrack(f *feed) track {
	return track{
		key: f.key, feed: f,
		ends: make([]domain.Micros, 0, blockBars), block: make([]domain.Bar, blockBars), last: new(domain.Bar),
	}
}

// bar is the bar that the track stands at. It stays until the next but one is asked for.
func (t *track) bar() *domain.Bar {
	if t.at == len(t.ends)-1 { // the block is overwritten as the track advances
		*t.last = t.block[t.at]
		return t.last
	}
	return &t.block[t.at]
}

// advance goes to the next bar and returns its end, never where there is none.
func (t *track) advance(ctx context.Context) (domain.Micros, error) {
	t.at++
	if t.at < len(t.ends) {
		return t.ends[t.at], nil
	}

	return t.turn(ctx)
}

// turn goes to the first bar of the next block.
func (t *track) turn(ctx context.Context) (domain.Micros, error) {
	f := t.feed
	if f.piece.Len() == 0 {
		if more, err := f.next(ctx); err != nil || !more {
			return never, err
		}
	}

	n := f.piece.CopyBars(t.block)
	t.at, t.ends = 0, f.piece.Slice(0, n).EndTimes(t.ends[:0])
	f.piece = f.piece.Slice(n, f.piece.Len())
	return t.ends[0], nil
}
