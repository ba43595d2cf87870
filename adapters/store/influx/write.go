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

// WriteBars writes the bars that are not there already, batch by batch: when it fails half-way, the batches before are written, and
// the same call again completes it. The claim is checked and not kept; see ports.CoverageWriter.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.writeBars(ctx, bars, claim)
	s.logSlow(ctx, "write bars", bars.Key().String(), time.Since(began), bars.Len())
	return report, translate("write bars", bars.Key().String(), err)
}

func (s *Store) writeBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	if _, err := s.writable(ctx, bars, claim); err != nil || bars.Len() == 0 {
		return ports.WriteReport{}, err
	}
	return s.settle(ctx, bars, func() (difference, error) {
		there, err := s.collect(ctx, bars.Key(), bars.Range())
		return compare(there, bars), err
	})
}

// ReplaceBars deletes what is between the first and the last bar that must go, and writes what is not there. It is not done at
// once: a reader may see the range half replaced, and after a failure the same call again completes it.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.replaceBars(ctx, bars, r)
	s.logSlow(ctx, "replace bars", bars.Key().String(), time.Since(began), bars.Len())
	return report, translate("replace bars", bars.Key().String(), err)
}

func (s *Store) replaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	r, err := s.writable(ctx, bars, r)
	if err != nil || r.Empty() {
		return ports.WriteReport{}, err
	}

	return s.settle(ctx, bars, func() (difference, error) {
		there, err := s.collect(ctx, bars.Key(), r)
		if err == nil {
			d := compare(there, bars)
			d.remove(there, bars)
			return d, nil
		}
		if !isCorrupt(err) {
			return difference{}, err
		}

		d := compare(domain.EmptySeries(bars.Key()), bars) // what no Series can hold goes whole, which is the way to mend it
		d.insert, d.restore, d.erase = nil, d.insert, nanos(r)
		d.report.Deleted, err = s.count(ctx, bars.Key(), d.erase)
		return d, err
	})
}

// writeTries is how often a write is done at most.
const writeTries = 3

// settle does what the difference says until there is none, so that a write that returns is one that reads show. Two things are in
// the way of that. Another writer of the same bars may have set some of their fields meanwhile. And the monitor of InfluxDB 1.8
// empties the cache of a shard that it found idle: what was acknowledged in between is in the server's log, and in no answer until
// the server starts again.
func (s *Store) settle(ctx context.Context, bars domain.Series, find func() (difference, error)) (ports.WriteReport, error) {
	d, err := find()
	if err != nil {
		return ports.WriteReport{}, err
	}

	report := d.report
	for range writeTries {
		if d.none() {
			return report, nil
		}
		if err := s.do(ctx, bars, d); err != nil {
			return ports.WriteReport{}, err
		}

		next, err := find()
		switch {
		case err == nil:
			d = next
		case !isCorrupt(err): // else it is half ours and half another's: written once more
			return ports.WriteReport{}, err
		}
	}
	if d.none() {
		return report, nil
	}

	return ports.WriteReport{}, fmt.Errorf("written %d times, and reads still do not show it: %w", writeTries, ports.ErrUnavailable)
}

// do makes the bars there what they should be, in an order in which no reader sees a bar that was never written: see the package
// comment.
func (s *Store) do(ctx context.Context, bars domain.Series, d difference) error {
	key := bars.Key()
	picked := func(indices []int) iter.Seq[domain.Bar] {
		return func(yield func(domain.Bar) bool) {
			for _, i := range indices {
				if !yield(bars.At(i)) {
					return
				}
			}
		}
	}
	if err := s.writeLines(ctx, key, slices.Values(d.old), markLine); err != nil {
		return err
	}
	if err := s.writeLines(ctx, key, picked(d.change), wholeLine); err != nil {
		return err
	}

	if d.erase != (span{}) {
		if err := s.delete(ctx, key, d.erase); err != nil {
			return err
		}
	}
	if err := s.writeLines(ctx, key, picked(d.restore), wholeLine); err != nil {
		return err
	}

	return s.writeLines(ctx, key, picked(d.insert), plainLine)
}

func isCorrupt(err error) bool {
	var rule *domain.RuleError
	return errors.As(err, &rule)
}

const (
	deleteTries = 7
	deletePause = 10 * time.Millisecond // doubled from try to try
)

