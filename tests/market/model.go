package market

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// trade is what happened at one second: prices in hundredths, sizes in units.
type trade struct{ second, price, size int64 }

// bar is the bar of the trades from open on; times are seconds since 1970.
type bar struct{ open, first, high, low, last, volume, trades int64 }

// span is a range of seconds.
type span struct{ start, end int64 }

// kind is one kind of rows that a store may have: bars of a grid, or trades.
type kind string

const trades kind = "trades"

// place is where rows are stored.
type place struct {
	symbol, store string
	kind          kind
}

// model is one market and the parts of it that stores have. It knows how a market works, and nothing of the module.
type model struct {
	zone     *time.Location
	versions map[int64]uint64  // of the minutes that were corrected
	minutes  map[int64][]trade // what happened, as far as somebody looked
	covered  map[place][]bool  // the minutes from start on
	start    int64
	length   int64 // in minutes
}

func newModel(start time.Time, minutes int64) *model {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}

	return &model{
		zone: zone, versions: map[int64]uint64{}, minutes: map[int64][]trade{},
		covered: map[place][]bool{}, start: start.Unix(), length: minutes,
	}
}

// happened returns the trades of a minute: none, one or a few.
func (m *model) happened(minute int64) []trade {
	if some, known := m.minutes[minute]; known {
		return some
	}

	rng := rand.New(rand.NewPCG(uint64(minute), m.versions[minute]))
	some := make([]trade, max(0, rng.IntN(5)-1))
	for i := range some {
		some[i] = trade{minute + rng.Int64N(60), 9_000 + rng.Int64N(2_000), 1 + rng.Int64N(9)}
	}
	slices.SortStableFunc(some, func(a, b trade) int { return cmp.Compare(a.second, b.second) })
	m.minutes[minute] = some

	return some
}

// correct changes what happened in the span.
func (m *model) correct(s span) {
	for minute := s.start; minute < s.end; minute += 60 {
		m.versions[minute]++
		delete(m.minutes, minute)
	}
}

// within returns what happened in the span, whose ends need not be minutes.
func (m *model) within(s span) (some []trade) {
	for minute := s.start - mod(s.start, 60); minute < s.end; minute += 60 {
		for _, t := range m.happened(minute) {
			if t.second >= s.start && t.second < s.end {
				some = append(some, t)
			}
		}
	}

	return some
}

// bar returns the bar of the slot, if something was traded.
func (m *model) bar(slot span) (b bar, traded bool) {
	for i, t := range m.within(slot) {
		if i == 0 {
			b = bar{open: slot.start, first: t.price, high: t.price, low: t.price}
		}
		b.high, b.low, b.last = max(b.high, t.price), min(b.low, t.price), t.price
		b.volume, b.trades = b.volume+t.size, b.trades+1
	}

	return b, b.trades > 0
}

// step is the length of the slots of a kind in seconds, 0 for days in New York.
var step = map[kind]int64{"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400, "1d@America/New_York": 0}

// slot returns the slot of the kind that contains the second.
func (m *model) slot(k kind, second int64) span {
	if n := step[k]; n > 0 {
		open := second - mod(second, n)
		return span{open, open + n}
	}

	y, month, d := time.Unix(second, 0).In(m.zone).Date()

	return span{time.Date(y, month, d, 0, 0, 0, 0, m.zone).Unix(), time.Date(y, month, d+1, 0, 0, 0, 0, m.zone).Unix()}
}

func mod(a, n int64) int64 { return ((a % n) + n) % n }

// aligned returns the part of the span that whole slots of the kind make up.
func (m *model) aligned(k kind, s span) span {
	if k == trades {
		return s
	}
	if first := m.slot(k, s.start); first.start != s.start {
		s.start = first.end
	}
	s.end = m.slot(k, s.end).start

	return s
}

// cover records whether the store has the rows of the span.
func (m *model) cover(at place, s span, isCovered bool) {
	if m.covered[at] == nil {
		m.covered[at] = make([]bool, m.length)
	}
	for i := (s.start - m.start) / 60; i < (s.end-m.start)/60; i++ {
		m.covered[at][i] = isCovered
	}
}

func (m *model) isCovered(at place, minute int64) bool {
	return m.covered[at] != nil && m.covered[at][minute]
}

// has reports whether the stores together have all rows of the kind in the slot.
func (m *model) has(symbol string, stores []string, k kind, slot span) bool {
	for second := slot.start; second < slot.end; second += 60 {
		i := (second - m.start) / 60
		if second < m.start || i >= m.length ||
			!slices.ContainsFunc(stores, func(store string) bool { return m.isCovered(place{symbol, store, k}, i) }) {
			return false
		}
	}

	return true
}

// knows reports whether the bar of the slot is known: it is stored, or all bars that make it up are, or its trades.
func (m *model) knows(symbol string, stores []string, target kind, slot span) bool {
	for k, n := range step {
		whole := n > 0 && mod(slot.start, n) == 0 && mod(slot.end, n) == 0
		if (k == target || whole && n <= slot.end-slot.start) && m.has(symbol, stores, k, slot) {
			return true
		}
	}

	return m.has(symbol, stores, trades, slot)
}

// bars returns the bars that open in the span and have ended at now, and the slots that are not known. With fill, slots
// without trades repeat the close before them, unless a slot in between is not known.
func (m *model) bars(symbol string, stores []string, target kind, s span, now int64, fill bool) (all []bar, unknown []span) {
	var before *bar
	for slot := m.slot(target, m.start); slot.start < s.end && slot.end <= now; slot = m.slot(target, slot.end) {
		isAsked := slot.start >= s.start
		if !m.knows(symbol, stores, target, slot) {
			if before = nil; isAsked {
				unknown = append(unknown, slot)
			}
			continue
		}

		b, traded := m.bar(slot)
		if traded {
			before = &b
		} else if b = (bar{}); before != nil {
			b = bar{open: slot.start, first: before.last, high: before.last, low: before.last, last: before.last}
		}
		if isAsked && (traded || fill && before != nil) {
			all = append(all, b)
		}
	}

	return all, unknown
}
