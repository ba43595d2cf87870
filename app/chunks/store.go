package chunks

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Store is a store whose bars are read through a cache. It is safe for concurrent use.
type Store struct {
	next   ports.Store
	caches Caches // both are set
	clock  ports.Clock
	cfg    Config // with defaults

	states  states
	held    holdings
	flights flights
	ahead   ahead
	stats   counters

	closed    context.Context //nolint:containedctx // ends the reads that no caller waits for when the Store is closed
	close     context.CancelFunc
	closing   sync.RWMutex // held for reading while something begins in the background
	reads     sync.WaitGroup
	notices   ports.Invalidations // nil tells nobody
	following atomic.Bool
	hears     atomic.Bool // of every write of others
	deaf      atomic.Bool // hearing failed, and has not begun again
	tried     chan struct{}
	firstTry  sync.Once // closes tried
}

// Caches is where chunks are kept.
type Caches struct {
	Near ports.SeriesCache // in this process's memory: it waits for nothing
	All  ports.SeriesCache // Near and whatever lies behind it; nil where that is nothing
}

var (
	_ ports.Store        = (*Store)(nil)
	_ ports.CachedReader = (*Store)(nil)
)

// skew is how far the clocks of processes may be apart that share a cache: none where nobody does.
func (s *Store) skew() time.Duration {
	if s.caches.All == s.caches.Near {
		return 0
	}
	return s.cfg.Skew
}

// New returns a Store in front of next. Of notices, nil is that no other process writes; otherwise the cache is used as long as
// Follow hears them. Close ends what runs in the background; it closes neither the store nor the caches.
func New(next ports.Store, caches Caches, notices ports.Invalidations, clock ports.Clock, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("chunk cache %s: %w", cfg.Name, err)
	}
	if caches.All == nil {
		caches.All = caches.Near
	}
	s := &Store{next: next, caches: caches, clock: clock, notices: notices, cfg: cfg.WithDefaults()}
	s.held.asked.Go = s.background
	s.states.seed, s.held.states.seed = maphash.MakeSeed(), maphash.MakeSeed()
	s.tried = make(chan struct{})
	s.held.known = map[domain.Symbol]holding{}
	s.flights.running = map[flightKey]*flight{}
	s.ahead.waiting = map[ports.ChunkKey]struct{}{}
	s.closed, s.close = context.WithCancel(context.Background())

	return s, nil
}

// Close ends what runs in the background, and waits for it. What is read later comes straight from the store.
func (s *Store) Close() {
	s.closing.Lock()
	s.close()
	s.closing.Unlock()
	s.reads.Wait()
}

// background runs f, which s.closed ends, beside the callers. Close waits for it, unless it was called before: then f ends at once.
func (s *Store) background(f func()) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed.Err() != nil {
		go f()
		return
	}
	s.reads.Go(f)
}

// ReadBars is ReadCachedBars, of the bars alone.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	var used atomic.Bool
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		for p, err := range s.pieces(ctx, q, &used) {
			if !yield(ports.Piece[domain.Series]{Rows: p.Bars}, err) {
				return
			}
		}
	}
}

// ReadCachedBars yields the bars that the wrapped store would, a piece a chunk, without copying any; a range of more than MaxChunks
// comes straight from it. An answer of up to 128 chunks holds no write of this process in part; one that is longer is put together
// from such parts.
func (s *Store) ReadCachedBars(ctx context.Context, q ports.BarQuery) iter.Seq2[ports.CachedBars, error] {
	return s.pieces(ctx, q, new(atomic.Bool))
}

var errUsed = errors.New("a sequence is ranged over once; ask for another")

func (s *Store) pieces(ctx context.Context, q ports.BarQuery, used *atomic.Bool) iter.Seq2[ports.CachedBars, error] {
	return func(yield func(ports.CachedBars, error) bool) {
		if used.Swap(true) {
			yield(ports.CachedBars{}, &ports.Error{
				Kind: ports.ErrInvalid, Op: "read bars", Store: s.cfg.Name, Subject: q.Key.String(), Err: errUsed,
			})
			return
		}
		if err := ctx.Err(); err != nil {
			yield(ports.CachedBars{}, s.interrupted(q.Key, err))
			return
		}
		r := reading{Store: s, query: q, cut: domain.BarBlocks(q.Key.Grid)}
		r.yield(ctx, yield)
	}
}

// interrupted is the error of a read whose context is done.
func (s *Store) interrupted(key domain.SeriesKey, err error) error {
	return &ports.Error{Kind: ports.ContextKind(err), Op: "read bars", Store: s.cfg.Name, Subject: key.String(), Err: err}
}
