package market

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

const (
	shortMarkets  = 10
	operations    = 50 // per market
	marketMinutes = 3 * 24 * 60
)

// barKinds are the grids of stored bars, resultKinds those that are requested.
var (
	barKinds    = []kind{"1m", "5m", "1h", "1d@America/New_York"}
	resultKinds = slices.Sorted(maps.Keys(step))
)

// The results of every store alone, and of all stores that share a series, are those of the model.
func TestEveryStoreEqualsTheModel(t *testing.T) {
	t.Parallel()
	s := openStores(t)
	effort.Check(t, shortMarkets, func(t *rapid.T) {
		m := s.newMarket(t)
		for range operations {
			m.operate(t)
		}
	})
}

// stores are an application over each store alone, and one over all of them.
type stores struct {
	clock  *clock.Simulated
	each   map[string]*app.Service
	all    *app.Service
	ticks  []string // the stores of trades
	opened atomic.Int64
}

func openStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{clock: clock.NewSimulated(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)), each: map[string]*app.Service{}}
	inMemory := memory.New()
	embedded, closeEmbedded, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "market.db")})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeEmbedded)
	sources := append(openServers(t, s.clock),
		app.Source{Name: "memory", Bars: inMemory, Ticks: inMemory, Catalog: inMemory, Local: true},
		app.Source{Name: "sqlite", Bars: embedded, Ticks: embedded, Catalog: embedded})
	for _, source := range sources {
		source.Takes = domain.FrequencyRange{}
		md, err := app.New([]app.Source{source}, s.clock, nil, app.Config{})
		if err != nil {
			t.Fatal(err)
		}

		s.each[string(source.Name)] = md
		if source.Ticks != nil {
			s.ticks = append(s.ticks, string(source.Name))
		}
	}

	for i := range sources {
		sources[i].Takes = domain.FrequencyRange{}
		if sources[i].Name != "sqlite" {
			sources[i].Ticks, sources[i].Aggregate = nil, nil // one store has the trades of a spread series
		}
	}
	if s.all, err = app.New(sources, s.clock, nil, app.Config{}); err != nil {
		t.Fatal(err)
	}

	return s
}

