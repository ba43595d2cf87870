package ingest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// LedgeredStore is a store of bars without transactions, with a ledger beside it that makes its writes atomic and its
// reads verifiable. It is safe for concurrent use.
//
// A write first uncovers its range under an intent, then changes the bars, and then covers the range:
//
//	read the record and the touched blocks, verify ◄── the blocks changed, or another write is under way
//	        │ not as wanted                                     │
//	        ▼                                                   │
//	BeginIntents: the range is uncovered ───────────────────────┘
//	        ▼
//	SetBars, each request under live intents ──► failure: the range stays uncovered
//	        ▼
//	FinishIntents: the range is covered
//
// The same write again, or any write of the range, begins at the top, so that nothing has to be recovered.
//
// A read compares the number and the hash of the covered bars of each whole block with the record, whenever the bars
// were read. So rows that are missing in an answer, and requests that InfluxDB applies late, are errors and never bars.
//
// Reads and writes fail while the store cannot be asked whether it is the one that the ledger describes (see
// CheckIdentity), so that a store that is down when the program starts is used as soon as it responds.
//
// What a retention policy may have dropped is not covered for readers (see cut). A write of such a range uncovers it in
// the ledger first.
//
// A series that is not in the ledger is one that others write: its reads yield no state, its coverage is inferred. As
// soon as it is written here, a range that is not covered is uncovered.
type LedgeredStore struct {
	name   domain.StoreName // in errors
	bars   ledger.NontransactionalStore
	batch  ports.BatchReader // of bars; nil if it has none
	ledger ledger.Ledger
	owner  string        // of the intents, for people
	wait   time.Duration // for the write of another

	renewAfter time.Duration

	isVerified atomic.Bool // the ledger does not describe the bars of another store
	isBound    atomic.Bool // the ledger describes the bars of this store, and no other

	retention atomic.Pointer[retention] // nil before the store was asked
}

var (
	_ ports.Store       = (*LedgeredStore)(nil)
	_ ports.StateReader = (*LedgeredStore)(nil)
	_ ports.BatchReader = (*LedgeredStore)(nil)

	_ ports.BarUncoverer       = (*LedgeredStore)(nil)
	_ ports.UnfinishedReporter = (*LedgeredStore)(nil)
)

const (
	maxWait    = 5 * time.Second
	firstPause = 2 * time.Millisecond // doubled up to maxPause
	maxPause   = 100 * time.Millisecond

	// batchWait is how long a question for many series waits, because one busy series must not hold the others up.
	batchWait = 250 * time.Millisecond

	// maxAttempts bounds how often a read begins again because the series changed.
	maxAttempts = 3
)

// WithLedger returns the store of bars with the ledger beside it. name names the store in errors, and owner this
// process in those of others, whose writes wait for one of it.
func WithLedger(
	name domain.StoreName, owner string, bars ledger.NontransactionalStore, ledger ledger.Ledger,
) *LedgeredStore {
	s := &LedgeredStore{name: name, bars: bars, ledger: ledger, owner: cmp.Or(owner, "a process")}
	s.wait, s.renewAfter = maxWait, defaultRenewAfter
	s.batch, _ = bars.(ports.BatchReader)

	return s
}

// ReadStates implements ports.StateReader. A series that is not in the ledger has the zero state.
func (s *LedgeredStore) ReadStates(
	ctx context.Context, queries []ports.SeriesQuery,
) ([]*domain.SeriesState, error) {
	within := make([]domain.Range, len(queries))
	for i, q := range queries {
		within[i] = q.State.Range
	}
	records, err := s.records(ctx, queries, within, s.waitFor(len(queries)))
	if err != nil {
		return nil, err
	}

	states := make([]*domain.SeriesState, len(records))
	for i, record := range records {
		states[i] = record.State
	}

	return states, nil
}

// waitFor returns how long n series are waited for.
func (s *LedgeredStore) waitFor(n int) time.Duration {
	if n > 1 {
		return min(s.wait, batchWait)
	}
	return s.wait
}

// records returns the records of the queries. As long as a live intent has taken a part of within[i], of anything where
// within is nil, record i is read again, until the wait is over: then the range is uncovered.
func (s *LedgeredStore) records(
	ctx context.Context, queries []ports.SeriesQuery, within []domain.Range, wait time.Duration,
) ([]ledger.Record, error) {
	if err := s.ensureVerified(ctx); err != nil {
		return nil, err
	}

	records, err := s.readKept(ctx, queries)
	if err != nil {
		return nil, err
	}

	deadline := time.Now().Add(wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		var waiting []int
		var again []ports.SeriesQuery
		for i, record := range records {
			isTaken := func(r domain.Range) bool { return within == nil || !r.Intersect(within[i]).Empty() }
			if slices.ContainsFunc(record.Taken, isTaken) {
				waiting, again = append(waiting, i), append(again, queries[i])
			}
		}
		if len(waiting) == 0 || !time.Now().Before(deadline) {
			return records, nil
		}

		if err := s.pause(ctx, "read states", queries[waiting[0]].Key, pause); err != nil {
			return nil, err
		}
		changed, err := s.readKept(ctx, again)
		if err != nil {
			return nil, err
		}
		for n, i := range waiting {
			records[i] = changed[n]
		}
	}
}

