package app

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickForm tells trades and quotes apart: which methods of a ports.TickStore are theirs.
type tickForm[T domain.Tick] struct {
	name    domain.TickKind
	pieces  form[domain.Ticks[T]]
	read    func(ports.TickStore, context.Context, ports.TickQuery) iter.Seq2[domain.Ticks[T], error]
	write   func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
	replace func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
}

func trades() tickForm[domain.Trade] {
	return tickForm[domain.Trade]{
		name: domain.TickTrades, read: ports.TickStore.ReadTrades, write: ports.TickStore.WriteTrades, replace: ports.TickStore.ReplaceTrades,
		pieces: tickPieces(func(t domain.Trade) int64 { return t.Seq }),
	}
}

func quotes() tickForm[domain.Quote] {
	return tickForm[domain.Quote]{
		name: domain.TickQuotes, read: ports.TickStore.ReadQuotes, write: ports.TickStore.WriteQuotes, replace: ports.TickStore.ReplaceQuotes,
		pieces: tickPieces(func(q domain.Quote) int64 { return q.Seq }),
	}
}

// FetchTrades returns the trades asked for, every one of them before TickResult.Now; what nobody holds is in TickResult.Uncovered.
// First ends with a whole instant: trades that share the time of the last one come too, so that going on from Next misses none and
// gets none twice. Its errors are those of Fetch, ErrTooLarge for more trades than Config.MaxBars, and ErrInvalid where no store
// of trades is configured.
func (p *Provider) FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error) {
	return fetchTicks(ctx, p, trades(), r)
}

// FetchQuotes is to quotes what FetchTrades is to trades.
func (p *Provider) FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error) {
	return fetchTicks(ctx, p, quotes(), r)
}

func fetchTicks[T domain.Tick](ctx context.Context, p *Provider, form tickForm[T], r domain.TickRequest) (domain.TickResult[T], error) {
	var none domain.TickResult[T]
	op := "fetch " + string(form.name)
	if err := r.Validate(); err != nil {
		return none, refusal(op, "", err)
	}

	f := &tickFetch[T]{
		form: form, request: r, symbol: []domain.Symbol{r.Symbol}, now: p.clock.Now().UTC(),
		caller: caller{op: op, subject: text(r.Symbol), store: p.stores.ofTicks(), cfg: p.cfg},
	}
	if err := f.prepare(); err != nil {
		return none, refusal(op, string(r.Symbol), err)
	}

	f.bound(ctx, p.stores)
	if _, err := p.symbols.known(ctx, &f.caller, f.symbol); err != nil {
		return none, err
	}

	return f.run(ctx)
}

// tickFetch is one request for trades or quotes on its way.
type tickFetch[T domain.Tick] struct {
	caller
	window[instants]
	form    tickForm[T]
	request domain.TickRequest
	symbol  []domain.Symbol // of the request
	now     time.Time
}

// prepare does what costs no input or output.
func (f *tickFetch[T]) prepare() (err error) {
	if f.store == nil {
		return errNoTicks()
	}
	if err := f.cfg.holdToRows(max(f.request.First, f.request.Last)); err != nil {
		return err
	}

	f.window, err = newWindow(instants{}, f.request.Start, f.request.End, f.now)
	return err
}

// run answers the request, the claims first, as a fetch of bars does.
func (f *tickFetch[T]) run(ctx context.Context) (domain.TickResult[T], error) {
	var none domain.TickResult[T]
	extents, err := call(ctx, &f.caller, tickExtents, f.symbol)
	if err != nil {
		return none, err
	}

	var claimed []domain.Range
	for _, e := range extents {
		if e.Symbol == f.request.Symbol && e.Kind == f.form.name {
			claimed = append(claimed, e.Range)
		}
	}

	claimed = domain.MergeRanges(claimed)
	f.begin(claimed)
	result := domain.TickResult[T]{Clamped: f.clamped, Now: f.now, Store: f.store.Name}
	if result.Ticks, err = f.read(ctx); err != nil {
		return none, err
	}

	returned := result.Ticks.Range()
	result.Range = f.cut(returned, result.Ticks.Len(), f.request.First, f.request.Last)
	result.Uncovered = f.uncovered(result.Range, claimed)
	result.Next = f.next(result.Range, result.Uncovered, returned)
	return result, nil
}

// read returns the ticks asked for. To learn whether the first so many end within an instant it reads one more.
func (f *tickFetch[T]) read(ctx context.Context) (domain.Ticks[T], error) {
	q := ports.TickQuery{Symbol: f.request.Symbol, Range: f.within, First: f.request.First, Last: f.request.Last}
	if q.First > 0 {
		q.First++
	}
	ticks, err := f.call(ctx, q)
	first := f.request.First
	if err != nil || first == 0 || ticks.Len() <= first {
		return ticks, err
	}

	last := ticks.Time(first - 1)
	if ticks.Time(first).After(last) {
		return ticks.Slice(0, first), nil
	}

	q.First, q.Range.End = 0, last.Add(time.Microsecond)
	return f.call(ctx, q)
}

// call reads the answer to q whole, and no more than may be returned.
func (f *tickFetch[T]) call(ctx context.Context, q ports.TickQuery) (domain.Ticks[T], error) {
	limit := *f.cfg.MaxBars
	if q.First > 0 {
		limit = 0
	}
	return readTicks(ctx, &f.caller, f.form, q, limit)
}

// readTicks reads the answer to q whole; one of more than limit ticks is refused, 0 is no limit.
func readTicks[T domain.Tick](ctx context.Context, by *caller, form tickForm[T], q ports.TickQuery, limit int) (domain.Ticks[T], error) {
	none, err := domain.NewTicks[T](q.Symbol)
	if err != nil || q.Range.Empty() {
		return none, err
	}

	return call(ctx, by, func(ctx context.Context, s *store, q ports.TickQuery) (domain.Ticks[T], error) {
		answer := gathering[domain.Ticks[T]]{
			form: form.pieces, store: s, like: none, within: q.Range, wanted: max(q.First, q.Last), limit: limit,
		}
		if err := answer.from(form.read(s.Ticks, ctx, q)); err != nil {
			return none, err
		}

		return joinedTicks(none, answer.pieces)
	}, q)
}

// joinedTicks is the pieces as one, none where there is none; a single piece is not copied.
func joinedTicks[T domain.Tick](none domain.Ticks[T], pieces []domain.Ticks[T]) (domain.Ticks[T], error) {
	switch len(pieces) {
	case 0:
		return none, nil
	case 1:
		return pieces[0], nil
	}

	b := domain.NewTicksBuilder[T](none.Symbol())
	for _, p := range pieces {
		for _, tick := range p.All() {
			if err := b.Append(tick); err != nil {
				return none, err
			}
		}
	}

	return b.Ticks()
}
