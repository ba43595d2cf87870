package seriescache

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sort"
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

// question is a question for the state of a series, with the blocks of a range.
type question struct {
	ticket ticket[domain.SeriesKey, knownState]
	within domain.Range
}

// newQuestion returns the question for the blocks of r: for whole blocks, and for those that are known already.
func (s *Store) newQuestion(key domain.SeriesKey, r domain.Range) question {
	t, layout := s.states.begin(key), domain.BarBlocks(key.Grid)
	if from, to := layout.Span(r); from < to {
		r = layout.Range(from, to).Hull(r)
	}
	if t.known && len(t.value.Blocks) < maxLeasedBlocks {
		r = r.Hull(t.value.within)
	}

	return question{t, r}
}

// questionKey identifies a question that several callers may share.
type questionKey struct {
	series domain.SeriesKey
	within domain.Range
	epoch  uint64 // a caller after a write must not share a question from before
}

// toldState is the answer to a question, with the time when the question was sent.
type toldState struct {
	*domain.SeriesState
	sent time.Time
}

// localState returns the state of the series with the blocks of r, where it is believed, or not older than maxStale.
func (s *Store) localState(
	key domain.SeriesKey, r domain.Range, maxStale time.Duration,
) (*domain.SeriesState, bool) {
	known, age, valid := s.states.get(key)
	switch {
	case !known.covers(r) || !valid && age > maxStale:
		return nil, false
	case valid:
		return known.SeriesState, true
	}

	stale := *known.SeriesState
	stale.StaleFor = age

	return &stale, true
}