// pause waits, and returns an error if ctx ends before.
func (s *LedgeredStore) pause(ctx context.Context, op string, key domain.SeriesKey, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return s.failure(ports.ContextKind(ctx.Err()), op, key, ctx.Err())
	}
}

func (s *LedgeredStore) failure(kind error, op string, key domain.SeriesKey, err error) error {
	return &ports.Error{Kind: kind, Op: op, Store: s.name, Subject: key.String(), Err: err}
}

// Extents implements ports.CoverageReader. The coverage of a series in the ledger is the ledger's, that of others is
// inferred. The inferred coverage is read first: a series that is written for the first time meanwhile is then in the
// ledger. What live intents took of given symbols is waited for.
func (s *LedgeredStore) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) { return s.readExtents(ctx, q) })
}

// ListsOnePage implements ports.OnePageLister.
func (s *LedgeredStore) ListsOnePage() bool { return true }

func (s *LedgeredStore) readExtents(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	if err := s.ensureVerified(ctx); err != nil {
		return nil, err
	}

	inferred, err := ports.Collect(s.bars.Extents(ctx, q))
	if err != nil {
		return nil, err
	}
	series, err := s.keptSeries(ctx, q.Symbols...)
	series = slices.DeleteFunc(series, func(l ledger.Series) bool { return l.Key.Symbol <= q.After })
	if err == nil && len(q.Symbols) > 0 {
		err = s.waitForCoverage(ctx, series)
	}
	if err != nil {
		return nil, err
	}

	var extents []domain.Extent
	ours := make(map[domain.SeriesKey]bool, len(series))
	for _, l := range series {
		ours[l.Key] = true
		for _, r := range l.Coverage {
			extents = append(extents, domain.Extent{Key: l.Key, Range: r})
		}
	}
	for _, e := range inferred {
		if !ours[e.Key] {
			extents = append(extents, e)
		}
	}

	return domain.MergeExtents(extents), nil
}

// waitForCoverage sets the coverage of the series to that without an intent that took a part of it, if the wait is long
// enough.
func (s *LedgeredStore) waitForCoverage(ctx context.Context, series []ledger.Series) error {
	queries := make([]ports.SeriesQuery, len(series))
	for i, l := range series {
		queries[i] = ports.SeriesQuery{Key: l.Key}
	}

	records, err := s.records(ctx, queries, nil, s.waitFor(len(queries)))
	for i, record := range records {
		series[i].Coverage = record.State.Coverage
	}

	return err
}

// inferredRanges returns the inferred coverage of each series that has bars. The series are not in the ledger.
func (s *LedgeredStore) inferredRanges(
	ctx context.Context, keys []domain.SeriesKey,
) (map[domain.SeriesKey]domain.Range, error) {
	if len(keys) == 0 {
		return nil, nil
	}

	ranges := make(map[domain.SeriesKey]domain.Range, len(keys))
	symbols := map[domain.Symbol]struct{}{}
	for _, key := range keys {
		ranges[key], symbols[key.Symbol] = domain.Range{}, struct{}{}
	}
	extents, err := ports.Collect(s.bars.Extents(ctx, ports.ExtentQuery{Symbols: slices.Collect(maps.Keys(symbols))}))
	for _, e := range extents {
		if r, isWanted := ranges[e.Key]; isWanted {
			ranges[e.Key] = r.Hull(e.Range)
		}
	}

	return ranges, err
}

// UnfinishedWrites implements ports.UnfinishedReporter.
func (s *LedgeredStore) UnfinishedWrites(ctx context.Context) ([]ports.UnfinishedWrite, error) {
	return s.ledger.UnfinishedWrites(ctx)
}

// record returns the record of one series with the blocks of r as it is stored. It does not wait.
func (s *LedgeredStore) record(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (ledger.Record, error) {
	query := ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: r}}
	records, err := s.ledger.ReadLedger(ctx, []ports.SeriesQuery{query})
	if err != nil {
		return ledger.Record{}, err
	}

	return records[0], nil
}

// corrupt returns the error for bars that are not those of their record although nobody writes them. Where a row is no
// bar, it is the error of the store, which names the row.
func (s *LedgeredStore) corrupt(op string, key domain.SeriesKey, mismatch error) error {
	var stored *ports.Error
	if errors.As(mismatch, &stored) {
		return stored
	}

	return s.failure(ports.ErrCorruptData, op, key, mismatch)
}

// errMismatch reports that the bars that were read are not those of the record.
var errMismatch = errors.New("the bars are not those that the ledger counts")
