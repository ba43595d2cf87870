package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// sizes is how much is done at a time.
type sizes struct {
	made   int // rows that a Fetch reads where bars are made of them, which are not kept
	stream int // rows that a Stream reads, and about how many bars a piece of it has
	fill   int // about how many slots are filled
}

func defaultSizes() sizes { return sizes{made: 65536, stream: 8192, fill: 8192} }

// read returns the bars that the plan gives: all of them, or the first or last few.
func (f *fetch) read(ctx context.Context) (domain.Series, error) {
	if f.few() {
		return f.readFew(ctx)
	}
	return f.readAll(ctx)
}

// readAll is every bar, in a single query for what is stored as it is asked for.
func (f *fetch) readAll(ctx context.Context) (domain.Series, error) {
	if len(f.legs) == 1 && f.native(f.legs[0]) && f.request.Fill == domain.FillNone {
		return f.readStored(ctx, f.legs[0])
	}

	var pieces []domain.Series
	bars, most := 0, *f.cfg.MaxBars
	for piece, err := range f.all(ctx, 0, f.sizes.made) {
		if err != nil {
			return domain.Series{}, err
		}
		if bars += piece.Len(); most > 0 && bars > most {
			return domain.Series{}, refusal(f.op, f.subject.String(), tooManyRows(f.within, most))
		}

		pieces = append(pieces, piece)
	}

	return joined(domain.EmptySeries(f.request.Key), pieces, bars)
}

// readStored is readAll of one leg of the bars asked for, as most requests have it: without the pipeline that the others need.
func (f *fetch) readStored(ctx context.Context, l plan.Leg) (domain.Series, error) {
	judge := domain.NewValidator(l.Range, f.now)
	kept, bars := f.room.kept[:0], 0
	for i := range l.Reads {
		rows, err := f.ask(ctx, &l.Reads[i], ports.BarQuery{Key: f.request.Key, Range: l.Reads[i].Range})
		if err != nil {
			return domain.Series{}, err
		}

		for _, p := range rows {
			piece, err := f.judge(judge, p)
			if err != nil {
				return domain.Series{}, err
			}

			if bars += piece.Len(); piece.Len() > 0 {
				kept = append(kept, piece)
			}
		}
	}
	if most := *f.cfg.MaxBars; most > 0 && bars > most { // of several reads
		return domain.Series{}, refusal(f.op, f.subject.String(), tooManyRows(f.within, most))
	}

	return joined(domain.EmptySeries(f.request.Key), kept, bars)
}

// all yields every bar of the plan, judged and filled: made of at most page rows at a time, or of stored ones where these are the
// bars asked for; 0 is of one query each.
func (f *fetch) all(ctx context.Context, stored, page int) iter.Seq2[domain.Series, error] {
	bars := func(yield func(domain.Series, error) bool) {
		for _, leg := range f.legs {
			rows := page
			if f.native(leg) {
				rows = stored
			}
			for piece, err := range f.legBars(ctx, leg, rows, f.judging(leg)) {
				if !yield(piece, err) || err != nil {
					return
				}
			}
		}
	}
	if f.request.Fill == domain.FillNone {
		return bars
	}

	return f.fill(ctx, f.edges.Align(f.within), bars)
}

// judging applies the quality policy to the rows of a leg.
func (f *fetch) judging(l plan.Leg) sift {
	judge := domain.NewValidator(l.Range, f.now)
	return func(rows ports.CachedBars) (domain.Series, error) { return f.judge(judge, rows) }
}

// native reports whether the rows of the leg are the bars asked for.
func (f *fetch) native(l plan.Leg) bool { return l.Rows == plan.BarRows && l.Grid == f.edges }

// sift takes a piece of what was read, and returns what of it goes on.
type sift func(ports.CachedBars) (domain.Series, error)

// plain sifts nothing.
func plain(p ports.CachedBars) (domain.Series, error) { return p.Bars, nil }

// legBars yields the bars that the leg answers, in pieces made of at most page rows; 0 is of one query each. What is sifted is what was
// read; of trades and quotes, the bars that they make.
func (f *fetch) legBars(ctx context.Context, l plan.Leg, page int, sift sift) iter.Seq2[domain.Series, error] {
	key := f.request.Key
	switch {
	case l.Rows == plan.TradeRows && f.stores.named(l.Reads[0].Source).Aggregate != nil:
		return f.sifted(sift, f.aggregated(ctx, l, page))
	case l.Rows == plan.TradeRows:
		return f.sifted(sift, pieces(l.FromTrades(key, tickPages(ctx, f, trades(), l, page))))
	case l.Rows == plan.QuoteRows:
		return f.sifted(sift, pieces(l.FromQuotes(key, tickPages(ctx, f, quotes(), l, page))))
	}

	return f.sifted(plain, pieces(l.FromBars(key, f.sifted(sift, f.pages(ctx, l, page)))))
}

// pieces is bars of which nothing more is known.
func pieces(bars iter.Seq2[domain.Series, error]) iter.Seq2[ports.CachedBars, error] {
	return func(yield func(ports.CachedBars, error) bool) {
		bars(func(s domain.Series, err error) bool { return yield(asPiece(s), err) })
	}
}

// sifted is what of the pieces goes on. An error of their making becomes one of ours.
func (f *fetch) sifted(sift sift, pieces iter.Seq2[ports.CachedBars, error]) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for piece, err := range pieces {
			var bars domain.Series
			if err == nil {
				bars, err = sift(piece)
			}
			if err != nil {
				yield(domain.Series{}, f.madeError(err))
				return
			}
			if bars.Len() > 0 && !yield(bars, nil) {
				return
			}
		}
	}
}