// state returns the state of the series with the blocks of r: a believed one, else the store's.
func (s *Store) state(ctx context.Context, key domain.SeriesKey, r domain.Range) (*domain.SeriesState, error) {
	if state, ok := s.localState(key, r, 0); ok {
		return state, nil
	}

	began := time.Now()
	for {
		q := s.newQuestion(key, r)
		shared := questionKey{key, q.within, q.ticket.epoch}
		told, isShared, err := s.questions.Do(ctx, shared, func(ctx context.Context) (toldState, error) {
			state, err := s.askTogether(ctx, q)
			return toldState{state, q.ticket.sent}, err
		})
		if isShared {
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

// askTogether asks the store a question, together with those for other series in use whose lease is over.
func (s *Store) askTogether(ctx context.Context, q question) (state *domain.SeriesState, err error) {
	if state, ok := s.localState(q.ticket.key, q.within, 0); ok { // a question that ended meanwhile
		return state, nil
	}

	ctx, cancel := s.boundRead(ctx)
	defer cancel()
	defer s.recoverPanic("read states", q.ticket.key.String(), &err)

	questions := []question{q}
	for _, t := range s.states.others(q.ticket.key, askedTogether) {
		questions = append(questions, question{t, t.value.within})
	}
	states, err := s.ask(ctx, questions)
	if err != nil {
		return nil, err
	}

	return states[0], nil
}

// ask asks the store the questions, and records the answers.
func (s *Store) ask(ctx context.Context, questions []question) ([]*domain.SeriesState, error) {
	queries := make([]ports.SeriesQuery, len(questions))
	for i, q := range questions {
		queries[i] = ports.SeriesQuery{Key: q.ticket.key, State: ports.StateQuery{Range: q.within}}
		if q.ticket.known && q.ticket.value.covers(q.within) {
			queries[i].State.Known = q.ticket.value.Version
		}
	}

	s.stats.stateReads.Add(1)
	states, err := s.source.ReadStates(ctx, queries)
	if err != nil {
		return nil, err
	}

	for i, q := range questions {
		answer := knownState{states[i], q.within}
		if states[i] == nil { // still the known one
			answer = q.ticket.value
			states[i] = answer.SeriesState
		}
		s.record(q, answer)
	}

	return states, nil
}

// record records the answer to a question.
func (s *Store) record(q question, answer knownState) {
	if q.ticket.known && s.unversioned == nil && wentBack(q.ticket.value.Version, answer.Version) {
		s.stats.wentBack.Add(1)
		s.cfg.Logger.Warn("the store went back: it was restored, or lost its last writes",
			slog.String("store", string(s.cfg.Name)), slog.String("subject", q.ticket.key.String()),
			slog.String("from", q.ticket.value.Version.String()), slog.String("to", answer.Version.String()))
	}
	if len(answer.Blocks) > maxLeasedBlocks {
		s.states.drop(q.ticket.key)
		return
	}

	s.states.finish(q.ticket, answer)
	if q.ticket.known && q.ticket.value.Version != answer.Version {
		s.extents.drop(q.ticket.key.Symbol) // they are of another version
	}
}

// wentBack reports whether a version cannot follow the one before it.
func wentBack(before, after domain.Version) bool {
	return after.Revision < before.Revision || after.Revision == before.Revision && after.Nonce != before.Nonce
}

// SeriesState implements blockcache.Reader.
func (s *Store) SeriesState(
	ctx context.Context, q ports.BarQuery, maxStale time.Duration,
) (*domain.SeriesState, error) {
	r := newReading(s, q)
	return s.stateOrStale(ctx, q.Key, r.nearestRange(), maxStale)
}

// LocalState implements blockcache.Reader.
func (s *Store) LocalState(key domain.SeriesKey, maxStale time.Duration) (*domain.SeriesState, bool) {
	return s.localState(key, domain.Range{}, maxStale)
}

// stateOrStale is state, or an older one while the store cannot be asked.
func (s *Store) stateOrStale(
	ctx context.Context, key domain.SeriesKey, r domain.Range, maxStale time.Duration,
) (*domain.SeriesState, error) {
	state, err := s.state(ctx, key, r)
	if err == nil || maxStale == 0 || ctx.Err() != nil || !access.IsOutage(err) {
		return state, err
	}
	if stale, ok := s.localState(key, r, maxStale); ok {
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
	if known, _, _ := s.states.get(key); known.SeriesState == nil || known.Version != version {
		s.drop(key)
	}
}

// Invalidate implements blockcache.Reader.
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

// LocalExtents implements blockcache.Reader.
func (s *Store) LocalExtents(symbol domain.Symbol, maxStale time.Duration) ([]domain.Extent, bool) {
	extents, age, valid := s.extents.get(symbol)
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

// ListsOnePage implements ports.OnePageLister.
func (s *Store) ListsOnePage() bool { return ports.ListsOnePage(s.next) }

// believedExtents returns the coverage of given symbols: the believed one of all, else the store's.
func (s *Store) believedExtents(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	isExcluded := func(symbol domain.Symbol) bool { return symbol <= q.After }
	symbols := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(q.Symbols))), isExcluded)
	var all []domain.Extent
	for _, symbol := range symbols {
		extents, ok := s.LocalExtents(symbol, 0)
		if !ok {
			return s.askExtents(ctx, symbols)
		}

		all = append(all, extents...)
	}

	return all, nil
}

// askExtents reads the coverage of the symbols, and records that of each.
func (s *Store) askExtents(ctx context.Context, symbols []domain.Symbol) ([]domain.Extent, error) {
	tickets := make([]ticket[domain.Symbol, []domain.Extent], len(symbols))
	for i, symbol := range symbols {
		tickets[i] = s.extents.begin(symbol)
	}

	extents, err := ports.Collect(s.next.Extents(ctx, ports.ExtentQuery{Symbols: symbols}))
	if err != nil {
		return nil, err
	}

	for _, t := range tickets {
		ofSymbol := extentsWhere(extents, func(k domain.SeriesKey) int { return cmp.Compare(k.Symbol, t.key) })
		s.extents.finish(t, slices.Clone(ofSymbol))
	}

	return extents, nil
}

// extentsWhere returns the extents for whose keys compare returns 0, of extents that ascend by it.
func extentsWhere(extents []domain.Extent, compare func(domain.SeriesKey) int) []domain.Extent {
	from := sort.Search(len(extents), func(i int) bool { return compare(extents[i].Key) >= 0 })
	to := sort.Search(len(extents), func(i int) bool { return compare(extents[i].Key) > 0 })

	return extents[from:to]
}
