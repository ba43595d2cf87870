package app_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
	"github.com/gal-friday/marketdata/ports"
)

// keepsNoVersions is a memory store without states.
type keepsNoVersions struct{ *memory.Store }

func (s keepsNoVersions) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(s.Store.ReadBars(ctx, q).Rows())
}

func (s keepsNoVersions) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return ports.Unversioned(s.Store.ReadTrades(ctx, q).Rows())
}

// rewritten is a market whose data changes between the pages of a reader. There is a row every rowStep minutes over
// several blocks; all is covered up to end.
type rewritten struct {
	*app.Service
	bars        []ports.Store // by time: each has the part behind splitAt of the one before
	trades      *memory.Store // in place of bars
	isVersioned bool
	end         int // minute
}

const (
	rowStep = 97
	splitAt = 7_000
)

// rewrittenMarkets are the ways in which bars come to a reader.
var rewrittenMarkets = map[string]func(t *testing.T) *rewritten{
	"a store": func(t *testing.T) *rewritten {
		s := memory.New()
		return newRewritten(t, &rewritten{bars: []ports.Store{s}, isVersioned: true}, app.Source{Name: "test", Bars: s, Catalog: s})
	},
	"a cache": func(t *testing.T) *rewritten {
		s := memory.New()
		source, cached := cachedSource(t, app.Source{Name: "test", Bars: s, Catalog: s}, rewrittenClock(), seriescache.Config{})
		return newRewritten(t, &rewritten{bars: []ports.Store{cached}, isVersioned: true}, source)
	},
	"two stores": func(t *testing.T) *rewritten {
		s, o := memory.New(), memory.New()
		return newRewritten(t, &rewritten{bars: []ports.Store{s, o}, isVersioned: true},
			app.Source{Name: "one", Bars: s, Catalog: s}, app.Source{Name: "other", Bars: o, Catalog: o})
	},
	"no versions": func(t *testing.T) *rewritten {
		s := memory.New()
		return newRewritten(t, &rewritten{bars: []ports.Store{s}}, app.Source{Name: "test", Bars: keepsNoVersions{s}, Catalog: s})
	},
	"trades": func(t *testing.T) *rewritten {
		s := memory.New()
		return newRewritten(t, &rewritten{trades: s, isVersioned: true}, app.Source{Name: "test", Bars: s, Ticks: s, Catalog: s})
	},
	"trades without versions": func(t *testing.T) *rewritten {
		s := memory.New()
		return newRewritten(t, &rewritten{trades: s}, app.Source{Name: "test", Bars: s, Ticks: keepsNoVersions{s}, Catalog: s})
	},
}

func rewrittenClock() ports.Clock { return clock.NewSimulated(at(100_000)) }

