package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

// tickView says how trades or quotes are fetched and printed.
type tickView[T domain.Tick] struct {
	kind       domain.TickKind
	fetch      func(*app.Service, context.Context, domain.TickRequest) (domain.TickResult[T], error)
	stream     streamTicks[T]
	newWriter  func(io.Writer) *file.TickWriter[T]
	newParquet func(io.Writer, domain.Symbol) (*parquet.TickWriter[T], error)
	columns    []column
	cells      func(T) []string
	prices     []int // the columns of prices
	sizes      []int // the columns of sizes
}

// streamTicks is StreamTrades or StreamQuotes of a service.
type streamTicks[T domain.Tick] func(
	*app.Service, context.Context, domain.TickRequest,
) (iter.Seq2[domain.Ticks[T], error], func() domain.TickResult[T])

// tickTime shows every digit of a time, because trades are less than a millisecond apart.
const tickTime = "2006-01-02 15:04:05.000000"

var tradeView = tickView[domain.Trade]{
	kind:       domain.TickTrades,
	fetch:      (*app.Service).FetchTrades,
	stream:     (*app.Service).StreamTrades,
	newWriter:  file.NewTradeWriter,
	newParquet: parquet.NewTradeWriter,
	columns: []column{
		{name: "time (utc)", kind: instant}, {name: "seq", kind: number}, {name: "price", kind: number},
		{name: "size", kind: number}, {name: "side"},
	},
	cells: func(t domain.Trade) []string {
		return []string{
			t.Time.Format(tickTime), strconv.FormatInt(t.Seq, 10), t.Price.String(), t.Size.String(), t.Side.String(),
		}
	},
	prices: []int{2}, sizes: []int{3},
}

var quoteView = tickView[domain.Quote]{
	kind:       domain.TickQuotes,
	fetch:      (*app.Service).FetchQuotes,
	stream:     (*app.Service).StreamQuotes,
	newWriter:  file.NewQuoteWriter,
	newParquet: parquet.NewQuoteWriter,
	columns: []column{
		{name: "time (utc)", kind: instant}, {name: "seq", kind: number},
		{name: "bid", kind: number}, {name: "ask", kind: number},
		{name: "bid size", kind: number}, {name: "ask size", kind: number},
	},
	cells: func(q domain.Quote) []string {
		return []string{
			q.Time.Format(tickTime), strconv.FormatInt(q.Seq, 10),
			q.Bid.String(), q.Ask.String(), q.BidSize.String(), q.AskSize.String(),
		}
	},
	prices: []int{2, 3}, sizes: []int{4, 5},
}

// fetchTicks prints the trades or quotes of a symbol.
func (c *command) fetchTicks(ctx context.Context, name string, o fetchOptions) error {
	if o.trades && o.quotes {
		return userErrorf("--trades and --quotes exclude each other; give one of them")
	}

	symbol, err := domain.ParseSymbol(name)
	if err != nil {
		return err
	}

	r := domain.TickRequest{Symbol: symbol, First: int(o.first), Last: int(o.last)}
	if r.Start, r.End, err = o.window.times(c.now(), ""); err != nil {
		return err
	}

	const several = false
	if err := c.checkFetchOutput(several, &o); err != nil {
		return err
	}
	if o.trades {
		return runTicks(ctx, c, tradeView, r, o)
	}

	return runTicks(ctx, c, quoteView, r, o)
}

func runTicks[T domain.Tick](
	ctx context.Context, c *command, view tickView[T], whole domain.TickRequest, o fetchOptions,
) error {
	r, err := o.page.tickRequest(view.kind, whole, o.window)
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	result, err := view.fetch(md, ctx, r)
	if err != nil {
		return err
	}
	next, err := nextTicks(&o.page, view.kind, whole, result)
	if err != nil {
		return err
	}
	if err := view.print(c.out, o.output, result, next); err != nil {
		return err
	}

	noteTicks(c, view.kind, result, o.verbose)
	if result.Ticks.Len() == 0 {
		if err := c.noteStored(ctx, md, emptyResult{r.Symbol, fmt.Sprintf("%s of %s", view.kind, r.Symbol)}); err != nil {
			return err
		}
	}
	if next != nil && o.output != formatJSON {
		next.print(c.err)
	}

	return nil
}

// noteTicks notes what the ticks of a result do not show.
func noteTicks[T domain.Tick](c *command, kind domain.TickKind, result domain.TickResult[T], verbose bool) {
	if result.Clamped {
		c.notef("the end is after now, %s", stamp(result.Now))
	}
	if result.Restated {
		c.notef(restatedNote)
	}
	uncovered, ended := splitTickEnd(result)
	if len(uncovered) > 0 {
		c.notef("no data for %s; not covered", summarize(uncovered, rangeText))
	}
	if ended != "" {
		c.notef("%s", ended)
	}
	if verbose {
		c.notef("%s served %d %s, %s", result.Store, result.Ticks.Len(), kind, rangeText(result.Range))
		c.notef("as of %s; continue with --start %s", stamp(result.Now), stamp(result.Next))
	}
}

// splitTickEnd is splitEnd for trades or quotes.
func splitTickEnd[T domain.Tick](r domain.TickResult[T]) (uncovered []domain.Range, text string) {
	n := r.Ticks.Len()
	if n == 0 || r.Range.End.Before(r.Now) {
		return r.Uncovered, ""
	}

	return splitLast(r.Uncovered, domain.Range{Start: r.Ticks.Time(n - 1), End: r.Range.End}, r.Now)
}

// print writes the ticks in the format. JSON has the whole result and, where a page was requested, how to continue.
func (v tickView[T]) print(w io.Writer, format string, r domain.TickResult[T], next *nextPage) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case formatCSV:
		to := v.newWriter(out)
		err = errors.Join(to.Write(r.Ticks), to.Flush())
	case formatJSON:
		err = writeJSON(out, struct {
			domain.TickResult[T]

			Page *nextPage `json:"page,omitempty"`
		}{r, next})
	case formatParquet:
		err = writeParquet(out, r.Ticks, r.Range.Subtract(r.Uncovered), v.newParquetOf(r.Ticks.Symbol()))
	case formatNDJSON:
		err = writeNDJSON(out, func(yield func(T) bool) {
			for _, tick := range r.Ticks.All() {
				if !yield(tick) {
					return
				}
			}
		})
	default:
		return v.printTable(w, r.Ticks)
	}
	if err != nil {
		return err
	}

	return out.Flush()
}

// newParquetOf returns the constructor of a Parquet writer for the symbol.
func (v tickView[T]) newParquetOf(symbol domain.Symbol) newParquet[domain.Ticks[T]] {
	return func(w io.Writer) (parquetWriter[domain.Ticks[T]], error) { return v.newParquet(w, symbol) }
}

func (v tickView[T]) printTable(w io.Writer, ticks domain.Ticks[T]) error {
	rows := make([][]string, 0, ticks.Len())
	for _, tick := range ticks.All() {
		rows = append(rows, v.cells(tick))
	}
	alignPoints(rows, v.prices...)
	alignPoints(rows, v.sizes...)

	return printTable(w, v.columns, rows)
}
