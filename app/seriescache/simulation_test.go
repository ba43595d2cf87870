package seriescache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
)

// simulation is two processes with a cache each, over one slow store, beside a writer without a cache. It has the states
// that the store was in, and compares every answer with them.
type simulation struct {
	t      *testing.T
	store  *memory.Store
	shared *sharedMap

	mu      sync.Mutex
	random  *rand.Rand
	history []past // in the order of the writes
}

// past is a state of the series.
type past struct {
	version domain.Version
	bars    domain.Series
	at      time.Time // when it was committed
}

// process is one of the processes.
type process struct {
	*subject
	least int // index of the newest state that it saw, or wrote
	wrote int // index of the state after its last write, also of one that did not return
}

// slow is the store as a process sees it: questions and answers take time, and some fail.
type slow struct {
	*memory.Store
	sim *simulation
	p   *process // nil is a writer without a cache
}

var errDown = &ports.Error{Kind: ports.ErrUnavailable, Op: "read", Err: errors.New("down")}

func (s *simulation) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// pause waits for up to most, mostly much less.
func (s *simulation) pause(most time.Duration) {
	time.Sleep(time.Duration(s.intn(1_000)) * time.Duration(s.intn(1_000)) * most / 1_000_000)
}

func (s slow) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.sim.pause(3 * time.Second)
		if s.sim.intn(50) == 0 {
			yield(ports.Piece[domain.Series]{}, errDown)
			return
		}
		for p, err := range s.Store.ReadBars(ctx, q) {
			s.sim.pause(time.Second)
			if !yield(p, err) {
				return
			}
		}
	}
}

func (s slow) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	s.sim.pause(3 * time.Second)
	states, err := s.Store.ReadStates(ctx, queries)
	s.sim.pause(3 * time.Second)
	if s.sim.intn(50) == 0 {
		return nil, errDown
	}

	return states, err
}

func (s slow) WriteBatch(ctx context.Context, writes []ports.BarWrite) (results []ports.WriteResult) {
	for _, w := range writes {
		report, err := s.sim.commit(s.p, func() (ports.WriteReport, error) {
			return ports.WriteBars(ctx, s.Store, w.Bars, w.Coverage, w.OnConflict)
		})
		results = append(results, ports.WriteResult{Report: report, Err: err})
	}

	return results
}

func (s slow) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return s.sim.commit(s.p, func() (ports.WriteReport, error) { return s.Store.DeleteBars(ctx, key, r) })
}

func (s slow) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.sim.commit(s.p, func() (ports.WriteReport, error) { return s.Store.ReplaceBars(ctx, bars, r) })
}

// commit writes and records the state after it. Its answer may come late, or be lost.
func (s *simulation) commit(p *process, write func() (ports.WriteReport, error)) (ports.WriteReport, error) {
	s.pause(time.Second)
	s.mu.Lock()
	report, err := write()
	s.record()
	if p != nil {
		p.wrote = len(s.history) - 1
	}
	s.mu.Unlock()
	s.pause(time.Second)
	if err == nil && s.intn(30) == 0 {
		err = errDown
	}

	return report, err
}

// record records the present state, unless it is recorded.
func (s *simulation) record() {
	q := ports.BarQuery{Key: key, Range: minutes(-1_000_000, 1_000_000)}
	p := past{at: time.Now()}
	b := domain.NewSeriesBuilder(key, 0)
	for piece, err := range s.store.ReadBars(context.Background(), q) {
		if err == nil {
			err = b.AppendSeries(piece.Rows)
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		if piece.State != nil {
			p.version = piece.State.Version
		}
	}

	var err error
	if p.bars, err = b.Series(); err != nil {
		s.t.Error(err)
	}
	if n := len(s.history); n == 0 || s.history[n-1].version != p.version {
		s.history = append(s.history, p)
	}
}

// change writes to the series through w: mostly it appends.
func (s *simulation) change(w ports.BarWriter, minute int) error {
	at := minute + s.intn(3)*s.intn(20)
	n, seed := 1+s.intn(3)*s.intn(30), s.intn(5)
	ctx := s.t.Context()
	var err error
	switch s.intn(6) {
	case 0:
		bars := makeBars(s.t, at-40, n, seed)
		_, err = ports.WriteBars(ctx, w, bars, bars.Range(), ports.ConflictReplace)
	case 1:
		_, err = w.DeleteBars(ctx, key, minutes(at-10, at-10+n))
	default:
		bars := makeBars(s.t, at, 1, seed)
		_, err = ports.WriteBars(ctx, w, bars, minutes(at, at+1+s.intn(3)), ports.ConflictReplace)
	}

	return err
}

// drawQuery returns a query near the minute.
func (s *simulation) drawQuery(minute int) ports.BarQuery {
	q := query(minutes(minute-s.intn(9_000), minute+s.intn(9_000)))
	switch s.intn(4) {
	case 0:
		q.Last = 1 + s.intn(50)
	case 1:
		q.First = 1 + s.intn(50)
	}

	return q
}

// read reads through the cache of the process, and compares the answer with the history.
func (s *simulation) read(p *process, q ports.BarQuery) {
	s.mu.Lock()
	least := p.least
	for i, past := range s.history {
		if time.Since(past.at) > seriescache.DefaultLease {
			least = max(least, i)
		}
	}
	s.mu.Unlock()

	got, version, err := s.ask(p, q)
	if errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrConflict) {
		return
	}
	if err != nil {
		s.t.Errorf("%s first %d last %d: %v", q.Range, q.First, q.Last, err)
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.history, func(p past) bool { return p.version == version })
	if i < least {
		s.t.Errorf("an answer of state %d, after state %d was seen", i, least)
		return
	}

	p.least = max(p.least, i)
	if want := limited(s.history[i].bars.Clip(q.Range), q); !got.Equal(want) {
		s.t.Errorf("%s first %d last %d of state %d: got %s, want %s", q.Range, q.First, q.Last, i, got, want)
	}
}

