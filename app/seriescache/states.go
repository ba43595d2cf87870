package seriescache

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// maxLeasedBlocks is the maximum number of blocks of a state that is kept. A larger one serves its own query only.
	maxLeasedBlocks = 256

	// askedTogether is how many other series a question asks for, so that series in use are not asked for one by one.
	askedTogether = 1000
)

// source is a store that yields the state of a series with its bars, and without them.
type source interface {
	ports.BarReader
	ports.StateReader
}

// knownState is a state with the range whose blocks it has.
type knownState struct {
	*domain.SeriesState
	within domain.Range
}

// covers reports whether the state has the blocks of r.
func (k knownState) covers(r domain.Range) bool {
	return k.SeriesState != nil && (r.Empty() || k.within.Covers(r))
}

func sameVersion(a, b knownState) bool { return a.Version == b.Version }

// stateQuestion identifies a question that several callers may share.
type stateQuestion struct {
	key    domain.SeriesKey
	within domain.Range
	epoch  uint64 // a caller after a write must not share a question from before
}

// toldState is the answer to a question, with the time when the question was sent.
type toldState struct {
	*domain.SeriesState
	sent time.Time
}

// localState returns the state of the series with the blocks of r, where it is believed.
func (s *Store) localState(key domain.SeriesKey, r domain.Range) (*domain.SeriesState, bool) {
	known, valid := s.states.get(key)
	if !valid || !known.covers(r) {
		return nil, false
	}

	return known.SeriesState, true
}

// state returns the state of the series with the blocks of r: a believed one, else the store's.
func (s *Store) state(ctx context.Context, key domain.SeriesKey, r domain.Range) (*domain.SeriesState, error) {
	if state, ok := s.localState(key, r); ok {
		return state, nil
	}

	began := time.Now()
	for {
		t := s.states.begin(key)
		r = askedRange(t, key, r)
		question := stateQuestion{key, r, t.epoch}
		told, shared, err := s.questions.Do(ctx, question, func(ctx context.Context) (toldState, error) {
			state, err := s.askState(ctx, key, r, t)
			return toldState{state, t.sent}, err
		})
		if shared {
			s.stats.coalesced.Add(1)
		}
		if errors.Is(err, singleflight.ErrInterrupted) {
			return nil, s.interruption(ctx, "read states", key)
		}

		// A slow question may have been sent longer than a lease before this caller joined it.
		if err != nil || told.sent.After(began) || s.states.isValid(told.sent, began) {
			return told.SeriesState, err
		}
	}
}

// askedRange returns the range whose blocks are asked for with those of r: whole blocks, and those known already.
func askedRange(t ticket[knownState], key domain.SeriesKey, r domain.Range) domain.Range {
	layout := domain.BarBlocks(key.Grid)
	if from, to := layout.Span(r); from < to {
		r = layout.Range(from, to).Hull(r)
	}
	if t.known && len(t.value.Blocks) < maxLeasedBlocks {
		r = r.Hull(t.value.within)
	}

	return r
}

// askState asks the store, together with other series in use whose lease is over, and records the answers.
func (s *Store) askState(
	ctx context.Context, key domain.SeriesKey, r domain.Range, t ticket[knownState],
) (state *domain.SeriesState, err error) {
	if state, ok := s.localState(key, r); ok { // a question that ended meanwhile
		return state, nil
	}

	ctx, cancel := s.boundRead(ctx)
	defer cancel()
	defer s.recoverPanic("read states", key.String(), &err)

	keys, tickets := s.states.others(key, askedTogether)
	keys, tickets = append(keys, key), append(tickets, t)
	ranges := make([]domain.Range, len(keys))
	for i, ticket := range tickets {
		ranges[i] = ticket.value.within
	}
	ranges[len(keys)-1] = r
	states, err := s.askStates(ctx, keys, ranges, tickets)
	if err != nil {
		return nil, err
	}

	return states[len(keys)-1], nil
}

// askStates asks the store for the states of the series with the blocks of the ranges, and records the answers.
func (s *Store) askStates(
	ctx context.Context, keys []domain.SeriesKey, ranges []domain.Range, tickets []ticket[knownState],
) ([]*domain.SeriesState, error) {
	queries := make([]ports.SeriesQuery, len(keys))
	for i, key := range keys {
		queries[i] = ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: ranges[i]}}
		if tickets[i].known && tickets[i].value.covers(ranges[i]) {
			queries[i].State.Known = tickets[i].value.Version
		}
	}

	s.stats.stateReads.Add(1)
	states, err := s.source.ReadStates(ctx, queries)
	if err != nil {
		return nil, err
	}

	for i, state := range states {
		answer := knownState{state, ranges[i]}
		if state == nil { // still the known one
			answer = tickets[i].value
		}
		states[i] = answer.SeriesState
		s.record(keys[i], tickets[i], answer)
	}

	return states, nil
}

// record records the answer to a question.
func (s *Store) record(key domain.SeriesKey, t ticket[knownState], answer knownState) {
	if t.known && s.unversioned == nil && wentBack(t.value.Version, answer.Version) {
		s.stats.wentBack.Add(1)
		s.cfg.Logger.Warn("the store went back: it was restored, or lost its last writes",
			slog.String("store", string(s.cfg.Name)), slog.String("subject", key.String()),
			slog.String("from", t.value.Version.String()), slog.String("to", answer.Version.String()))
	}
	if len(answer.Blocks) > maxLeasedBlocks {
		s.states.drop(key)
		return
	}

	s.states.finish(t, answer)
	if t.known && t.value.Version != answer.Version {
		s.extents.drop(key.Symbol) // they are of another version
	}
}

