package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const copyHelp = `Copy bars, trades and quotes from one store to another, with the claims on them: of all symbols, or of those that a pattern matches.

` + sideHelp + `

What is claimed is copied, as it is claimed; what a store only assumes to hold (see marketdata coverage) is left out, unless
--assumed takes it for complete. All that is written is read back and compared. What the other store has already is compared and
not written again: after an error or Ctrl-C run the same command again, and it goes on.

Where the other store says something else, the copy stops. marketdata diff shows the difference; --overwrite makes the other store
equal to the one copied from, in the ranges copied.`

const copyExample = `  marketdata copy --to-db backup.db
  marketdata copy 'COINBASE:*' --grid 1m,1d --start 2018-01-01 --from-db laptop.db
  marketdata copy BTC/USD --only bars --from-db old.db --to-db new.db
  marketdata copy --from production.yaml --to-db research.db --only trades --start -7d`

// copied is the report on one series.
type copied struct {
	Series string       `json:"series"`
	Holds  file.Kind    `json:"holds"`
	Range  domain.Range `json:"range"` // from the start of what was copied to its end
	Rows   int          `json:"rows"`  // in the store copied from
	ports.WriteReport
}

var copyList = listing[copied]{
	columns: []column{
		{name: "series"}, {name: "holds"}, {"rows", true}, {"inserted", true}, {"changed", true}, {"unchanged", true}, {"deleted", true},
		{name: "start"}, {name: "end"},
	},
	cells: func(r copied) []string {
		return []string{
			r.Series, string(r.Holds), strconv.Itoa(r.Rows), strconv.Itoa(r.Inserted), strconv.Itoa(r.Changed), strconv.Itoa(r.Unchanged),
			strconv.Itoa(r.Deleted), stamp(r.Range.Start), stamp(r.Range.End),
		}
	},
}

type copyOptions struct {
	span
	from, to           side
	pattern            string
	grids, only        []string
	kind, output       string
	assumed, overwrite bool
}

func (o copyOptions) wants(k file.Kind) bool {
	if len(o.only) > 0 {
		return slices.Contains(o.only, string(k))
	}
	return k == file.Bars || len(o.grids) == 0 && o.kind == ""
}

func (c *command) copies() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:               "copy [PATTERN]",
		Short:             "Copy what is held from one store to another",
		Long:              copyHelp,
		Example:           copyExample,
		Args:              arguments("at most one symbol or pattern, like: marketdata copy 'COINBASE:*' --to-db backup.db", 0, 1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.pattern = args[0]
			}
			for _, k := range o.only {
				if !slices.Contains([]file.Kind{file.Bars, file.Trades, file.Quotes}, file.Kind(k)) {
					return &domain.InvalidError{What: "--only", Value: k, Reason: "some of bars, trades, quotes"}
				}
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}

			return c.runCopy(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	o.from.register(flags, "from")
	o.to.register(flags, "to")
	flags.StringSliceVar(&o.grids, "grid", nil, "only bars of these `grids`, like 1m,1d")
	flags.StringVar(&o.kind, "kind", "", "only bars of this kind: `what` the prices are of (default every kind)")
	flags.StringSliceVar(&o.only, "only", nil, "only some of `bars,trades,quotes`")
	o.register(flags, "start", "copy from this `time` on (default from the start of what is held)", "end", "`time` to stop before")
	flags.BoolVar(&o.assumed, "assumed", false, "copy what a store only assumes to hold too, and claim it")
	flags.BoolVar(&o.overwrite, "overwrite", false, "make the other store equal where it says something else")
	outputFlag(flags, &o.output)

	return cmd
}

func (c *command) runCopy(ctx context.Context, o copyOptions) error {
	series, err := seek(o.pattern, o.grids, o.kind)
	if err != nil {
		return err
	}

	stores, done, err := c.openPair(ctx, o.from, o.to)
	if err != nil {
		return err
	}

	defer done()
	job := &copyJob{c: c, pair: stores, o: o}
	if o.wants(file.Bars) {
		err = job.bars(ctx, series)
	}
	if err == nil {
		err = job.ticks(ctx, series)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, job.kept())
	}
	if len(job.reports) == 0 {
		return series.nothing("copy")
	}

	return copyList.print(c.out, o.output, job.reports)
}

// copyJob is a copy on its way.
type copyJob struct {
	c *command
	pair
	o       copyOptions
	reports []copied
}

// bars copies every series that is meant.
func (j *copyJob) bars(ctx context.Context, series sought) error {
	all, err := series.held(ctx, j.from)
	if err != nil {
		return err
	}

	there, err := series.held(ctx, j.to)
	if err != nil {
		return err
	}

	for _, s := range all {
		start, end, err := j.o.times(j.c.now(), s.key.Grid.Zone())
		if err != nil {
			return err
		}

		held := s.claimed
		if j.o.assumed {
			held = s.ranges()
		} else if len(s.assumed) > 0 {
			j.c.notef("left out, since it is only assumed to be held of %s: %s; --assumed copies it",
				s.key, some(s.assumed, domain.Range.String))
		}

		var ranges []domain.Range
		for _, r := range clip(held, start, end) {
			if r = s.key.Grid.Align(r); !r.Empty() {
				ranges = append(ranges, r)
			}
		}

		var known []domain.Range
		if i := slices.IndexFunc(there, func(h heldSeries) bool { return h.key == s.key }); i >= 0 {
			known = there[i].ranges()
		}
		if err := copyRows(ctx, j, storedBars(s.key), ranges, known); err != nil {
			return err
		}
	}

	return nil
}

