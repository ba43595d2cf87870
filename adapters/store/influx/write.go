package influx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBatch writes the bars that differ from the stored ones, one series after the other. A write is not atomic: if it
// fails, some of its bars may have been written, and a retry of the same call completes it. It validates the coverage
// and does not store it. It writes nothing and returns ErrInvalid if the retention policy does not keep a bar.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", Name, writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			began := time.Now()
			r.Report, r.Err = s.writeBars(ctx, w)
			r.Err = s.finish(ctx, operation{"write bars", w.Bars.Key().String()}, began, w.Bars.Len(), r.Err)
		}
	}

	return results
}

// finish logs a slow operation on n bars, and returns its error.
func (s *Store) finish(ctx context.Context, op operation, began time.Time, n int, err error) error {
	s.logSlow(ctx, op, time.Since(began), n)
	return translate(op.name, op.subject, err)
}

// CheckBars implements ports.NontransactionalStore.
func (s *Store) CheckBars(ctx context.Context, bars domain.Series, r domain.Range) error {
	_, err := s.checkWritable(ctx, bars, r)
	if err == nil {
		err = s.checkRetention(ctx, bars)
	}

	return translate("write bars", bars.Key().String(), err)
}

// SetBars implements ports.NontransactionalStore.
func (s *Store) SetBars(
	ctx context.Context, bars domain.Series, r domain.Range, permit func(context.Context) error,
) error {
	began := time.Now()
	_, err := s.exchangeBars(ctx, bars, r, permit)
	return s.finish(ctx, operation{"write bars", bars.Key().String()}, began, bars.Len(), err)
}

// permitAll permits every request.
func permitAll(context.Context) error { return nil }

func (s *Store) writeBars(ctx context.Context, w ports.BarWrite) (ports.WriteReport, error) {
	bars := w.Bars
	if _, err := s.checkWritable(ctx, bars, w.Coverage); err != nil || bars.Len() == 0 {
		return ports.WriteReport{}, err
	}
	if err := s.checkRetention(ctx, bars); err != nil {
		return ports.WriteReport{}, err
	}

	return s.upsertVerified(ctx, bars, permitAll, func() (changes, error) {
		stored, err := s.readSeries(ctx, bars.Key(), bars.Range())
		if err != nil {
			return changes{}, err
		}

		return diff(stored, bars).resolve(w.OnConflict)
	})
}

// ReplaceBars deletes the stored bars of the range that bars does not contain, and writes the bars that differ. It is
// not atomic: a reader may see a part of the replacement, and after a failure a retry of the same call completes it. It
// changes nothing and returns ErrInvalid if the retention policy does not keep a bar.
func (s *Store) ReplaceBars(
	ctx context.Context, bars domain.Series, r domain.Range,
) (report ports.WriteReport, err error) {
	began := time.Now()
	if err = ports.ErrNothingToReplace; bars.Len() > 0 {
		report, err = s.exchangeBars(ctx, bars, r, permitAll)
	}

	return report, s.finish(ctx, operation{"replace bars", bars.Key().String()}, began, bars.Len(), err)
}

// DeleteBars deletes the stored bars of the range. It is not atomic.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.exchangeBars(ctx, domain.EmptySeries(key), r, permitAll)
	return report, s.finish(ctx, operation{"delete bars", key.String()}, began, 0, err)
}