// delete deletes the bars of the range. InfluxDB 1.8 fails every DELETE with "engine is closed" while another database of the
// server is being dropped, or a shard of it expires: that, which has nothing to do with the request, is waited for a little.
func (s *Store) delete(ctx context.Context, key domain.SeriesKey, r span) error {
	for try := 1; ; try++ {
		err := s.rowsOf(ctx, s.layout.deleteBars(own(key), r), func(table, []any) error { return nil })
		var server *ServerError
		if try == deleteTries || !errors.As(err, &server) || server.Message != "engine is closed" {
			return err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(deletePause << try):
		}
	}
}

// count is how many rows of the range have a bar's first field.
func (s *Store) count(ctx context.Context, key domain.SeriesKey, r span) (int, error) {
	total := 0
	err := s.rowsOf(ctx, s.layout.countBars(own(key), r), func(_ table, values []any) error {
		if n, ok := values[len(values)-1].(int64); ok {
			total += int(n)
		}
		return nil
	})

	return total, err
}

// writable refuses, before any input or output, whatever can be foreseen; it returns the part of r that can hold bars.
func (s *Store) writable(ctx context.Context, bars domain.Series, r domain.Range) (domain.Range, error) {
	if s.layout.existing != nil {
		return r, fmt.Errorf("measurement %s is configured as an existing layout, which is only read: %w",
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
		return r, fmt.Errorf("%s: %s does not cover the bars: %w", bars, r, domain.ErrInvalid)
	}
	if bars.Clip(representable).Len() < bars.Len() {
		return r, fmt.Errorf("%s: InfluxDB holds times of %s only: %w", bars, representable, domain.ErrInvalid)
	}

	return r.Intersect(representable), ctx.Err()
}

// difference is what must be done to make bars of those that are there.
type difference struct {
	report  ports.WriteReport
	old     []domain.Bar // the bars there that change
	change  []int        // indices of the bars that they change to
	insert  []int        // indices of the bars that are not there
	gone    []int        // indices of the bars there that have no counterpart
	erase   span         // to be deleted; the zero span is nothing
	restore []int        // indices of the bars in it
}

// none reports whether nothing must be done.
func (d *difference) none() bool {
	return len(d.change)+len(d.insert)+len(d.restore) == 0 && d.erase == (span{})
}

// compare goes through both in step.
func compare(there, bars domain.Series) difference {
	var d difference
	old := 0
	for i, bar := range bars.All() {
		for ; old < there.Len() && there.OpenTime(old).Before(bar.OpenTime); old++ {
			d.gone = append(d.gone, old)
		}
		if old == there.Len() || there.OpenTime(old).After(bar.OpenTime) {
			d.insert = append(d.insert, i)
			continue
		}

		if before := there.At(old); before.Equal(bar) {
			d.report.Unchanged++
		} else {
			d.old, d.change = append(d.old, before), append(d.change, i)
		}

		old++
	}

	for ; old < there.Len(); old++ {
		d.gone = append(d.gone, old)
	}
	d.report.Inserted, d.report.Changed = len(d.insert), len(d.change)
	return d
}

// remove has the bars that have no counterpart deleted, from the first to the last, and the bars between written after that.
func (d *difference) remove(there, bars domain.Series) {
	d.report.Deleted = len(d.gone)
	if len(d.gone) == 0 {
		return
	}

	first, last := there.OpenTime(d.gone[0]), there.OpenTime(d.gone[len(d.gone)-1])
	between := func(i int) bool { return bars.OpenTime(i).After(first) && bars.OpenTime(i).Before(last) }
	d.insert = slices.DeleteFunc(d.insert, between)
	for i := range bars.Len() {
		if between(i) {
			d.restore = append(d.restore, i)
		}
	}

	d.erase = span{start: first.UnixNano(), end: last.UnixNano() + 1}
}

// writeLines writes a line for each of the bars, a batch a request.
func (s *Store) writeLines(ctx context.Context, key domain.SeriesKey, bars iter.Seq[domain.Bar], form lineForm) error {
	api := s.client.WriteAPIBlocking(s.org, s.bucket)
	var lines []byte
	n := 0
	for bar := range bars {
		if n == s.batchSize {
			if err := api.WriteRecord(ctx, string(lines)); err != nil {
				return err
			}
			lines, n = lines[:0], 0
		}

		lines = appendLine(lines, s.layout.measurement, key, bar, form)
		n++
	}
	if n == 0 {
		return nil
	}

	return api.WriteRecord(ctx, string(lines))
}
