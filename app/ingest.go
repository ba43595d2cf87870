package app

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Ingester writes what Fetch, FetchTrades and FetchQuotes would give back, and refuses the rest before any input or output.
type Ingester struct {
	stores  stores
	symbols *lookup
	clock   ports.Clock
	cfg     *Config // with defaults
}

var _ ports.Ingestor = (*Ingester)(nil)

// Ingest writes the bars and claims that claim, which covers them, is complete: where it has no bar, nothing traded. A zero claim
// is the range from the first bar to the end of the last. Both ends of the claim are moved up to an edge of the grid. A
// batch is refused whole where a bar breaks a fatal quality rule, or where a bar or the claim ends later than the clock's now
// less the settle time. After an error of the store, ingesting the same batch again is safe.
func (i *Ingester) Ingest(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	if claim == (domain.Range{}) {
		claim = bars.Range()
	}
	return i.writeBars(ctx, "ingest", bars, claim, true, ports.Store.WriteBars)
}

// Replace puts the bars in the place of everything their key has in r, and claims r; an empty Series of the key deletes the bars
// of r and the claim on it. Both ends of r are moved up to an edge of the grid. It refuses what Ingest refuses; a deletion may
// reach beyond now.
func (i *Ingester) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return i.writeBars(ctx, "replace", bars, r, bars.Len() > 0, ports.Store.ReplaceBars)
}

// writeBars checks what is to be written, unless it only deletes, and hands it to one method of the store.
func (i *Ingester) writeBars(
	ctx context.Context, op string, bars domain.Series, r domain.Range, check bool,
	write func(ports.Store, context.Context, domain.Series, domain.Range) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	key := bars.Key()
	by := &caller{op: op, subject: key, cfg: i.cfg}
	if err := key.Validate(); err != nil {
		return ports.WriteReport{}, refusal(op, "", err)
	}

	r, err := writable(key.Grid, r)
	if err == nil && check {
		err = i.acceptable(bars, r)
	}
	if err == nil {
		by.store, err = i.stores.ofBars(key.Grid)
	}
	if err != nil {
		return ports.WriteReport{}, refusal(op, key.String(), err)
	}

	return i.write(ctx, by, key.Symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return write(by.store.Bars, ctx, bars, r)
	})
}

// write makes the one call of the store, and forgets what was known of the symbol, whether it failed or not.
func (i *Ingester) write(
	ctx context.Context, by *caller, symbol domain.Symbol, f func(context.Context) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	by.bound(ctx, i.stores)
	defer i.symbols.forget(ctx, symbol)
	ask := func(ctx context.Context, _ *store, _ struct{}) (ports.WriteReport, error) { return f(ctx) }
	report, err := call(ctx, by, ask, struct{}{})
	by.store.rows.Add(int64(report.Inserted + report.Changed + report.Unchanged))

	return report, err
}

// writable is r with its ends on edges. It refuses a range in which nothing can begin.
func writable(e edges, r domain.Range) (domain.Range, error) {
	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return domain.Range{}, err
	}

	aligned := e.Align(r)
	if !aligned.Empty() {
		return aligned, nil
	}
	if g, bars := e.(domain.Grid); bars {
		return domain.Range{}, fmt.Errorf("no bar of %s opens in %s; give bars, or a range with at least one edge of the grid: %w",
			g, r, ports.ErrInvalid)
	}

	return domain.Range{}, fmt.Errorf("%s is empty; give something to write, or a range: %w", r, ports.ErrInvalid)
}

// acceptable refuses bars that claim does not cover, that break a fatal rule, or that, like the claim, are not over yet.
func (i *Ingester) acceptable(bars domain.Series, claim domain.Range) error {
	now := i.clock.Now()
	if err := i.settled(bars.Key().Grid, bars.Range(), claim, now); err != nil {
		return err
	}

	verdict := domain.NewValidator(claim, now).Check(bars)
	if err := verdict.Err(bars.Key()); err != nil {
		return fmt.Errorf("%w: %d of %d bars break a fatal rule, the first: %w; nothing was written",
			ports.ErrInvalid, len(verdict.Fatal), bars.Len(), err)
	}

	return nil
}

// settled refuses a claim that does not cover what is written, or that is not over yet at now less the settle time.
func (i *Ingester) settled(e edges, written, claim domain.Range, now time.Time) error {
	if !claim.Covers(written) {
		return fmt.Errorf("what is written spans %s, which the claimed range %s does not cover; claim at least what is written: %w",
			written, claim, ports.ErrInvalid)
	}
	if settled := now.Add(-i.cfg.Settle); claim.End.After(settled) {
		return fmt.Errorf("the range ends at %s, but only what ended by %s may be written (now %s, settle time %s); "+
			"write up to %s, and the rest when it is over: %w", stamp(claim.End), stamp(settled), stamp(now), i.cfg.Settle,
			stamp(e.Floor(settled)), ports.ErrInvalid)
	}

	return nil
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