// wentBack reports whether a version cannot follow the one before it.
func wentBack(before, after domain.Version) bool {
	return after.Revision < before.Revision || after.Revision == before.Revision && after.Nonce != before.Nonce
}

// SeriesState implements ports.CachedReader.
func (s *Store) SeriesState(
	ctx context.Context, q ports.BarQuery, maxStale time.Duration,
) (*domain.SeriesState, error) {
	r := newReading(s, q)
	return s.stateOrStale(ctx, q.Key, r.nearestRange(), maxStale)
}

// LocalState implements ports.CachedReader.
func (s *Store) LocalState(key domain.SeriesKey, maxStale time.Duration) (*domain.SeriesState, bool) {
	if state, ok := s.localState(key, domain.Range{}); ok {
		return state, true
	}

	return s.staleState(key, domain.Range{}, maxStale)
}

// staleState returns the last known state of the series with the blocks of r, unless it is older than maxStale.
func (s *Store) staleState(
	key domain.SeriesKey, r domain.Range, maxStale time.Duration,
) (*domain.SeriesState, bool) {
	known, age, _ := s.states.getWithAge(key)
	if !known.covers(r) || age > maxStale {
		return nil, false
	}

	stale := *known.SeriesState
	stale.StaleFor = age

	return &stale, true
}

// stateOrStale is state, or an older one while the store cannot be asked.
func (s *Store) stateOrStale(
	ctx context.Context, key domain.SeriesKey, r domain.Range, maxStale time.Duration,
) (*domain.SeriesState, error) {
	state, err := s.state(ctx, key, r)
	if err == nil || maxStale == 0 || ctx.Err() != nil || !access.IsOutage(err) {
		return state, err
	}
	if stale, ok := s.staleState(key, r, maxStale); ok {
		s.stats.stale.Add(1)
		return stale, nil
	}

	return nil, err
}

// callerState returns the state as callers get it. The blocks of a store without versions are left out, because their
// versions end with their time: two states of such a store are compared by their coverage.
func (s *Store) callerState(state *domain.SeriesState) *domain.SeriesState {
	if s.unversioned == nil || state == nil {
		return state
	}

	return &domain.SeriesState{Version: state.Version, Coverage: state.Coverage, StaleFor: state.StaleFor}
}

// endOlderBelief ends the belief in another version than one that a read saw, also in that of a question that is under
// way, so that no later read sees an older state.
func (s *Store) endOlderBelief(key domain.SeriesKey, version domain.Version) {
	if known, _ := s.states.get(key); known.SeriesState == nil || known.Version != version {
		s.drop(key)
	}
}

// Invalidate implements ports.CachedReader.
func (s *Store) Invalidate(key domain.SeriesKey) {
	s.recordChange(key, domain.AllYears())
}

// recordChange follows a change of the bars or of the coverage in r, of which the store was not asked.
func (s *Store) recordChange(key domain.SeriesKey, r domain.Range) {
	if s.unversioned != nil {
		s.unversioned.forget(key, r)
	}
	s.drop(key)
}

func (s *Store) drop(key domain.SeriesKey) {
	s.states.drop(key)
	s.extents.drop(key.Symbol)
}

// LocalExtents implements ports.CachedReader.
func (s *Store) LocalExtents(symbol domain.Symbol, maxStale time.Duration) ([]domain.Extent, bool) {
	extents, age, valid := s.extents.getWithAge(symbol)
	return extents, valid || age > 0 && age <= maxStale
}

// Extents implements ports.CoverageReader. Coverage of given symbols is believed for a lease; that of every symbol is
// read each time.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	if len(q.Symbols) == 0 || s.caches.Local == nil {
		return s.next.Extents(ctx, q)
	}

	return ports.OnePage(func() ([]domain.Extent, error) { return s.believedExtents(ctx, q) })
}

// believedExtents returns the coverage of given symbols.
func (s *Store) believedExtents(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	isExcluded := func(symbol domain.Symbol) bool { return symbol <= q.After }
	symbols := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(q.Symbols))), isExcluded)
	var all []domain.Extent
	var missing []domain.Symbol
	for _, symbol := range symbols {
		if extents, ok := s.LocalExtents(symbol, 0); ok {
			all = append(all, extents...)
		} else {
			missing = append(missing, symbol)
		}
	}
	if len(missing) == 0 {
		return all, nil
	}

	asked, err := s.askExtents(ctx, missing)
	if err != nil {
		return nil, err
	}

	all = append(all, asked...)
	if len(missing) < len(symbols) {
		slices.SortStableFunc(all, func(a, b domain.Extent) int { return a.Key.Compare(b.Key) })
	}

	return all, nil
}

// askExtents reads the coverage of the symbols, which ascend, and records that of each.
func (s *Store) askExtents(ctx context.Context, symbols []domain.Symbol) ([]domain.Extent, error) {
	tickets := make([]ticket[[]domain.Extent], len(symbols))
	for i, symbol := range symbols {
		tickets[i] = s.extents.begin(symbol)
	}

	extents, err := ports.Collect(s.next.Extents(ctx, ports.ExtentQuery{Symbols: symbols}))
	if err != nil {
		return nil, err
	}

	rest := extents
	for i, symbol := range symbols {
		n := 0
		for n < len(rest) && rest[n].Key.Symbol == symbol {
			n++
		}
		s.extents.finish(tickets[i], slices.Clone(rest[:n]))
		rest = rest[n:]
	}

	return extents, nil
}