func limited(bars domain.Series, q ports.BarQuery) domain.Series {
	n := bars.Len()
	switch {
	case q.First > 0:
		return bars.Slice(0, min(n, q.First))
	case q.Last > 0:
		return bars.Slice(n-min(n, q.Last), n)
	}

	return bars
}

// ask reads from memory where everything is there, else with waiting.
func (s *simulation) ask(p *process, q ports.BarQuery) (domain.Series, domain.Version, error) {
	b := domain.NewSeriesBuilder(key, 0)
	if local, state, ok := p.LocalBars(nil, q); ok {
		for _, piece := range local {
			if err := b.AppendSeries(piece.Bars); err != nil {
				return domain.Series{}, domain.Version{}, err
			}
		}

		bars, err := b.Series()

		return bars, state.Version, err
	}

	var version domain.Version
	for piece, err := range p.ReadCachedBars(s.t.Context(), q, 0) {
		if err == nil {
			err = b.AppendSeries(piece.Rows.Bars)
		}
		if err != nil {
			return domain.Series{}, version, err
		}
		if piece.State != nil {
			version = piece.State.Version
		}
	}

	bars, err := b.Series()

	return bars, version, err
}

// TestSimulation runs two processes and three writers over a slow store that fails now and then, with hints that are
// late or lost. Every answer must equal a state of the store: none older than a lease, than the last own write, or than
// an answer before it. The long form is a million steps, in worlds of their own, because each keeps all its states.
func TestSimulation(t *testing.T) {
	t.Parallel()
	const steps, deepSteps = 3_000, 1_000_000
	worlds := 1
	if effort.IsDeep() {
		worlds = deepSteps / steps
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for world := range worlds {
		simulate(t, rand.New(rand.NewPCG(seed, uint64(world))), steps)
	}
}

// simulate runs one world.
func simulate(t *testing.T, random *rand.Rand, steps int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{t: t, store: memory.New(), shared: newSharedMap(), random: random}
		s.record()
		hints := &bus{
			delay: func() time.Duration { return time.Duration(s.intn(3_000)) * time.Millisecond },
			loses: func() bool { return s.intn(3) == 0 },
		}
		var processes []*process
		for range 2 {
			p := &process{}
			p.subject = setup(t, options{
				under: &counting{Store: s.store}, store: slow{s.store, s, p}, hints: hints, shared: s.shared,
			})
			watch(t, p.subject)
			processes = append(processes, p)
		}

		var actors sync.WaitGroup
		minute := func(step int) int { return step / 10 }
		for _, p := range processes {
			for range 2 {
				actors.Go(func() {
					for step := range steps {
						s.pause(2 * time.Second)
						s.read(p, s.drawQuery(minute(step)))
					}
				})
			}
			actors.Go(func() {
				for step := range steps / 4 {
					s.pause(10 * time.Second)
					err := s.change(p, minute(4*step))
					s.mu.Lock()
					if err == nil {
						p.least = max(p.least, p.wrote)
					}
					s.mu.Unlock()
				}
			})
		}
		actors.Go(func() {
			for step := range steps / 8 {
				s.pause(20 * time.Second)
				_ = s.change(slow{s.store, s, nil}, minute(8*step))
			}
		})
		actors.Wait()

		for i, p := range processes {
			t.Logf("process %d after %d states: %+v", i, len(s.history), p.Stats())
		}
	})
}
