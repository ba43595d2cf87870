package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/effort"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// envSeed repeats the run whose seed it is.
const envSeed = "MARKETDATA_TEST_SEED"

// TestMonth drives two processes for a simulated month, one operation at a time, over two stores, a shared cache and
// hints, each with faults of its own. After each operation it checks that:
//   - a result is that of the model, which reads the same stores without faults, and has no bar that is not closed;
//   - the call ended within its deadline and 50 ms;
//   - an error is of a fault that was there, and there is none once all servers have been healthy for a while;
//   - an acknowledged write is stored.
//
// The long form is a year.
func TestMonth(t *testing.T) {
	t.Parallel()
	seed, months := rand.Uint64(), 1
	if effort.IsDeep() {
		months = 12
	}
	if text := os.Getenv(envSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
		months = 1
	}
	for m := range uint64(months) {
		t.Logf("%s=%d", envSeed, seed+m)
		synctest.Test(t, func(t *testing.T) { newWorld(t, seed+m).run(30 * 24 * time.Hour) })
	}
}

// The names of the servers.
const (
	relationalName = "relational"
	timeSeriesName = "time-series"
)

// world is everything that a month is made of.
type world struct {
	t         *testing.T
	random    *rand.Rand
	traffic   *traffic
	servers   []*server
	processes []*process
	counts    map[string]int // of operations, by outcome
}

// process is one process of the users.
type process struct {
	*app.Service
	wrote map[domain.Symbol]time.Time // when a write through it ended
}

// recovery is how long after a fault the last call may fail for it: until then, a breaker may be open.
const recovery = 6 * time.Second

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, random: random, counts: map[string]int{}}
	begin := time.Now()
	newServer := func(name domain.StoreName) *server {
		s := &server{name: name, seed: random.Uint64(), periods: newPeriods(random, begin, begin.AddDate(0, 2, 0))}
		w.servers = append(w.servers, s)
		return s
	}
	relational := remoteStore{memory.New(), newServer(relationalName)}
	timeSeries := remoteStore{memory.New(), newServer(timeSeriesName)}
	shared := &sharedCache{server: newServer("shared cache"), blocks: map[blockcache.Key]blockcache.Block{}}
	hints := &bus{server: newServer("hints"), subs: map[chan blockcache.Hint]*connection{}}
	for _, symbol := range symbols {
		check(t, relational.PutSymbols(t.Context(), domain.NewSymbolMeta(symbol)))
	}

	w.traffic = &traffic{
		random: random, begin: begin.Add(-24 * time.Hour), recorded: map[domain.SeriesKey]time.Time{},
		model: newModel(t, relational.Store, timeSeries.Store),
	}
	for range 2 {
		w.processes = append(w.processes, newProcess(t, relational, timeSeries, shared, &connection{hints}))
	}

	return w
}

// frequencies are those of each store: bars shorter than an hour are in the time-series store.
var (
	long  = domain.FrequencyRange{From: domain.Hour1}
	short = domain.FrequencyRange{Below: domain.Hour1}
)

// newProcess returns a process as wiring/production makes it.
func newProcess(t *testing.T, relational, timeSeries remoteStore, shared *sharedCache, hints *connection) *process {
	t.Helper()
	local, err := ristretto.NewBlocks(32 << 20)
	check(t, err)
	t.Cleanup(local.Close)
	limits := resilience.NewLimits(256<<20, 1_000_000)
	relationalPolicy := resilience.New(relationalName, limits)
	timeSeriesPolicy := resilience.New(timeSeriesName, limits)
	cached := func(s remoteStore, p *resilience.Policy) *seriescache.Store {
		store, err := seriescache.New(seriescache.Dependencies{
			Store: p.Bars(s), States: p.States(s), Hints: hints, Clock: clock.NewSystem(),
			Caches: seriescache.Caches{Local: local, Shared: shared},
		}, seriescache.Config{Name: s.server.name})
		check(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		var watching sync.WaitGroup
		watching.Go(func() { _ = store.Watch(ctx) }) // its only error is that of ctx
		t.Cleanup(func() {
			cancel()
			watching.Wait()
			store.Close()
		})

		return store
	}
	hours, minutes := cached(relational, relationalPolicy), cached(timeSeries, timeSeriesPolicy)
	md, err := app.New([]app.Source{
		{Name: relationalName, Bars: hours, Cache: hours, Catalog: relationalPolicy.Catalog(relational), Takes: long},
		{Name: timeSeriesName, Bars: minutes, Cache: minutes, Takes: short},
	}, clock.NewSystem(), nil, app.Config{})
	check(t, err)

	return &process{md, map[domain.Symbol]time.Time{}}
}

// run drives operations until the time is over.
func (w *world) run(length time.Duration) {
	w.t.Helper()
	end := time.Now().Add(length)
	for time.Now().Before(end) && !w.t.Failed() {
		p, o := w.processes[w.random.IntN(len(w.processes))], w.traffic.next()
		w.drive(p, o)
		if o.wrote.Symbol != "" { // its process sees a write at once
			w.drive(p, w.traffic.fetch(w.traffic.requestNear(o.wrote, o.changed)))
		}
		pause := time.Duration(w.random.ExpFloat64() * float64(25*time.Minute))
		if w.random.IntN(3) > 0 {
			pause /= 1000 // most operations come in bursts
		}
		time.Sleep(pause)
	}

	w.t.Logf("operations: %v", w.counts)
	if w.counts["ok"] == 0 || w.counts["failed"] == 0 {
		w.t.Error("the month had no success, or no failure")
	}
}

// drive drives one operation of the process.
func (w *world) drive(p *process, o operation) {
	w.t.Helper()
	deadline := []time.Duration{0, 0, 300 * time.Millisecond, time.Second, 10 * time.Second}[w.random.IntN(5)]
	ctx, cancel := w.t.Context(), context.CancelFunc(func() {})
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, deadline)
	}

	defer cancel()
	begin := time.Now()
	doubtful := w.isDoubtful(p, begin)
	err := o.run(ctx, p.Service)
	if o.wrote.Symbol != "" {
		p.wrote[o.wrote.Symbol] = time.Now()
	}

	const slack, usual = 50 * time.Millisecond, 30 * time.Second
	if limit := cmp.Or(deadline, usual); time.Since(begin) > limit+slack {
		w.t.Errorf("%s: ended after %s of %s", o.text, time.Since(begin), limit)
	}
	switch {
	case err != nil:
		w.counts["failed"]++
		w.checkError(ctx, o, err, begin)
	case doubtful:
		w.counts["beside a write"]++
	default:
		w.counts["ok"]++
		if err := o.verify(); err != nil {
			w.t.Errorf("%s at %s: %v", o.text, begin, err)
		}
	}
}

