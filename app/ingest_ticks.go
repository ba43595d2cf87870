package app

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// IngestTrades writes the trades and claims that claim, which covers them, is complete: where it has no trade, nothing traded. A
// zero claim is the range from the first trade to a microsecond after the last. A batch is refused whole where a trade or the claim
// reaches beyond the clock's now less the settle time, and where no store of trades is configured.
func (i *Ingester) IngestTrades(ctx context.Context, t domain.Trades, claim domain.Range) (ports.WriteReport, error) {
	return ingestTicks(ctx, i, trades(), t, claim)
}

// IngestQuotes is to quotes what IngestTrades is to trades.
func (i *Ingester) IngestQuotes(ctx context.Context, q domain.Quotes, claim domain.Range) (ports.WriteReport, error) {
	return ingestTicks(ctx, i, quotes(), q, claim)
}

// ReplaceTrades puts the trades in the place of all that their symbol has in r, and claims r; none delete those of r and the claim
// on it. It refuses what IngestTrades refuses; a deletion may reach beyond now.
func (i *Ingester) ReplaceTrades(ctx context.Context, t domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, i, "replace "+string(domain.TickTrades), t, r, t.Len() > 0, trades().replace)
}

// ReplaceQuotes is to quotes what ReplaceTrades is to trades.
func (i *Ingester) ReplaceQuotes(ctx context.Context, q domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return writeTicks(ctx, i, "replace "+string(domain.TickQuotes), q, r, q.Len() > 0, quotes().replace)
}

func ingestTicks[T domain.Tick](
	ctx context.Context, i *Ingester, form tickForm[T], ticks domain.Ticks[T], claim domain.Range,
) (ports.WriteReport, error) {
	if claim == (domain.Range{}) {
		claim = ticks.Range()
	}
	return writeTicks(ctx, i, "ingest "+string(form.name), ticks, claim, true, form.write)
}

// writeTicks checks what is to be written, unless it only deletes, and hands it to one method of the store.
func writeTicks[T domain.Tick](
	ctx context.Context, i *Ingester, op string, ticks domain.Ticks[T], r domain.Range, check bool,
	write func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	symbol := ticks.Symbol()
	by := &caller{op: op, subject: text(symbol), store: i.stores.ofTicks(), cfg: i.cfg}
	if err := symbol.Validate(); err != nil {
		return ports.WriteReport{}, refusal(op, "", err)
	}

	r, err := writable(instants{}, r)
	if err == nil && check {
		err = i.settled(instants{}, ticks.Range(), r, i.clock.Now())
	}
	if err == nil && by.store == nil {
		err = errNoTicks()
	}
	if err != nil {
		return ports.WriteReport{}, refusal(op, string(symbol), err)
	}

	return i.write(ctx, by, symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return write(by.store.Ticks, ctx, ticks, r)
	})
}