// openServers returns the sources of PostgreSQL and InfluxDB, as they are wired for production.
func openServers(t *testing.T, c ports.Clock) (sources []app.Source) {
	t.Helper()
	database := servers.Influx(t)
	cfg := wiring.Config{
		Cache: wiring.Cache{Bytes: 4 << 20},
		Postgres: wiring.Postgres{
			DSN: wiring.NewSecret(migrated.Postgres(t)), MinConns: 1, MaxConns: 4, AcquireTimeout: time.Minute, ConnectTimeout: time.Minute,
		},
		Influx: wiring.Influx{
			URL: database.URL, Token: wiring.NewSecret(database.Token), Org: database.Org, Bucket: database.Bucket, Database: database.Database,
		},
	}
	_, closeAll, err := production.Open(t.Context(), cfg, production.Options{
		Clock: c, Stores: func(ours []app.Source) []app.Source {
			sources = slices.Clone(ours)
			return ours
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeAll)
	for i := range sources {
		sources[i].Catalog = sources[0].Catalog // PostgreSQL has the symbols of both
	}

	return sources
}

// market is one market of two symbols: alone is stored whole in every store, and of spread each store has a part.
type market struct {
	*stores
	*model

	alone, spread string
	begin         time.Time
}

// newMarket has symbols and a time of its own, because the stores and the clock are those of earlier markets.
func (s *stores) newMarket(t *rapid.T) *market {
	n := s.opened.Add(1)
	begin := time.Date(2000, 3, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*int(n))
	m := &market{
		stores: s, model: newModel(begin, marketMinutes), begin: begin,
		alone: fmt.Sprintf("ALONE%d", n), spread: fmt.Sprintf("SPREAD%d", n),
	}
	m.moveClock(t, time.Duration(rapid.IntRange(1, marketMinutes/2).Draw(t, "begins at"))*time.Minute)

	first := span{m.start, m.start + 60}
	for _, name := range slices.Sorted(maps.Keys(m.each)) { // every store knows the symbols before anybody asks for them
		for _, symbol := range []string{m.alone, m.spread} {
			m.declare(t, place{symbol, name, "1m"}, first)
			m.remove(t, place{symbol, name, "1m"}, first)
		}
	}

	return m
}

func (m *market) moveClock(t *rapid.T, after time.Duration) {
	if at := m.begin.Add(after); at.After(m.clock.Now()) {
		if err := m.clock.Set(at); err != nil {
			t.Fatal(err)
		}
	}
}

// operate draws one operation and, if it is a query, compares its result with that of the model.
func (m *market) operate(t *rapid.T) {
	switch rapid.IntRange(0, 19).Draw(t, "operation") {
	case 0:
		m.moveClock(t, m.clock.Now().Sub(m.begin)+time.Duration(rapid.IntRange(1, 40_000).Draw(t, "seconds"))*time.Second)
	case 1, 2, 3, 4, 5:
		m.write(t, m.declare)
	case 6:
		m.write(t, m.remove)
	case 7:
		m.correctAll(t)
	case 8, 9:
		m.compareTrades(t)
	case 10, 11:
		m.comparePages(t)
	case 12, 13:
		m.compareLimited(t)
	default:
		m.compareBars(t)
	}
}

// drawSpan draws a part of the market, in minutes.
func (m *market) drawSpan(t *rapid.T) span {
	length := rapid.SampledFrom([]int64{7, 60, 90, 600, 1_440, marketMinutes}).Draw(t, "minutes")
	from := rapid.SampledFrom([]int64{1, 5, 30, 60, 240}).Draw(t, "unit")
	first := rapid.Int64Range(0, (marketMinutes-1)/from).Draw(t, "from") * from
	return span{m.start + first*60, m.start + min(first+length, marketMinutes)*60}
}

// write applies a write to alone in every store, or to spread in one of them.
func (m *market) write(t *rapid.T, apply func(t *rapid.T, at place, s span)) {
	k := rapid.SampledFrom(append(slices.Clone(barKinds), trades)).Draw(t, "kind")
	s := m.drawSpan(t)
	s.end = min(s.end, m.clock.Now().Unix()/60*60)
	if s = m.aligned(k, s); s.start >= s.end {
		return
	}

	names := slices.Sorted(maps.Keys(m.each))
	if k == trades {
		names = slices.Sorted(slices.Values(m.ticks))
	}
	if rapid.Bool().Draw(t, "alone") {
		for _, name := range names {
			apply(t, place{m.alone, name, k}, s)
		}
		return
	}

	name := rapid.SampledFrom(names).Draw(t, "store")
	if k == trades {
		name = "sqlite"
	}
	apply(t, place{m.spread, name, k}, s)
}

// declare writes all rows of the span.
func (m *market) declare(t *rapid.T, at place, s span) {
	policy := rapid.SampledFrom([]ports.ConflictPolicy{ports.ConflictFail, ports.ConflictReplace, ports.ConflictKeep}).Draw(t, "policy")
	var err error
	if at.kind == trades {
		_, err = m.each[at.store].IngestTrades(t.Context(), m.tradesOf(t, at.symbol, s), rangeOf(s), policy)
	} else {
		_, err = m.each[at.store].Ingest(t.Context(), m.barsOf(t, at, s), rangeOf(s), policy)
	}
	if err != nil {
		t.Fatalf("write %v %v: %v", at, rangeOf(s), err)
	}

	m.cover(at, s, true)
}

// remove deletes all rows of the span.
func (m *market) remove(t *rapid.T, at place, s span) {
	var err error
	if at.kind == trades {
		_, err = m.each[at.store].DeleteTrades(t.Context(), domain.Symbol(at.symbol), rangeOf(s))
	} else {
		_, err = m.each[at.store].Delete(t.Context(), key(at.symbol, at.kind), rangeOf(s))
	}
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		t.Fatalf("delete %v %v: %v", at, rangeOf(s), err)
	}

	m.cover(at, s, false)
}

// correctAll changes what happened, and replaces or deletes all stored rows that it made wrong.
func (m *market) correctAll(t *rapid.T) {
	s := m.drawSpan(t)
	s.end = min(s.end, s.start+600)
	m.correct(s)
	for _, at := range slices.SortedFunc(maps.Keys(m.covered), func(a, b place) int {
		return slices.Compare([]string{a.symbol, a.store, string(a.kind)}, []string{b.symbol, b.store, string(b.kind)})
	}) {
		wrong := s
		if at.kind != trades {
			wrong = span{m.slot(at.kind, s.start).start, m.slot(at.kind, s.end-1).end}
		}
		for from := wrong.start; from < wrong.end; from += 60 {
			to := from
			for to < wrong.end && to >= m.start && (to-m.start)/60 < m.length && m.isCovered(at, (to-m.start)/60) {
				to += 60
			}
			if to > from {
				m.replace(t, at, span{from, to})
				from = to - 60
			}
		}
	}
}

// replace writes the rows of the covered span in the place of the stored ones.
func (m *market) replace(t *rapid.T, at place, s span) {
	md, ctx := m.each[at.store], t.Context()
	var err error
	if at.kind == trades {
		if rows := m.tradesOf(t, at.symbol, s); rows.Len() > 0 {
			_, err = md.ReplaceTrades(ctx, rows, rangeOf(s))
		} else {
			m.remove(t, at, s)
		}
	} else if rows := m.barsOf(t, at, s); rows.Len() > 0 {
		_, err = md.Replace(ctx, rows, rangeOf(s))
	} else {
		m.remove(t, at, s)
	}
	if err != nil {
		t.Fatalf("replace %v %v: %v", at, rangeOf(s), err)
	}
}

// drawQuery draws a symbol with the application and the stores that have it, and a request.
func (m *market) drawQuery(t *rapid.T) (md *app.Service, names []string, r domain.DataRequest, k kind, s span) {
	k, s = rapid.SampledFrom(resultKinds).Draw(t, "grid"), m.drawSpan(t)
	s.start += rapid.SampledFrom([]int64{0, 0, 1, 59}).Draw(t, "off")
	symbol, md := m.spread, m.all
	if names = slices.Sorted(maps.Keys(m.each)); rapid.Bool().Draw(t, "alone") {
		name := rapid.SampledFrom(names).Draw(t, "store")
		symbol, md, names = m.alone, m.each[name], []string{name}
	}
	whole := rangeOf(s)
	r = domain.DataRequest{Key: key(symbol, k), Start: whole.Start, End: whole.End}
	if rapid.Bool().Draw(t, "fill") {
		r.Fill = domain.FillPrevious
	}

	return md, names, r, k, s
}

// expect returns the bars and the unknown slots of the model.
func (m *market) expect(r domain.DataRequest, names []string, k kind, s span) (domain.Series, []domain.Range) {
	all, unknown := m.bars(string(r.Key.Symbol), names, k, s, m.clock.Now().Unix(), r.Fill == domain.FillPrevious)
	var uncovered []domain.Range
	for _, slot := range unknown {
		uncovered = append(uncovered, rangeOf(slot))
	}

	return series(r.Key, all), domain.ClipRanges(domain.MergeRanges(uncovered), domain.Range{Start: r.Start, End: r.End})
}

// compareBars compares a whole range, by Fetch, FetchMany or Stream.
func (m *market) compareBars(t *rapid.T) {
	md, names, r, k, s := m.drawQuery(t)
	want, uncovered := m.expect(r, names, k, s)
	var got domain.Result
	var err error
	switch rapid.IntRange(0, 2).Draw(t, "call") {
	case 0:
		got, err = md.Fetch(t.Context(), r)
	case 1:
		answer := md.FetchMany(t.Context(), []domain.DataRequest{r, r})[1]
		got, err = answer.Result, answer.Err
	default:
		pieces, result := md.Stream(t.Context(), r)
		var bars domain.Series
		if bars, err = collect(r.Key, pieces); err == nil {
			got = result()
			got.Series = bars
		}
	}

	if err != nil || !got.Series.Equal(want) || !slices.EqualFunc(got.Uncovered, uncovered, domain.Range.Equal) {
		t.Fatalf("%s of %v at %s: got %v, uncovered %v, %v\nwant %v, uncovered %v",
			r, names, m.clock.Now(), got.Series, got.Uncovered, err, want, uncovered)
	}
}

// compareLimited compares First and Last.
func (m *market) compareLimited(t *rapid.T) {
	md, names, r, k, s := m.drawQuery(t)
	want, _ := m.expect(r, names, k, s)
	n := rapid.IntRange(1, 50).Draw(t, "limit")
	if rapid.Bool().Draw(t, "first") {
		r.First, want = n, want.Slice(0, min(n, want.Len()))
	} else {
		r.Last, want = n, want.Slice(max(0, want.Len()-n), want.Len())
	}

	got, err := md.Fetch(t.Context(), r)
	if err != nil || !got.Series.Equal(want) {
		t.Fatalf("%s of %v at %s: got %v, %v\nwant %v", r, names, m.clock.Now(), got.Series, err, want)
	}
}

// comparePages compares the pages of a range, which follow each other by Next.
func (m *market) comparePages(t *rapid.T) {
	md, names, r, k, s := m.drawQuery(t)
	want, _ := m.expect(r, names, k, s)
	r.First = max(1, want.Len()/rapid.IntRange(1, 4).Draw(t, "pages"))
	all := domain.NewSeriesBuilder(r.Key, 0)
	for {
		got, err := md.Fetch(t.Context(), r)
		if err == nil {
			err = all.AppendSeries(got.Series)
		}
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		if got.Series.Len() < r.First || !got.Next.Before(r.End) {
			break
		}

		r.Start = got.Next
	}

	if got, err := all.Series(); err != nil || !got.Equal(want) {
		t.Fatalf("pages of %d of %s of %v: got %v, %v\nwant %v", r.First, r, names, got, err, want)
	}
}

// compareTrades compares the trades of a range in a store that has some.
func (m *market) compareTrades(t *rapid.T) {
	s := m.drawSpan(t)
	name := rapid.SampledFrom(m.ticks).Draw(t, "store")
	r := domain.TickRequest{Symbol: domain.Symbol(m.alone), Start: rangeOf(s).Start, End: rangeOf(s).End}
	got, err := m.each[name].FetchTrades(t.Context(), r)
	var want []domain.Trade
	for _, trade := range m.tradesOf(t, m.alone, s).All() {
		if minute := (trade.Time.Unix() - m.start) / 60; m.isCovered(place{m.alone, name, trades}, minute) {
			want = append(want, trade)
		}
	}
	wanted, wantErr := domain.NewTicks(r.Symbol, want...)
	if err != nil || wantErr != nil || !got.Ticks.Equal(wanted) {
		t.Fatalf("%s of %s: got %v, %v\nwant %v, %v", r, name, got.Ticks, err, wanted, wantErr)
	}
}

func collect(key domain.SeriesKey, pieces iter.Seq2[domain.Series, error]) (domain.Series, error) {
	all := domain.NewSeriesBuilder(key, 0)
	for piece, err := range pieces {
		if err == nil {
			err = all.AppendSeries(piece)
		}
		if err != nil {
			return domain.Series{}, err
		}
	}

	return all.Series()
}

func key(symbol string, k kind) domain.SeriesKey {
	grid, err := domain.ParseGrid(string(k))
	if err != nil {
		panic(err)
	}

	return domain.SeriesKey{Symbol: domain.Symbol(symbol), Grid: grid}
}

func rangeOf(s span) domain.Range {
	return domain.Range{Start: time.Unix(s.start, 0).UTC(), End: time.Unix(s.end, 0).UTC()}
}

func (m *market) barsOf(t *rapid.T, at place, s span) domain.Series {
	var all []bar
	for slot := m.slot(at.kind, s.start); slot.start < s.end; slot = m.slot(at.kind, slot.end) {
		if b, traded := m.bar(slot); traded {
			all = append(all, b)
		}
	}

	return series(key(at.symbol, at.kind), all)
}

// tradesOf returns the trades of the span, numbered within their second.
func (m *market) tradesOf(t *rapid.T, symbol string, s span) domain.Trades {
	var all []domain.Trade
	for i, tr := range m.within(s) {
		next := domain.Trade{Time: time.Unix(tr.second, 0).UTC(), Price: hundredths(tr.price), Size: hundredths(100 * tr.size)}
		if i > 0 && next.Time.Equal(all[i-1].Time) {
			next.Seq = all[i-1].Seq + 1
		}
		all = append(all, next)
	}

	ticks, err := domain.NewTicks(domain.Symbol(symbol), all...)
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

func series(key domain.SeriesKey, all []bar) domain.Series {
	b := domain.NewSeriesBuilder(key, len(all))
	for _, one := range all {
		if err := b.Append(domain.Bar{
			OpenTime: time.Unix(one.open, 0).UTC(), Open: hundredths(one.first), High: hundredths(one.high), Low: hundredths(one.low),
			Close: hundredths(one.last), Volume: hundredths(100 * one.volume), Trades: one.trades,
		}); err != nil {
			panic(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		panic(err)
	}

	return s
}

func hundredths(n int64) domain.Decimal {
	d, err := domain.NewDecimal(n, 2)
	if err != nil {
		panic(err)
	}

	return d
}