// ticks copies the trades and the quotes of every symbol that is meant, as far as they are wanted.
func (j *copyJob) ticks(ctx context.Context, series sought) error {
	if !j.o.wants(file.Trades) && !j.o.wants(file.Quotes) {
		return nil
	}

	start, end, err := j.o.times(j.c.now(), "")
	if err != nil {
		return err
	}

	all, err := j.from.TickCoverage(ctx, series.symbols()...)
	if err != nil {
		return err
	}

	there, err := j.to.TickCoverage(ctx, series.symbols()...)
	if err != nil {
		return err
	}

	type tickSeries struct {
		symbol domain.Symbol
		kind   domain.TickKind
	}
	held, known := map[tickSeries][]domain.Range{}, map[tickSeries][]domain.Range{}
	var order []tickSeries
	for _, e := range all {
		s := tickSeries{e.Symbol, e.Kind}
		if !series.symbol(s.symbol) || !j.o.wants(file.Kind(s.kind)) {
			continue
		}

		if held[s] == nil {
			order = append(order, s)
		}
		held[s] = append(held[s], e.Range)
	}

	for _, e := range there {
		s := tickSeries{e.Symbol, e.Kind}
		known[s] = append(known[s], e.Range)
	}

	for _, s := range order {
		ranges := clip(held[s], start, end)
		if s.kind == domain.TickTrades {
			err = copyRows(ctx, j, tradeFlow(s.symbol), ranges, known[s])
		} else {
			err = copyRows(ctx, j, quoteFlow(s.symbol), ranges, known[s])
		}
		if err != nil {
			return err
		}
	}

	return nil
}

// kept says what of a copy that did not end well is in the other store.
func (j *copyJob) kept() string {
	var rows int
	for _, r := range j.reports {
		rows += r.Rows
	}
	if rows == 0 {
		return "nothing was copied"
	}

	last := j.reports[len(j.reports)-1]
	return fmt.Sprintf("kept and compared: %d rows of %d series, the last of them %s %s up to %s; run the same command again to go on",
		rows, len(j.reports), last.Series, last.Holds, stamp(last.Range.End))
}

// copyRows copies the ranges of a series, of which the other store holds what is known.
func copyRows[S rows[S]](ctx context.Context, j *copyJob, f flow[S], ranges, known []domain.Range) error {
	if len(ranges) == 0 {
		return nil
	}

	passed, shown := j.c.progressOver(f.series, ranges)
	defer shown()
	report := copied{Series: f.series, Holds: f.holds, Range: domain.Range{Start: ranges[0].Start, End: ranges[0].Start}}
	defer func() {
		if report.Range.End.After(report.Range.Start) {
			j.reports = append(j.reports, report)
		}
	}()
	for _, r := range ranges {
		for p, err := range f.pages(ctx, j.from, r, j.page) {
			if err != nil {
				return err
			}

			wrote, err := copyPage(ctx, j, f, p, known)
			if err != nil {
				return err
			}

			report.Rows += p.rows.Len()
			report.WriteReport = report.Add(wrote)
			report.Range.End = p.span.End
			passed(p.span)
		}
	}

	return nil
}

// copyPage makes the other store say what the page says, unless it does, and makes sure of it.
func copyPage[S rows[S]](ctx context.Context, j *copyJob, f flow[S], p page[S], known []domain.Range) (ports.WriteReport, error) {
	one := min(p.rows.Len(), j.page) + 1 // more than there should be; a page of ticks is longer where its last instant is
	there := func() (S, error) {
		got, err := f.fetch(ctx, j.to, p.span, one)
		return got.rows, err
	}
	var wrote ports.WriteReport
	if len(clip(known, p.span.Start, p.span.End)) > 0 {
		had, err := there()
		if err != nil {
			return wrote, err
		}
		if had.Equal(p.rows) && len(p.span.Subtract(known)) == 0 {
			return ports.WriteReport{Unchanged: p.rows.Len()}, nil
		}

		if at, differs := conflict(had, p.rows); differs && !j.o.overwrite {
			return wrote, fmt.Errorf("%s: the other store says something else at %s, and that is not overwritten; "+
				"marketdata diff shows the difference, --overwrite has it give way", f.series, stamp(at))
		} else if differs {
			if wrote, err = f.replace(ctx, j.to, p.rows, p.span); err != nil {
				return wrote, err
			}
		}
	}

	if wrote == (ports.WriteReport{}) || p.rows.Len() == 0 { // to replace by nothing gives up the claim too
		ingested, err := f.ingest(ctx, j.to, p.rows, p.span)
		if wrote = wrote.Add(ingested); err != nil {
			return wrote, err
		}
	}

	got, err := there()
	if err == nil && !got.Equal(p.rows) {
		err = &ports.Error{Kind: ports.ErrIncomplete, Op: "copy", Subject: f.series, Err: fmt.Errorf(
			"what was written into %s is not what the other store says afterwards; does somebody else write there?", p.span)}
	}

	return wrote, err
}

// conflict is the time of the first row that the other store has and that the new rows lack or contradict.
func conflict[S rows[S]](had, rows S) (time.Time, bool) {
	for i := range had.Len() {
		row := had.Slice(i, i+1)
		if span := row.Range(); !had.Clip(span).Equal(rows.Clip(span)) {
			return span.Start, true
		}
	}
	return time.Time{}, false
}
