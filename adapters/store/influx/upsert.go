package influx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// upsert is a write to a range of one series.
type upsert struct {
	bars       domain.Series
	r          domain.Range         // is read and compared with the bars
	replaces   bool                 // the range has no other bars afterwards
	onConflict ports.ConflictPolicy // unless it replaces

	changes changes // to be applied next
	report  ports.WriteReport
}

// newUpsert returns the upsert of bars in a range, or an error if they cannot be written.
func (s *Store) newUpsert(ctx context.Context, bars domain.Series, r domain.Range) (*upsert, error) {
	upserts, errs := s.newUpserts(ctx, []ledger.BarSet{{Bars: bars, Range: r}})
	return upserts[0], errs[0]
}

// newUpserts returns the upsert of each set, and an error for each set that cannot be written. It sends at most one
// request, for the retention policy, and only where a bar is old.
func (s *Store) newUpserts(ctx context.Context, sets []ledger.BarSet) ([]*upsert, []error) {
	upserts, errs := make([]*upsert, len(sets)), make([]error, len(sets))
	policy := sync.OnceValues(func() (retentionPolicy, error) { return s.readRetentionPolicy(ctx) })
	for i, set := range sets {
		r, err := s.checkWritable(ctx, set.Bars, set.Range)
		if err == nil {
			err = checkRetention(set.Bars, policy)
		}
		upserts[i], errs[i] = &upsert{bars: set.Bars, r: r}, err
	}

	return upserts, errs
}

// upsertOne writes one series.
func (s *Store) upsertOne(ctx context.Context, u *upsert) (ports.WriteReport, error) {
	if err := s.upsertVerified(ctx, []*upsert{u}, permitAll); err != nil {
		return ports.WriteReport{}, err
	}

	return u.report, nil
}

// permitAll permits every request.
func permitAll(context.Context) error { return nil }

// maxWriteAttempts limits how often upsertVerified writes.
const maxWriteAttempts = 3

// upsertVerified compares the upserts with the stored bars, and applies the changes until there are none. So a
// successful write is one that reads show. An upsert that has changes already is not compared before the first write.
// The report of each is that of its first changes.
//
// A single write is not enough for two reasons. Another writer of the same bars may have set some of their fields in
// between. And the monitor of InfluxDB 1.8 empties the cache of an idle shard: a write that the server acknowledged in
// between is in its log, but in no result until it restarts.
func (s *Store) upsertVerified(ctx context.Context, upserts []*upsert, permit func(context.Context) error) error {
	if err := s.ensureChecked(ctx); err != nil {
		return err
	}

	pending := slices.DeleteFunc(slices.Clone(upserts), func(u *upsert) bool { return u.r.Empty() })
	unread := slices.DeleteFunc(slices.Clone(pending), func(u *upsert) bool { return !u.changes.isEmpty() })
	if err := s.findChanges(ctx, unread); err != nil {
		return err
	}

	for _, u := range pending {
		u.report = u.changes.report
	}
	for attempt := 0; ; attempt++ {
		pending = slices.DeleteFunc(pending, func(u *upsert) bool { return u.changes.isEmpty() })
		switch {
		case len(pending) == 0:
			return nil
		case attempt == maxWriteAttempts:
			return fmt.Errorf("verify write of %s: reads do not show it after %d attempts; retry: %w",
				pending[0].bars.Key(), maxWriteAttempts, ports.ErrUnavailable)
		}

		if err := s.apply(ctx, pending, permit); err != nil {
			return err
		}
		if err := s.findChanges(ctx, pending); err != nil {
			return err
		}
	}
}

// findChanges reads the ranges of the upserts and sets the changes that are left to do.
func (s *Store) findChanges(ctx context.Context, upserts []*upsert) error {
	stored, errs := s.readRanges(ctx, upserts)
	for i, u := range upserts {
		if err := s.findChange(ctx, u, stored[i], errs[i]); err != nil {
			return err
		}
	}

	return nil
}