func (s *Store) exchangeBars(
	ctx context.Context, bars domain.Series, r domain.Range, permit func(context.Context) error,
) (ports.WriteReport, error) {
	r, err := s.checkWritable(ctx, bars, r)
	if err != nil || r.Empty() {
		return ports.WriteReport{}, err
	}
	if err := s.checkRetention(ctx, bars); err != nil {
		return ports.WriteReport{}, err
	}

	return s.upsertVerified(ctx, bars, permit, func() (changes, error) {
		stored, err := s.readSeries(ctx, bars.Key(), r)
		if err == nil {
			return diff(stored, bars).withDeletions(stored, bars), nil
		}
		if !isCorrupt(err) {
			return changes{}, err
		}

		return s.rewriteRange(ctx, bars, r)
	})
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

// maxWriteAttempts limits how often upsertVerified writes.
const maxWriteAttempts = 3

// upsertVerified applies the changes that find returns until it returns none. So a successful write is one that reads
// show.
//
// A single write is not enough for two reasons. Another writer of the same bars may have set some of their fields in
// between. And the monitor of InfluxDB 1.8 empties the cache of an idle shard: a write that the server acknowledged in
// between is in its log, but in no result until it restarts.
func (s *Store) upsertVerified(
	ctx context.Context, bars domain.Series, permit func(context.Context) error, find func() (changes, error),
) (ports.WriteReport, error) {
	c, err := find()
	if err != nil {
		return ports.WriteReport{}, err
	}

	report := c.report
	for range maxWriteAttempts {
		if c.isEmpty() {
			return report, nil
		}
		if err := s.apply(ctx, bars, c, permit); err != nil {
			return ports.WriteReport{}, err
		}

		next, err := find()
		switch {
		case err == nil:
			c = next
		case !isCorrupt(err): // a corrupt bar has fields of another writer, so the same changes are applied again
			return ports.WriteReport{}, err
		}
	}
	if c.isEmpty() {
		return report, nil
	}

	return ports.WriteReport{}, fmt.Errorf("verify write: reads do not show it after %d attempts; retry: %w",
		maxWriteAttempts, ports.ErrUnavailable)
}

// apply applies the changes in an order in which no reader sees a bar that was never written: see the package comment.
// It calls permit before each request.
func (s *Store) apply(ctx context.Context, bars domain.Series, c changes, permit func(context.Context) error) error {
	w := lineWriter{store: s, key: bars.Key(), permit: permit}
	if err := w.write(ctx, slices.Values(c.overwritten), checksumOnly); err != nil {
		return err
	}
	if err := w.write(ctx, barsAt(bars, c.overwrite), allFields); err != nil {
		return err
	}
	if c.erase != (span{}) {
		if err := w.deleteSpan(ctx, c.erase); err != nil {
			return err
		}
	}
	if err := w.write(ctx, barsAt(bars, c.restore), allFields); err != nil {
		return err
	}

	return w.write(ctx, barsAt(bars, c.insert), valueFields)
}

// barsAt yields the bars with the indices.
func barsAt(bars domain.Series, indices []int) iter.Seq[domain.Bar] {
	return func(yield func(domain.Bar) bool) {
		for _, i := range indices {
			if !yield(bars.At(i)) {
				return
			}
		}
	}
}

// isCorrupt reports whether the error says that stored rows are no bars.
func isCorrupt(err error) bool {
	var rule *domain.RuleError
	return errors.As(err, &rule)
}

const (
	maxDeleteAttempts = 7
	deletePause       = 10 * time.Millisecond // doubled after each attempt
)

// deleteSpan deletes the bars of the span. It retries "engine is closed", because InfluxDB 1.8 fails every DELETE with
// it while another database of the server is dropped or one of its shards expires.
func (w *lineWriter) deleteSpan(ctx context.Context, r span) error {
	for attempt := 1; ; attempt++ {
		err := w.permit(ctx)
		if err == nil {
			err = w.store.execute(ctx, w.store.layout.deleteBars(seriesConditions(w.key), r))
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

// checkWritable returns an error if the bars or the range cannot be written, before any request. It returns the part of
// r that InfluxDB can store.
func (s *Store) checkWritable(ctx context.Context, bars domain.Series, r domain.Range) (domain.Range, error) {
	if s.layout.existing != nil {
		return r, fmt.Errorf("measurement %s: it is configured as an existing layout, which is read-only: %w",
			s.layout.measurement, ports.ErrPermission)
	}
	if err := bars.Key().Validate(); err != nil {
		return r, err
	}

	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return r, err
	}
	if bars.Clip(r).Len() < bars.Len() {
		return r, fmt.Errorf("%s: the range %s does not cover the bars: %w", bars, r, domain.ErrInvalid)
	}
	if bars.Clip(storable).Len() < bars.Len() {
		return r, fmt.Errorf("%s: InfluxDB stores times of %s only: %w", bars, storable, domain.ErrInvalid)
	}

	return r.Intersect(storable), ctx.Err()
}

// changes are the writes and deletions that turn stored bars into other bars. Indices refer to the other bars.
type changes struct {
	report      ports.WriteReport
	overwritten []domain.Bar // the stored bars that are overwritten
	overwrite   []int        // the bars that overwrite them, in the same order
	insert      []int        // the bars at times without a stored bar
	erase       span         // deleted after the overwrites; the zero span deletes nothing
	restore     []int        // the bars in erase, written again after the deletion

	surplus []int // indices of the stored bars without a counterpart
}

// isEmpty reports whether nothing has to be written or deleted.
func (c changes) isEmpty() bool {
	return len(c.overwrite)+len(c.insert)+len(c.restore) == 0 && c.erase == (span{})
}

// diff returns the changes that make every bar of bars a stored one. It deletes nothing.
func diff(stored, bars domain.Series) changes {
	var c changes
	at := 0 // index of the next stored bar
	for i, bar := range bars.All() {
		for ; at < stored.Len() && stored.OpenTime(at).Before(bar.OpenTime); at++ {
			c.surplus = append(c.surplus, at)
		}
		if at == stored.Len() || stored.OpenTime(at).After(bar.OpenTime) {
			c.insert = append(c.insert, i)
			continue
		}

		if old := stored.At(at); old.Equal(bar) {
			c.report.Unchanged++
		} else {
			c.overwritten, c.overwrite = append(c.overwritten, old), append(c.overwrite, i)
		}
		at++
	}

	for ; at < stored.Len(); at++ {
		c.surplus = append(c.surplus, at)
	}
	c.report.Inserted, c.report.Changed = len(c.insert), len(c.overwrite)

	return c
}

// resolve returns the changes under a conflict policy.
func (c changes) resolve(onConflict ports.ConflictPolicy) (changes, error) {
	n := len(c.overwrite)
	switch {
	case n == 0 || onConflict == ports.ReplaceOnConflict:
		return c, nil
	case onConflict == ports.FailOnConflict:
		return changes{}, &ports.ConflictError{Rows: n, First: c.overwritten[0].OpenTime}
	}

	c.overwrite, c.overwritten = nil, nil
	c.report.Changed, c.report.Kept = 0, n

	return c, nil
}

// withDeletions returns the changes with the deletion of the surplus bars: one span from the first to the last of them,
// and the bars between them written again.
func (c changes) withDeletions(stored, bars domain.Series) changes {
	c.report.Deleted = len(c.surplus)
	if len(c.surplus) == 0 {
		return c
	}

	first, last := stored.OpenTime(c.surplus[0]), stored.OpenTime(c.surplus[len(c.surplus)-1])
	isErased := func(i int) bool { return bars.OpenTime(i).After(first) && bars.OpenTime(i).Before(last) }
	c.insert = slices.DeleteFunc(c.insert, isErased)
	for i := range bars.Len() {
		if isErased(i) {
			c.restore = append(c.restore, i)
		}
	}
	c.erase = span{start: first.UnixNano(), end: last.UnixNano() + 1}

	return c
}

// lineWriter changes the bars of one series, in requests that must each be permitted.
type lineWriter struct {
	store  *Store
	key    domain.SeriesKey
	permit func(context.Context) error
}

// write writes one line for each bar, at most the configured batch size in one request.
func (w *lineWriter) write(ctx context.Context, bars iter.Seq[domain.Bar], fields lineFields) error {
	var lines []byte
	n := 0
	for bar := range bars {
		if n == w.store.batchSize {
			if err := w.send(ctx, lines); err != nil {
				return err
			}
			lines, n = lines[:0], 0
		}

		lines = appendLine(lines, w.store.layout.measurement, w.key, bar, fields)
		n++
	}
	if n == 0 {
		return nil
	}

	return w.send(ctx, lines)
}

func (w *lineWriter) send(ctx context.Context, lines []byte) error {
	if err := w.permit(ctx); err != nil {
		return err
	}

	return w.store.client.WriteAPIBlocking(w.store.org, w.store.bucket).WriteRecord(ctx, string(lines))
}
