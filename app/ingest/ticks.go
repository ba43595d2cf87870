package ingest

import (
	"context"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// IngestTrades writes the trades and declares that coverage, which must contain them, is complete: where it has no
// trade, nothing traded. A zero coverage is the range from the first trade to a microsecond after the last. The batch
// is refused as a whole where the coverage ends later than the clock's now less the settle time, and where no store of
// trades is configured.
func (i *Ingester) IngestTrades(
	ctx context.Context, t domain.Trades, coverage domain.Range,
) (ports.WriteReport, error) {
	return writeTicks(ctx, i, tickWrite[domain.Trade]{
		op: "ingest trades", ticks: t, coverage: orTickRange(coverage, t), check: true, write: ports.TickStore.WriteTrades,
	})
}

// IngestQuotes is IngestTrades for quotes.
func (i *Ingester) IngestQuotes(
	ctx context.Context, q domain.Quotes, coverage domain.Range,
) (ports.WriteReport, error) {
	return writeTicks(ctx, i, tickWrite[domain.Quote]{
		op: "ingest quotes", ticks: q, coverage: orTickRange(coverage, q), check: true, write: ports.TickStore.WriteQuotes,
	})
}

// ReplaceTrades puts the trades in the place of all trades of their symbol in r, and declares r complete. Without a
// trade it deletes those of r and its coverage. It refuses the same trades as IngestTrades; a deletion may reach beyond
// now.
func (i *Ingester) ReplaceTrades(ctx context.Context, t domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, i, tickWrite[domain.Trade]{
		op: "replace trades", ticks: t, coverage: r, check: t.Len() > 0, write: ports.TickStore.ReplaceTrades,
	})
}

// ReplaceQuotes is ReplaceTrades for quotes.
func (i *Ingester) ReplaceQuotes(ctx context.Context, q domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, i, tickWrite[domain.Quote]{
		op: "replace quotes", ticks: q, coverage: r, check: q.Len() > 0, write: ports.TickStore.ReplaceQuotes,
	})
}

// tickWrite is one write of trades or quotes.
type tickWrite[T domain.Tick] struct {
	op       string
	ticks    domain.Ticks[T]
	coverage domain.Range
	check    bool // the ticks; a deletion has none
	write    func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
}

// orTickRange returns coverage, or the range of the ticks if coverage is zero.
func orTickRange[T domain.Tick](coverage domain.Range, ticks domain.Ticks[T]) domain.Range {
	if coverage == (domain.Range{}) {
		return ticks.Range()
	}

	return coverage
}

func writeTicks[T domain.Tick](ctx context.Context, s *Ingester, w tickWrite[T]) (ports.WriteReport, error) {
	symbol := w.ticks.Symbol()
	if err := symbol.Validate(); err != nil {
		return ports.WriteReport{}, access.Refusal(w.op, "", err)
	}

	call := &access.Call{Op: w.op, Subject: access.Text(symbol), Store: s.stores.ForTicks(), Settings: s.settings}
	coverage, err := alignCoverage(access.Instants{}, w.coverage)
	if err == nil && w.check {
		err = s.checkClosed(access.Instants{}, w.ticks.Range(), coverage, s.clock.Now())
	}
	if err == nil && call.Store == nil {
		err = access.ErrNoTicks()
	}
	if err != nil {
		return ports.WriteReport{}, call.Refuse(err)
	}

	return s.write(ctx, call, symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return w.write(call.Store.Ticks, ctx, w.ticks, coverage)
	})
}
