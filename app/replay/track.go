package replay

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
)

// blockBars is how many bars of a series are taken out of their columns at once. A bar at a time would jump between the columns of
// all series; so many make whole cache lines of each column, and the blocks of a hundred series stay in the cache.
const blockBars = 32

// track is one series of a replay: its feed, and the bars that come next.
type track struct {
	feed   *feed
	series int // its number
	at     int // in the block
	ends   []int64
	block  [blockBars]domain.Bar // as many as ends
	last   domain.Bar            // of the block before
}

func newTrack(f *feed, series int) *track {
	return &track{feed: f, series: series, ends: make([]int64, 0, blockBars)}
}

// bar is the bar that the track stands at. It stays until the next but one is asked for.
func (t *track) bar() *domain.Bar {
	if t.at == len(t.ends)-1 { // the block is overwritten as the track advances
		t.last = t.block[t.at]
		return &t.last
	}
	return &t.block[t.at]
}

// advance goes to the next bar and returns its place.
func (t *track) advance(ctx context.Context) (place, error) {
	t.at++
	if t.at < len(t.ends) {
		return placeOf(t.ends[t.at], t.series), nil
	}
	return t.turn(ctx)
}

// turn goes to the first bar of the next block and returns its place.
func (t *track) turn(ctx context.Context) (place, error) {
	f := t.feed
	if f.piece.Len() == 0 {
		if more, err := f.next(ctx); err != nil || !more {
			return never, err
		}
	}
	n := f.piece.CopyBars(t.block[:])
	t.at, t.ends = 0, f.piece.Slice(0, n).EndTimes(t.ends[:0])
	f.piece = f.piece.Slice(n, f.piece.Len())
	return placeOf(t.ends[0], t.series), nil
}
