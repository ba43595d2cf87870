package replay

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
)

// blockBars is the number of bars of a series that a track copies out of the columns at once. A single bar would touch
// the columns of all series in turn. 64 bars fill whole cache lines of each column, and the blocks of a hundred series
// (1 MB) fit into the processor's cache.
const blockBars = 64

// track is one series of a replay: its feed and a block of the next bars.
type track struct {
	key   domain.SeriesKey
	at    int             // index of the current bar in ends and block
	ends  []domain.Micros // the ends of the bars in block
	block []domain.Bar    // only the first len(ends) bars are valid
	last  *domain.Bar     // copy of the last bar of a block that nextBlock overwrites
	feed  *feed
}

// newTrack returns a track before the first bar of the feed. nextBlock must be called before bar and advance.
func newTrack(f *feed) track {
	return track{
		key: f.key, feed: f,
		ends: make([]domain.Micros, 0, blockBars), block: make([]domain.Bar, blockBars), last: new(domain.Bar),
	}
}

// bar returns the current bar. The pointer is valid through one call of advance, because a replay advances its tracks
// before it yields their bars.
func (t *track) bar() *domain.Bar {
	if t.at == len(t.ends)-1 { // advance is about to overwrite the block
		*t.last = t.block[t.at]
		return t.last
	}

	return &t.block[t.at]
}

// advance moves to the next bar and returns its end, or never if there is none.
func (t *track) advance(ctx context.Context) (domain.Micros, error) {
	t.at++
	if t.at < len(t.ends) {
		return t.ends[t.at], nil
	}

	return t.nextBlock(ctx)
}

// nextBlock moves to the first bar of the next block and returns its end, or never if there is none.
func (t *track) nextBlock(ctx context.Context) (domain.Micros, error) {
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
