package influx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBars writes the bars that are not there already, batch by batch: when it fails half-way, the batches before are written, and
// the same call again completes it. The claim is checked and not kept; see ports.CoverageWriter.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.writeBars(ctx, bars, claim)
	s.logSlow(ctx, "write bars", bars.Key(), time.Since(began), bars.Len())
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

// ReplaceBars deletes what is between the first and the last bar that must go, then writes what is not there. It is not done at
// once: a reader may see the range half replaced, and after a failure the same call again completes it.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.replaceBars(ctx, bars, r)
	s.logSlow(ctx, "replace bars", bars.Key(), time.Since(began), bars.Len())
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
		d.erase = nanos(r)
		d.report.Deleted, err = s.count(ctx, bars.Key(), d.erase)
		return d, err
	})
}

// writeTries is how often a write is done at most.
const writeTries = 3

// settle does what the difference says until there is none, so that a write that returns is one that reads show. InfluxDB 1.8 does
// not promise that: its monitor empties the cache of a shard that it found idle, and what was acknowledged in between is in the
// server's log, and in no answer until the server starts again.
func (s *Store) settle(ctx context.Context, bars domain.Series, find func() (difference, error)) (ports.WriteReport, error) {
	var report ports.WriteReport
	for try := range writeTries + 1 {
		d, err := find()
		if err != nil {
			return ports.WriteReport{}, err
		}
		if try == 0 {
			report = d.report
		}
		if len(d.write) == 0 && d.erase == (span{}) {
			return report, nil
		}
		if try == writeTries {
			break
		}
		if d.erase != (span{}) {
			if err := s.delete(ctx, bars.Key(), d.erase); err != nil {
				return ports.WriteReport{}, err
			}
		}
		if err := s.writeLines(ctx, bars, d.write); err != nil {
			return ports.WriteReport{}, err
		}
	}
	return ports.WriteReport{}, fmt.Errorf("written %d times, and reads still do not show it: %w", writeTries, ports.ErrUnavailable)
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
	if bars.Within(r).Len() < bars.Len() {
		return r, fmt.Errorf("%s: %s does not cover the bars: %w", bars, r, domain.ErrInvalid)
	}
	if bars.Within(representable).Len() < bars.Len() {
		return r, fmt.Errorf("%s: InfluxDB holds times of %s only: %w", bars, representable, domain.ErrInvalid)
	}
	return r.Intersect(representable), ctx.Err()
}

// difference is what must be done to make bars of those that are there.
type difference struct {
	report ports.WriteReport
	write  []int // indices of the bars to be written
	gone   []int // indices of the bars there that have no counterpart
	erase  span  // to be deleted before the writing; the zero span is nothing
}

// compare goes through both in step.
func compare(there, bars domain.Series) difference {
	var d difference
	old := 0
	for i, bar := range bars.All() {
		for ; old < there.Len() && there.OpenTime(old).Before(bar.OpenTime); old++ {
			d.gone = append(d.gone, old)
		}
		switch {
		case old == there.Len() || there.OpenTime(old).After(bar.OpenTime):
			d.report.Inserted++
		case there.At(old).Equal(bar):
			d.report.Unchanged++
			old++
			continue
		default:
			d.report.Changed++
			old++
		}
		d.write = append(d.write, i)
	}
	for ; old < there.Len(); old++ {
		d.gone = append(d.gone, old)
	}
	return d
}

// remove has the bars that have no counterpart deleted, from the first to the last, and the unchanged ones between written again.
func (d *difference) remove(there, bars domain.Series) {
	d.report.Deleted = len(d.gone)
	if len(d.gone) == 0 {
		return
	}
	first, last := there.OpenTime(d.gone[0]), there.OpenTime(d.gone[len(d.gone)-1])
	write := d.write
	d.write = nil
	for i := range bars.Len() {
		at := bars.OpenTime(i)
		planned := len(write) > 0 && write[0] == i
		if planned {
			write = write[1:]
		}
		if planned || at.After(first) && at.Before(last) {
			d.write = append(d.write, i)
		}
	}
	d.erase = span{start: first.UnixNano(), end: last.UnixNano() + 1}
}

// writeLines writes the bars at the indices, a batch a request.
func (s *Store) writeLines(ctx context.Context, bars domain.Series, indices []int) error {
	api := s.client.WriteAPIBlocking(s.org, s.bucket)
	var lines []byte
	for n := 0; n < len(indices); n += s.batchSize {
		lines = lines[:0]
		for _, i := range indices[n:min(n+s.batchSize, len(indices))] {
			lines = appendLine(lines, s.layout.measurement, bars.Key(), bars.At(i))
		}
		if err := api.WriteRecord(ctx, string(lines)); err != nil {
			return err
		}
	}
	return nil
}