// isDoubtful reports whether another process wrote within a lease, so that p may still see the state before.
func (w *world) isDoubtful(p *process, now time.Time) bool {
	for _, other := range w.processes {
		for _, at := range other.wrote {
			if other != p && now.Sub(at) <= seriescache.DefaultLease {
				return true
			}
		}
	}

	return false
}

// checkError wants a kind of error that a fault has, and a fault, or a deadline that has passed.
func (w *world) checkError(ctx context.Context, o operation, err error, begin time.Time) {
	w.t.Helper()
	kinds := []error{ports.ErrUnavailable, ports.ErrTimeout, ports.ErrOverloaded, ports.ErrAuth}
	if !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		w.t.Errorf("%s at %s: an error of no fault: %v", o.text, begin, err)
	}

	isHealthy := func(s *server) bool { return s.wasHealthy(begin.Add(-recovery)) }
	if !slices.ContainsFunc(w.servers[:2], func(s *server) bool { return !isHealthy(s) }) && ctx.Err() == nil {
		w.t.Errorf("%s at %s: both stores are healthy: %v", o.text, begin, err)
	}
}

// model is the application over the same stores without faults and without a cache, at a given time.
type model struct {
	*app.Service
	now    time.Time
	stores map[bool]*memory.Store // by whether it has the short bars
}

// Now implements ports.Clock.
func (m *model) Now() time.Time { return m.now }

func newModel(t *testing.T, relational, timeSeries *memory.Store) *model {
	t.Helper()
	m := &model{stores: map[bool]*memory.Store{false: relational, true: timeSeries}}
	var err error
	m.Service, err = app.New([]app.Source{
		{Name: relationalName, Bars: relational, Catalog: relational, Takes: long, Local: true},
		{Name: timeSeriesName, Bars: timeSeries, Takes: short, Local: true},
	}, m, nil, app.Config{})
	check(t, err)

	return m
}

// compare wants the result that the model has at the same time.
func (m *model) compare(request domain.DataRequest, got domain.Result) error {
	if n := got.Series.Len(); n > 0 && got.Series.Key().Grid.Next(got.Series.At(n-1).OpenTime).After(got.Now) {
		return fmt.Errorf("%s is not closed at %s", got.Series.At(n-1), got.Now)
	}

	m.now = got.Now
	want, err := m.Fetch(context.Background(), request)
	switch {
	case err != nil:
		return fmt.Errorf("model: %w", err)
	case got.StaleFor > request.MaxStale:
		return fmt.Errorf("%s old, %s are allowed", got.StaleFor, request.MaxStale)
	case got.StaleFor > 0:
		return nil
	case !got.Series.Equal(want.Series):
		return fmt.Errorf("got %s, want %s", got.Series, want.Series)
	case !slices.EqualFunc(got.Uncovered, want.Uncovered, domain.Range.Equal):
		return fmt.Errorf("uncovered %v, want %v", got.Uncovered, want.Uncovered)
	case !got.Range.Equal(want.Range) || got.Clamped != want.Clamped || !got.Next.Equal(want.Next):
		return fmt.Errorf("got %s clamped %t next %s, want %s %t %s",
			got.Range, got.Clamped, got.Next, want.Range, want.Clamped, want.Next)
	}

	return nil
}

// has wants the bars to be stored.
func (m *model) has(bars domain.Series) error {
	stored, err := m.stored(bars.Key(), bars.Range())
	if err != nil {
		return err
	}

	for i := range bars.Len() {
		want := bars.Slice(i, i+1)
		if got := stored.Clip(want.Range()); !got.Equal(want) {
			return fmt.Errorf("stored is %s, written was %s", got, want)
		}
	}

	return nil
}

// hasOnly wants the bars to be stored, and no others in r.
func (m *model) hasOnly(bars domain.Series, r domain.Range) error {
	stored, err := m.stored(bars.Key(), r)
	if err == nil && !stored.Equal(bars) {
		err = fmt.Errorf("stored is %s, written was %s", stored, bars)
	}

	return err
}

// stored returns the bars of r in the store of the series.
func (m *model) stored(key domain.SeriesKey, r domain.Range) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, 0)
	store := m.stores[short.Contains(key.Grid.Frequency())]
	for piece, err := range store.ReadBars(context.Background(), ports.BarQuery{Key: key, Range: r}).Rows() {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