// pages yields the stored bars of a leg.
func (f *fetch) pages(ctx context.Context, l plan.Leg, page int) iter.Seq2[ports.CachedBars, error] {
	return func(yield func(ports.CachedBars, error) bool) {
		key := f.request.Key
		key.Grid = l.Grid
		for i := range l.Reads {
			read := &l.Reads[i]
			q := ports.BarQuery{Key: key, Range: read.Range, First: page}
			for more := true; more && !q.Range.Empty(); {
				rows, err := f.ask(ctx, read, q)
				if err != nil {
					yield(ports.CachedBars{}, err)
					return
				}

				n := f.answer.rows
				if more = page > 0 && n == page; more {
					q.Range.Start = rows[len(rows)-1].Bars.Range().End
				}
				for _, p := range rows {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}
}

// aggregated yields the bars that the store makes of the trades of a leg, so many slots in each query.
func (f *fetch) aggregated(ctx context.Context, l plan.Leg, slots int) iter.Seq2[ports.CachedBars, error] {
	return func(yield func(ports.CachedBars, error) bool) {
		s := f.stores.named(l.Reads[0].Source)
		for open := l.Range; !open.Empty(); {
			step := f.slots(open, slots, false)
			open.Start = step.End
			f.query = ports.BarQuery{Key: f.request.Key, Range: step}
			f.expect(s)
			rows, err := call(ctx, f.at(s), aggregate, f)
			if err != nil {
				yield(ports.CachedBars{}, err)
				return
			}

			for _, p := range rows {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// tickPages yields the trades or quotes of a leg; a piece ends with a whole instant.
func tickPages[T domain.Tick](ctx context.Context, f *fetch, form tickForm[T], l plan.Leg, page int) iter.Seq2[domain.Ticks[T], error] {
	return func(yield func(domain.Ticks[T], error) bool) {
		for _, read := range l.Reads {
			by := f.at(f.stores.named(read.Source))
			q := ports.TickQuery{Symbol: f.request.Key.Symbol, Range: read.Range, First: page}
			for !q.Range.Empty() {
				ticks, next, err := tickPage(ctx, by, form, q)
				if err != nil || ticks.Len() > 0 {
					if !yield(ticks, err) || err != nil {
						return
					}
				}

				q.Range.Start = next
			}
		}
	}
}

// tickPage is the first ticks of q up to an instant, and where to go on.
func tickPage[T domain.Tick](ctx context.Context, by *caller, form tickForm[T], q ports.TickQuery) (domain.Ticks[T], time.Time, error) {
	ticks, err := readTicks(ctx, by, form, q, 0)
	n := ticks.Len()
	if err != nil || n < q.First || q.First == 0 {
		return ticks, q.Range.End, err
	}

	last := ticks.Time(n - 1)
	if whole := ticks.Clip(domain.Range{Start: q.Range.Start, End: last}); whole.Len() > 0 {
		return whole, last, nil
	}

	next := last.Add(time.Microsecond) // one instant is more than a page
	q.First, q.Range = 0, domain.Range{Start: last, End: next}
	ticks, err = readTicks(ctx, by, form, q, 0)
	return ticks, next, err
}

// checked is the verdict on a piece.
func checked(judge *domain.Validator, p ports.CachedBars) domain.Verdict {
	if p.Validated {
		return judge.CheckValidated(p.Bars)
	}
	return judge.Check(p.Bars)
}

// judge applies the quality policy to a piece, and reports what it found.
func (f *fetch) judge(judge *domain.Validator, p ports.CachedBars) (domain.Series, error) {
	verdict, bars := checked(judge, p), p.Bars
	f.report.Bars += verdict.Bars
	if len(verdict.Findings) == 0 {
		return bars, nil
	}

	f.report.Findings = domain.MergeFindings(f.report.Findings, verdict.Findings)
	switch f.request.Quality {
	case domain.QualityFail:
		if err := verdict.Err(bars.Key()); err != nil {
			return domain.Series{}, f.fault(ports.ErrCorruptData, fmt.Errorf(
				"%w; %d of %d bars break a fatal rule; ask with quality drop or flag, or write the bars anew", err,
				len(verdict.Fatal), verdict.Bars))
		}
	case domain.QualityDrop:
		for _, i := range verdict.Fatal {
			f.report.Dropped = append(f.report.Dropped, bars.OpenTime(i))
		}
		bars = bars.Drop(verdict.Fatal)
	}

	return bars, nil
}

// sound is the bars without those that the policy will drop.
func (f *fetch) sound(p ports.CachedBars) domain.Series {
	if f.request.Quality != domain.QualityDrop {
		return p.Bars
	}
	return p.Bars.Drop(checked(domain.NewValidator(p.Bars.Range(), f.now), p).Fatal)
}

// madeError is an error of the making of bars as one of ours.
func (f *fetch) madeError(err error) error {
	if ours := (*ports.Error)(nil); err == nil || errors.As(err, &ours) {
		return err
	}

	kind := ports.ErrInternal
	if errors.Is(err, domain.ErrOverflow) {
		kind = ports.ErrTooLarge
	}
	return &ports.Error{Kind: kind, Op: f.op, Subject: f.subject.String(), Err: err}
}

// joined is the pieces as one Series of so many bars, none where there is none; a single piece is not copied.
func joined(none domain.Series, pieces []domain.Series, bars int) (domain.Series, error) {
	switch len(pieces) {
	case 0:
		return none, nil
	case 1:
		return pieces[0], nil
	}

	b := domain.NewSeriesBuilder(none.Key(), bars)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}
