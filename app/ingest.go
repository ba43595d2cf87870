package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Ingester writes bars that Fetch would give back, and refuses the others before any input or output.
type Ingester struct {
	source Source
	clock  ports.Clock
	cfg    Config
}

var _ ports.Ingestor = (*Ingester)(nil)

// NewIngester returns an Ingester that writes to the store. It refuses a Config that Validate refuses.
func NewIngester(source Source, clock ports.Clock, cfg Config) (*Ingester, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Ingester{source: source, clock: clock, cfg: cfg.WithDefaults()}, nil
}

// Ingest writes the bars and claims that claim, which covers them, is complete: where it has no bar, nothing traded. A zero claim
// is the range from the first bar to the end of the last. Both ends of the claim are moved up to an edge of the grid. A
// batch is refused whole where a bar breaks a fatal quality rule, or where a bar or the claim ends later than the clock's now
// less the settle time. After an error of the store, ingesting the same batch again is safe.
func (i *Ingester) Ingest(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	by := caller{op: "ingest", source: i.source.Name, cfg: i.cfg}
	if err := key.Validate(); err != nil {
		return ports.WriteReport{}, refusal(by.op, "", err)
	}
	by.subject = key.String()
	if claim == (domain.Range{}) {
		claim = bars.Range()
	}
	claim, err := writable(key.Grid, claim)
	if err == nil {
		err = i.acceptable(bars, claim)
	}
	if err != nil {
		return ports.WriteReport{}, refusal(by.op, by.subject, err)
	}
	return i.write(ctx, by, func(ctx context.Context) (ports.WriteReport, error) {
		return i.source.Store.WriteBars(ctx, bars, claim)
	})
}

// Replace puts the bars in the place of everything their key has in r, and claims r; an empty Series of the key deletes the bars
// of r and the claim on it. Both ends of r are moved up to an edge of the grid. It refuses what Ingest refuses; a deletion may
// reach beyond now.
func (i *Ingester) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	by := caller{op: "replace", source: i.source.Name, cfg: i.cfg}
	if err := key.Validate(); err != nil {
		return ports.WriteReport{}, refusal(by.op, "", err)
	}
	by.subject = key.String()
	r, err := writable(key.Grid, r)
	if err == nil && bars.Len() > 0 {
		err = i.acceptable(bars, r)
	}
	if err != nil {
		return ports.WriteReport{}, refusal(by.op, by.subject, err)
	}
	return i.write(ctx, by, func(ctx context.Context) (ports.WriteReport, error) {
		return i.source.Store.ReplaceBars(ctx, bars, r)
	})
}

func (i *Ingester) write(ctx context.Context, by caller, f func(context.Context) (ports.WriteReport, error)) (ports.WriteReport, error) {
	ctx, cancel := by.bounded(ctx)
	defer cancel()
	return call(ctx, by, f)
}

// writable is r with its ends on the grid. It refuses a range that no bar can open in.
func writable(g domain.Grid, r domain.Range) (domain.Range, error) {
	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return domain.Range{}, err
	}
	aligned := g.Align(r)
	if aligned.Empty() {
		return domain.Range{}, fmt.Errorf("no bar of %s opens in %s; give bars, or a range with at least one edge of the grid: %w",
			g, r, ports.ErrInvalid)
	}
	return aligned, nil
}

// acceptable refuses bars that claim does not cover, that break a fatal rule, or that, like the claim, are not over yet.
func (i *Ingester) acceptable(bars domain.Series, claim domain.Range) error {
	if !claim.Covers(bars.Range()) {
		return fmt.Errorf("the bars span %s, which the claimed range %s does not cover; claim at least what is written: %w",
			bars.Range(), claim, ports.ErrInvalid)
	}
	now := i.clock.Now()
	if settled := now.Add(-i.cfg.Settle); claim.End.After(settled) {
		return fmt.Errorf("the range ends at %s, but only bars that ended by %s may be written (now %s, settle time %s); "+
			"write up to %s, and the rest when it is over: %w", stamp(claim.End), stamp(settled), stamp(now), i.cfg.Settle,
			stamp(bars.Key().Grid.Floor(settled)), ports.ErrInvalid)
	}
	verdict := domain.NewJudge(claim, now).Check(bars)
	if err := verdict.Err(bars.Key()); err != nil {
		return errors.Join(ports.ErrInvalid, fmt.Errorf("%d of %d bars break a fatal rule, the first: %w; nothing was written",
			len(verdict.Fatal), bars.Len(), err))
	}
	return nil
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