func newRewritten(t *testing.T, m *rewritten, sources ...app.Source) *rewritten {
	t.Helper()
	md, err := app.NewStepping(50, sources, rewrittenClock(), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	m.Service = md

	return m
}

// write writes the rows of the minutes with that size and covers [from, to).
func (m *rewritten) write(t rapid.TB, size, from, to int, minutes ...int) {
	t.Helper()
	var err error
	if m.trades != nil {
		b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
		for _, minute := range minutes {
			row := domain.Trade{Time: at(float64(minute)), Price: domain.MustDecimal("100"), Size: domain.MustDecimal("1")}
			row.Size, _ = domain.NewDecimal(int64(size), 0)
			if err := b.Append(row); err != nil {
				t.Fatal(err)
			}
		}

		rows, _ := b.Ticks()
		_, err = m.trades.WriteTrades(context.Background(), rows, span(float64(from), float64(to)), ports.ConflictReplace)
	} else {
		b := domain.NewSeriesBuilder(key, 0)
		for _, minute := range minutes {
			row := bar(minute)
			row.Volume, _ = domain.NewDecimal(int64(size), 0)
			if err := b.Append(row); err != nil {
				t.Fatal(err)
			}
		}

		rows, _ := b.Series()
		_, err = ports.WriteBars(context.Background(), m.at(from), rows, span(float64(from), float64(to)), ports.ConflictReplace)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *rewritten) at(minute int) ports.Store {
	if minute >= splitAt {
		return m.bars[len(m.bars)-1]
	}
	return m.bars[0]
}

// remove deletes the rows and the coverage of [from, to).
func (m *rewritten) remove(t rapid.TB, from, to int) {
	t.Helper()
	var err error
	if m.trades != nil {
		_, err = m.trades.DeleteTrades(context.Background(), key.Symbol, span(float64(from), float64(to)))
	} else {
		_, err = m.at(from).DeleteBars(context.Background(), key, span(float64(from), float64(to)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// reset covers all minutes up to splitAt*2.
func (m *rewritten) reset(t rapid.TB) {
	t.Helper()
	m.remove(t, 0, splitAt)
	m.remove(t, splitAt, 100_000)
	var minutes [2][]int
	for minute := 0; minute < 2*splitAt; minute += rowStep {
		minutes[minute/splitAt] = append(minutes[minute/splitAt], minute)
	}
	m.write(t, 1, 0, splitAt, minutes[0]...)
	m.write(t, 1, splitAt, 2*splitAt, minutes[1]...)
	m.end = 2 * splitAt
}

// change draws a change beside the returned rows, in them, or behind all, and reports whether it only appends.
func (m *rewritten) change(t *rapid.T) (appends bool) {
	row := rapid.IntRange(0, m.end/rowStep-1).Draw(t, "row") * rowStep
	switch rapid.IntRange(0, 6).Draw(t, "change") {
	case 0:
		return true // none
	case 1:
		m.write(t, rapid.IntRange(1, 3).Draw(t, "size"), row, row+1, row)
	case 2:
		m.write(t, 1, row+5, row+6, row+5)
	case 3:
		m.remove(t, row, row+1)
	case 4:
		m.remove(t, row+10, row+20) // where nothing traded
	default:
		from := m.end
		m.end += rapid.IntRange(1, 200).Draw(t, "minutes")
		var minutes []int
		if minute := rapid.IntRange(from, m.end).Draw(t, "minute"); minute < m.end {
			minutes = []int{minute}
		}
		m.write(t, 1, from, m.end, minutes...)

		return true
	}

	return false
}

// page is what a page says, of bars or of trades.
type page struct {
	rows      any
	uncovered []domain.Range
	next      domain.Range // ends at Next
	restated  bool
	token     pagetoken.Token
}

// bars reads a page of bars of the request.
func (m *rewritten) readBars(t *rapid.T, whole, r domain.DataRequest) page {
	t.Helper()
	r.Paged = true
	got, err := m.Fetch(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pagetoken.New(whole, got.Next, got.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}

	rows := make([]string, 0, got.Series.Len())
	for _, b := range got.Series.All() {
		rows = append(rows, b.String())
	}

	return page{rows, got.Uncovered, domain.Range{Start: r.Start, End: got.Next}, got.Restated, token}
}

func (m *rewritten) readTrades(t *rapid.T, whole, r domain.TickRequest) page {
	t.Helper()
	r.Paged = true
	got, err := m.FetchTrades(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pagetoken.NewTicks(domain.TickTrades, whole, got.Next, got.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}

	rows := make([]string, 0, got.Ticks.Len())
	for _, b := range got.Ticks.All() {
		rows = append(rows, b.String())
	}

	return page{rows, got.Uncovered, domain.Range{Start: r.Start, End: got.Next}, got.Restated, token}
}

// pages reads the pages of a request: the first, or that behind a token, and what is there up to a position.
type pages struct {
	first func(t *rapid.T) page
	after func(t *rapid.T, token pagetoken.Token) page
	upTo  func(t *rapid.T, position domain.Range) page
}

func (m *rewritten) ofBars(t *rapid.T, r domain.DataRequest) pages {
	size := func(r domain.DataRequest) domain.DataRequest {
		r.First = rapid.IntRange(1, 60).Draw(t, "page")
		return r
	}

	return pages{
		first: func(t *rapid.T) page { return m.readBars(t, r, size(r)) },
		after: func(t *rapid.T, token pagetoken.Token) page {
			next, err := token.Resume(size(r))
			if err != nil {
				t.Fatal(err)
			}

			return m.readBars(t, r, next)
		},
		upTo: func(t *rapid.T, position domain.Range) page {
			part := r
			part.End = position.End
			return m.readBars(t, part, part)
		},
	}
}

func (m *rewritten) ofTrades(t *rapid.T, r domain.TickRequest) pages {
	size := func(r domain.TickRequest) domain.TickRequest {
		r.First = rapid.IntRange(1, 60).Draw(t, "page")
		return r
	}

	return pages{
		first: func(t *rapid.T) page { return m.readTrades(t, r, size(r)) },
		after: func(t *rapid.T, token pagetoken.Token) page {
			next, err := token.ResumeTicks(domain.TickTrades, size(r))
			if err != nil {
				t.Fatal(err)
			}

			return m.readTrades(t, r, next)
		},
		upTo: func(t *rapid.T, position domain.Range) page {
			part := r
			part.End = position.End
			return m.readTrades(t, part, part)
		},
	}
}

// TestPagesTellWhatWasRestated changes the data between the pages: a page is restated if what the pages before it
// returned is another now, and is not if rows were only added behind the last one.
func TestPagesTellWhatWasRestated(t *testing.T) {
	t.Parallel()
	for name, newMarket := range rewrittenMarkets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMarket(t)
			rapid.Check(t, func(t *rapid.T) {
				m.reset(t)
				r := domain.DataRequest{Key: key, Start: at(float64(rapid.IntRange(0, 3).Draw(t, "start") * 3_333))}
				if rapid.Bool().Draw(t, "resample") {
					r.Key.Grid = domain.Hour1.UTC()
				}
				if rapid.Bool().Draw(t, "fill") {
					r.Fill = domain.FillPrevious
				}
				read := m.ofBars(t, r)
				if m.trades != nil && rapid.Bool().Draw(t, "trades") {
					read = m.ofTrades(t, domain.TickRequest{Symbol: key.Symbol, Start: r.Start})
				}
				m.checkRestated(t, read)
			})
		})
	}
}

func (m *rewritten) checkRestated(t *rapid.T, read pages) {
	t.Helper()
	at := read.first(t)
	if at.restated {
		t.Fatal("the first page is restated")
	}

	for range 6 {
		before := read.upTo(t, at.next)
		appended := true
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			appends := m.change(t)
			appended = appended && appends
		}
		after := read.upTo(t, at.next)
		isSame := reflect.DeepEqual(before.rows, after.rows) && reflect.DeepEqual(before.uncovered, after.uncovered)
		isKnown := m.isVersioned || !reflect.DeepEqual(before.uncovered, after.uncovered)
		position := at.next.End
		at = read.after(t, at.token)
		switch {
		case !isSame && isKnown && !at.restated:
			t.Fatalf("before %s was\n%v %v\nnow it is\n%v %v\nand the page is not restated", position,
				before.rows, before.uncovered, after.rows, after.uncovered)
		case appended && at.restated:
			t.Fatalf("the page from %s is restated by rows behind the last", position)
		}
	}
}

// A request that is not paged has no checkpoint, and costs no read for it.
func TestOnlyPagesHaveACheckpoint(t *testing.T) {
	t.Parallel()
	store := &readCounter{Store: memory.New()}
	bars := series(t, bar(0), bar(1), bar(2))
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	md, err := app.New([]app.Source{{Name: "store", Bars: store, Catalog: store.Store}}, clock.NewSimulated(at(60)), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	for _, isPaged := range []bool{false, true} {
		store.reads = 0
		got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), First: 1, Paged: isPaged})
		if err != nil || (got.Checkpoint != "") != isPaged || !isPaged && store.reads != 1 {
			t.Errorf("paged %t: checkpoint %v after %d reads, %v", isPaged, got.Checkpoint, store.reads, err)
		}
	}
}

// readCounter counts the reads of bars.
type readCounter struct {
	*memory.Store

	reads int
}

func (c *readCounter) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	c.reads++
	return c.Store.ReadBars(ctx, q)
}

// TestMalformedCheckpoints tests that a checkpoint that is of no page is refused before any I/O.
func TestMalformedCheckpoints(t *testing.T) {
	t.Parallel()
	store := &readCounter{Store: memory.New()}
	md, err := app.New([]app.Source{{Name: "store", Bars: store, Catalog: store.Store, Ticks: store.Store}},
		clock.NewSimulated(at(60)), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	_, err = md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), First: 1, Paged: true, Checkpoint: "page 2"})
	if !errors.Is(err, ports.ErrInvalid) || store.reads > 0 {
		t.Errorf("bars: %v after %d reads", err, store.reads)
	}
	_, err = md.FetchTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol, Start: at(0), First: 1, Paged: true, Checkpoint: "page 2"})
	if !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("trades: %v", err)
	}
}