func (s *Store) findChange(ctx context.Context, u *upsert, stored domain.Series, err error) error {
	switch {
	case err == nil && u.replaces:
		u.changes = diff(stored, u.bars).withDeletions(stored, u.bars)
	case err == nil:
		u.changes, err = diff(stored, u.bars).resolve(u.bars, u.onConflict)
	case isCorrupt(err) && u.replaces:
		u.changes, err = s.rewriteRange(ctx, u.bars, u.r)
	case isCorrupt(err) && !u.changes.isEmpty():
		err = nil // a bar has fields of another writer, so the same changes are applied again
	}

	return err
}

// rewriteRange returns the changes that delete the whole range and write all bars. They repair a range with corrupt
// rows.
func (s *Store) rewriteRange(ctx context.Context, bars domain.Series, r domain.Range) (changes, error) {
	c := diff(domain.EmptySeries(bars.Key()), bars)
	c.insert, c.restore, c.erase = nil, c.insert, nanoSpan(r)
	deleted, err := s.countRows(ctx, bars.Key(), c.erase)
	c.report.Deleted = deleted

	return c, err
}

// countRows returns how many rows of the span have the first field of a bar.
func (s *Store) countRows(ctx context.Context, key domain.SeriesKey, r span) (int, error) {
	total := 0
	q := s.layout.countBars(seriesConditions(key), r)
	err := s.queryRows(ctx, q, func(_ table, values []any) error {
		if n, ok := values[len(values)-1].(int64); ok {
			total += int(n)
		}
		return nil
	})

	return total, err
}

// isCorrupt reports whether the error says that stored rows are no bars.
func isCorrupt(err error) bool {
	var rule *domain.RuleError
	return errors.As(err, &rule)
}

// apply applies the changes of all upserts. It calls permit before each request.
func (s *Store) apply(ctx context.Context, upserts []*upsert, permit func(context.Context) error) error {
	w := lineWriter{store: s, permit: permit}
	for _, u := range upserts {
		if err := w.deleteSpan(ctx, u.bars.Key(), u.changes.erase); err != nil {
			return err
		}
	}

	return w.write(ctx, upserts)
}

// lineWriter changes bars, in requests that must each be permitted.
type lineWriter struct {
	store  *Store
	permit func(context.Context) error
	lines  []byte // of the next request
	count  int    // of the lines
}

// write writes one line for each bar to write, of all upserts in as few requests as the batch size allows.
func (w *lineWriter) write(ctx context.Context, upserts []*upsert) error {
	for _, u := range upserts {
		for _, i := range slices.Concat(u.changes.overwrite, u.changes.restore, u.changes.insert) {
			w.lines = appendLine(w.lines, w.store.layout.measurement, u.bars.Key(), u.bars.At(i))
			if w.count++; w.count < w.store.batchSize {
				continue
			}
			if err := w.send(ctx); err != nil {
				return err
			}
		}
	}

	return w.send(ctx)
}

// send writes the lines, if there are any.
func (w *lineWriter) send(ctx context.Context) error {
	if w.count == 0 {
		return nil
	}
	if err := w.permit(ctx); err != nil {
		return err
	}

	api := w.store.client.WriteAPIBlocking(w.store.org, w.store.bucket)
	err := api.WriteRecord(ctx, string(w.lines))
	w.lines, w.count = w.lines[:0], 0

	return err
}

const (
	maxDeleteAttempts = 7
	deletePause       = 10 * time.Millisecond // doubled after each attempt
)

// deleteSpan deletes the bars of the span; the zero span deletes nothing. It retries "engine is closed", because
// InfluxDB 1.8 fails every DELETE with it while another database of the server is dropped or one of its shards expires.
func (w *lineWriter) deleteSpan(ctx context.Context, key domain.SeriesKey, r span) error {
	if r == (span{}) {
		return nil
	}

	for attempt := 1; ; attempt++ {
		err := w.permit(ctx)
		if err == nil {
			err = w.store.execute(ctx, w.store.layout.deleteBars(seriesConditions(key), r))
		}
		var server *ServerError
		if attempt == maxDeleteAttempts || !errors.As(err, &server) || server.Message != "engine is closed" {
			return err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(deletePause << attempt):
		}
	}
}
