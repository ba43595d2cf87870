package ingest

import (
	"context"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// IngestTrades writes the trades and declares that coverage, which must contain them, is complete: where it has no
// trade, nothing traded. A zero coverage is the range from the first trade to a microsecond after the last. The batch
// is refused as a whole where the coverage ends later than the clock's now less the settle time, under
// ports.ConflictFail, and where no store of trades is configured.
func (i *Ingestor) IngestTrades(
	ctx context.Context, t domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	write := func(ctx context.Context, s ports.TickStore, r domain.Range) (ports.WriteReport, error) {
		return s.WriteTrades(ctx, t, r, onConflict)
	}

	return writeTicks(ctx, i, tickWrite[domain.Trade]{"ingest trades", t, orTickRange(coverage, t), write})
}

// IngestQuotes is IngestTrades for quotes.
func (i *Ingestor) IngestQuotes(
	ctx context.Context, q domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	write := func(ctx context.Context, s ports.TickStore, r domain.Range) (ports.WriteReport, error) {
		return s.WriteQuotes(ctx, q, r, onConflict)
	}

	return writeTicks(ctx, i, tickWrite[domain.Quote]{"ingest quotes", q, orTickRange(coverage, q), write})
}

// ReplaceTrades puts the trades, at least one, in the place of all trades of their symbol in r, and declares r
// complete. It refuses the same trades as IngestTrades.
func (i *Ingestor) ReplaceTrades(ctx context.Context, t domain.Trades, r domain.Range) (ports.WriteReport, error) {
	write := func(ctx context.Context, s ports.TickStore, r domain.Range) (ports.WriteReport, error) {
		return s.ReplaceTrades(ctx, t, r)
	}

	return writeTicks(ctx, i, tickWrite[domain.Trade]{"replace trades", t, r, write})
}

// ReplaceQuotes is ReplaceTrades for quotes.
func (i *Ingestor) ReplaceQuotes(ctx context.Context, q domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	write := func(ctx context.Context, s ports.TickStore, r domain.Range) (ports.WriteReport, error) {
		return s.ReplaceQuotes(ctx, q, r)
	}

	return writeTicks(ctx, i, tickWrite[domain.Quote]{"replace quotes", q, r, write})
}

// DeleteTrades removes the trades of the symbol in r and their coverage; r may reach beyond now.
func (i *Ingestor) DeleteTrades(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	return i.deleteTicks(ctx, "delete trades", symbol, r, ports.TickStore.DeleteTrades)
}

// DeleteQuotes is DeleteTrades for quotes.
func (i *Ingestor) DeleteQuotes(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	return i.deleteTicks(ctx, "delete quotes", symbol, r, ports.TickStore.DeleteQuotes)
}

// tickWrite is one write of trades or quotes.
type tickWrite[T domain.Tick] struct {
	op    string
	ticks domain.Ticks[T]
	r     domain.Range // declared complete
	write func(context.Context, ports.TickStore, domain.Range) (ports.WriteReport, error)
}

// orTickRange returns coverage, or the range of the ticks if coverage is zero.
func orTickRange[T domain.Tick](coverage domain.Range, ticks domain.Ticks[T]) domain.Range {
	if coverage == (domain.Range{}) {
		return ticks.Range()
	}

	return coverage
}

func writeTicks[T domain.Tick](ctx context.Context, i *Ingestor, w tickWrite[T]) (ports.WriteReport, error) {
	symbol := w.ticks.Symbol()
	call, r, err := i.tickCall(w.op, symbol, w.r)
	if err == nil {
		err = i.checkClosed(access.Instants{}, w.ticks.Range(), r, i.clock.Now())
		if err == nil && call.Store == nil {
			err = access.ErrNoTicks()
		}
		if err != nil {
			err = call.Refuse(err)
		}
	}
	if err != nil {
		return ports.WriteReport{}, err
	}

	return i.write(ctx, call, symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return w.write(ctx, call.Store.Ticks, r)
	})
}

func (i *Ingestor) deleteTicks(
	ctx context.Context, op string, symbol domain.Symbol, r domain.Range,
	remove func(ports.TickStore, context.Context, domain.Symbol, domain.Range) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	call, r, err := i.tickCall(op, symbol, r)
	if err == nil && call.Store == nil {
		err = call.Refuse(access.ErrNoTicks())
	}
	if err != nil {
		return ports.WriteReport{}, err
	}

	return i.write(ctx, call, symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return remove(call.Store.Ticks, ctx, symbol, r)
	})
}

// tickCall returns the call of a write of ticks, whose store is nil if none is configured, and its range. It refuses an
// invalid symbol and an empty range.
func (i *Ingestor) tickCall(op string, symbol domain.Symbol, r domain.Range) (*access.Call, domain.Range, error) {
	if err := symbol.Validate(); err != nil {
		return nil, r, access.Refusal(op, "", err)
	}

	call := &access.Call{Op: op, Subject: access.Text(symbol), Store: i.stores.ForTicks(), Settings: i.settings}
	r, err := alignCoverage(access.Instants{}, r)
	if err != nil {
		return nil, r, call.Refuse(err)
	}

	return call, r, nil
}
