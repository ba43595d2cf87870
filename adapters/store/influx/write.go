package influx

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
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

// CheckBars implements ledger.NontransactionalStore.
func (s *Store) CheckBars(ctx context.Context, sets []ledger.BarSet) []error {
	_, errs := s.newUpserts(ctx, sets)
	for i, set := range sets {
		errs[i] = translate("write bars", set.Bars.Key().String(), errs[i])
	}

	return errs
}

// SetBars implements ledger.NontransactionalStore. A new range whose every slot gets a bar is not read before the
// write.
func (s *Store) SetBars(ctx context.Context, sets []ledger.BarSet, permit func(context.Context) error) error {
	if len(sets) == 0 {
		return nil
	}

	began, bars := time.Now(), 0
	upserts, errs := s.newUpserts(ctx, sets)
	for i, u := range upserts {
		bars += u.bars.Len()
		u.replaces = true
		if sets[i].IsNew && int64(u.bars.Len()) == u.bars.Key().Grid.Slots(u.r) {
			u.changes = diff(domain.EmptySeries(u.bars.Key()), u.bars)
		}
	}

	err := cmp.Or(errs...)
	if err == nil {
		err = s.upsertVerified(ctx, upserts, permit)
	}

	return s.finish(ctx, operation{"write bars", batchSubject(sets[0].Bars.Key(), len(sets))}, began, bars, err)
}

func (s *Store) writeBars(ctx context.Context, w ports.BarWrite) (ports.WriteReport, error) {
	u, err := s.newUpsert(ctx, w.Bars, w.Coverage)
	if err != nil {
		return ports.WriteReport{}, err
	}

	u.r, u.onConflict = w.Bars.Range(), w.OnConflict

	return s.upsertOne(ctx, u)
}

// ReplaceBars deletes the stored bars of the range that bars does not contain, and writes the bars that differ. It is
// not atomic: a reader may see a part of the replacement, and after a failure a retry of the same call completes it. It
// changes nothing and returns ErrInvalid if the retention policy does not keep a bar.
func (s *Store) ReplaceBars(
	ctx context.Context, bars domain.Series, r domain.Range,
) (report ports.WriteReport, err error) {
	began := time.Now()
	if err = ports.ErrNothingToReplace; bars.Len() > 0 {
		report, err = s.exchangeBars(ctx, bars, r)
	}

	return report, s.finish(ctx, operation{"replace bars", bars.Key().String()}, began, bars.Len(), err)
}

// DeleteBars deletes the stored bars of the range. It is not atomic.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	began := time.Now()
	report, err := s.exchangeBars(ctx, domain.EmptySeries(key), r)
	return report, s.finish(ctx, operation{"delete bars", key.String()}, began, 0, err)
}

func (s *Store) exchangeBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	u, err := s.newUpsert(ctx, bars, r)
	if err != nil {
		return ports.WriteReport{}, err
	}

	u.replaces = true

	return s.upsertOne(ctx, u)
}

// checkWritable returns an error if the bars or the range cannot be written, before any request. It returns the part of
// r that InfluxDB can store.
func (s *Store) checkWritable(ctx context.Context, bars domain.Series, r domain.Range) (domain.Range, error) {
	if s.layout.existing != nil {
		return r, fmt.Errorf("%w: the measurement %s is read-only, because it is configured as that of another program "+
			"(influx.existing); write to another store", ports.ErrPermission, s.layout.measurement)
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
