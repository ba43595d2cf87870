package seriescache

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Store is a store whose bars are read through a cache. It is safe for concurrent use.
type Store struct {
	next        ports.Store
	source      ports.StateReader // of next
	unversioned *unversioned      // source, where next keeps no versions; else nil
	foreign     bool              // series with the zero state are written by others
	caches      Caches
	hints       blockcache.Hints // nil sends none
	clock       ports.Clock
	cfg         Config // with defaults
	readLimit   error  // the cause of a context that cfg.ReadTimeout ended

	states    *leases[domain.SeriesKey, knownState]
	extents   *leases[domain.Symbol, []domain.Extent]
	questions singleflight.Group[questionKey, toldState]
	runs      singleflight.Group[runKey, loadedRun]
	prefetch  prefetch
	stats     counters

	closed context.Context //nolint:containedctx // ends the reads that no caller waits for when the Store is closed
	close  context.CancelFunc

	sending    context.Context //nolint:containedctx // ends the sending of hints, some time after closed
	endSending context.CancelFunc
	closing    sync.RWMutex // held for reading while something starts in the background
	running    sync.WaitGroup

	pending      chan blockcache.Hint // hints to be sent
	disconnected atomic.Bool          // Watch lost its subscription
}

// Caches are where blocks are kept.
type Caches struct {
	Local  blockcache.Cache       // in the memory of this process; nil reads everything from the store
	Shared blockcache.SharedCache // nil where processes share none
}

// Dependencies are the ports that a Store uses.
type Dependencies struct {
	Store  ports.Store
	States ports.StateReader // of Store; nil if it keeps no versions
	Caches Caches

	// Foreign says that States has the zero state for series that others write. Their bars come from Store.
	Foreign bool

	Hints blockcache.Hints // nil where no other process writes
	Clock ports.Clock
}

var (
	_ ports.Store       = (*Store)(nil)
	_ blockcache.Reader = (*Store)(nil)
)

// New returns a Store. Close ends everything that runs in the background; it closes neither the store nor the caches.
func New(d Dependencies, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("series cache %s: %w", cfg.Name, err)
	}

	cfg = cfg.WithDefaults()
	s := &Store{
		next: d.Store, source: d.States, caches: d.Caches, hints: d.Hints, clock: d.Clock, cfg: cfg, foreign: d.Foreign,
	}
	s.readLimit = fmt.Errorf("our limit of %s for one read for the cache passed (read_timeout): %w",
		cfg.ReadTimeout, context.DeadlineExceeded)
	lease := cfg.Lease
	if d.States == nil {
		s.unversioned = newUnversioned(d.Store, cfg.UnversionedTTL)
		s.source, s.caches.Shared, lease = s.unversioned, nil, cfg.UnversionedLease
	}
	s.states = newLeases[domain.SeriesKey](lease, sameVersion)
	s.extents = newLeases[domain.Symbol](lease, slices.Equal[[]domain.Extent])
	s.questions.Go, s.runs.Go = s.background, s.background
	s.prefetch.waiting = map[blockcache.Key]struct{}{}
	s.pending = make(chan blockcache.Hint, maxPendingHints)
	s.closed, s.close = context.WithCancel(context.Background())
	s.sending, s.endSending = context.WithCancel(context.Background())
	if s.hints != nil {
		s.background(s.sendHints)
	}

	return s, nil
}

// isForeign reports whether the state is of a series that others may write.
func (s *Store) isForeign(state *domain.SeriesState) bool {
	return s.foreign && state.Version == (domain.Version{})
}

// Close ends everything that runs in the background, and waits for it: hints of writes that are not sent within half a
// second are lost. Later reads go to the store.
func (s *Store) Close() {
	s.closing.Lock()
	s.close()
	s.closing.Unlock()
	timer := time.AfterFunc(hintCloseTimeout, s.endSending)
	defer timer.Stop()
	s.running.Wait()
	s.endSending()
}

// background runs f, which must end when s.closed is done. Close waits for it, unless Close was called before: then f
// ends at once.
func (s *Store) background(f func()) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed.Err() != nil {
		go f()
		return
	}

	s.running.Go(f)
}

// boundRead returns the context of a read that callers share: it ends after ReadTimeout, and with Close.
func (s *Store) boundRead(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.ReadTimeout, s.readLimit)
	stop := context.AfterFunc(s.closed, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// recoverPanic turns a panic of the store into an error, and logs its stack.
func (s *Store) recoverPanic(op, subject string, err *error) {
	v := recover()
	if v == nil {
		return
	}

	s.cfg.Logger.Error("store panicked", slog.String("op", op), slog.String("store", string(s.cfg.Name)),
		slog.String("subject", subject), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	*err = s.failure(ports.ErrInternal, op, subject, fmt.Errorf("panic: %v", v))
}

func (s *Store) failure(kind error, op, subject string, err error) error {
	return &ports.Error{Kind: kind, Op: op, Store: s.cfg.Name, Subject: subject, Err: err}
}

// interruption is the error of a call whose context is done.
func (s *Store) interruption(ctx context.Context, op string, key domain.SeriesKey) error {
	return s.failure(ports.ContextKind(ctx.Err()), op, key.String(), ctx.Err())
}

// WriteBatch implements ports.BarWriter. Reads that begin after it see the writes.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	defer func() {
		for _, w := range writes {
			s.finishWrite(w.Bars.Key(), w.Coverage)
		}
	}()

	return s.next.WriteBatch(ctx, writes)
}

// ReplaceBars implements ports.BarWriter. Reads that begin after it see the write.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	defer s.finishWrite(bars.Key(), r)
	return s.next.ReplaceBars(ctx, bars, r)
}

// DeleteBars implements ports.BarWriter. Reads that begin after it see the write.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	defer s.finishWrite(key, r)
	return s.next.DeleteBars(ctx, key, r)
}

// UncoverBars implements ports.BarUncoverer. Reads that begin after it see the change.
func (s *Store) UncoverBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	uncovered, err := ports.UncoverBars(ctx, s.next, key, r)
	s.finishWrite(key, uncovered.Hull(r))

	return uncovered, err
}

// TouchBars implements ports.BarToucher. Reads that begin after it see the change.
func (s *Store) TouchBars(ctx context.Context, key domain.SeriesKey) error {
	err := ports.TouchBars(ctx, s.next, key)
	s.finishWrite(key, domain.AllYears())

	return err
}

// DropPartitions implements ports.PartitionDropper. Empty partitions are in no cache.
func (s *Store) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	return ports.DropPartitions(ctx, s.next, before)
}

// finishWrite follows a write, also one that failed, because it may have been done.
func (s *Store) finishWrite(key domain.SeriesKey, r domain.Range) {
	if key.Validate() != nil {
		return
	}

	s.recordChange(key, r)
	s.hint(blockcache.Hint{Store: s.cfg.Name, Key: key, Range: r})
}
