package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const retainHelp = `Delete the data of symbols that is older than --keep, or than the time --before:
bars of all frequencies and price types, or trades (--trades) or quotes
(--quotes), with their coverage. A symbol may be a pattern. A bar is older if it
ended by that time.

Without --yes, nothing is deleted, and the rows that would be are counted. The
oldest rows are deleted first, in parts: a command that was interrupted left the
data correct, and goes on when it is repeated. Afterwards, PostgreSQL's empty
partitions of that age are dropped (years of bars, months of trades and quotes).
One that is in use stays until the next time, as a note says. Nothing old enough
is no error, so that the command can run every night.`

const retainExample = `  marketdata retain '*' --keep 5y
  marketdata retain '*' --keep 90d --frequency 1s,1m --yes
  marketdata retain 'COINBASE:*' 'KRAKEN:*' --before 2020-01-01 --yes
  marketdata retain '*' --trades --keep 30d --yes`

type retainOptions struct {
	deleteOptions
	keep        string
	frequencies []string
}

func (c *command) retainCommand() *cobra.Command {
	var o retainOptions
	cmd := &cobra.Command{
		Use:               "retain SYMBOL... --keep LENGTH | --before TIME",
		Short:             "Delete the data that is older than a limit",
		Long:              retainHelp,
		Example:           retainExample,
		Args:              arguments("symbols or patterns, like: marketdata retain '*' --keep 5y", 1, -1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			selectors, err := o.selectors(args)
			if err != nil {
				return err
			}
			if err := o.resolveLimit(c.now()); err != nil {
				return err
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runRetain(cmd.Context(), selectors, o.deleteOptions)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.keep, "keep", "", "`length` of time to keep: a count of s, m, h, d, w, M or y, like 90d or 5y")
	flags.StringVar(&o.window.end, "before", "", "`time` from which on to keep")
	flags.StringSliceVar(&o.frequencies, "frequency", nil, "only bars of these `frequencies`, like 1m,1d")
	anyPriceFlag(flags, &o.price)
	flags.BoolVar(&o.trades, "trades", false, "delete trades")
	flags.BoolVar(&o.quotes, "quotes", false, "delete quotes")
	flags.BoolVar(&o.yes, "yes", false, "delete the rows; without it, only count them")
	outputFlag(flags, &o.output)

	return cmd
}

// selectors returns a selector for each argument, and refuses flags that exclude each other.
func (o *retainOptions) selectors(args []string) ([]selector, error) {
	switch {
	case o.trades && o.quotes:
		return nil, userErrorf("--trades and --quotes exclude each other; give one of them")
	case (o.trades || o.quotes) && (len(o.frequencies) > 0 || o.price != ""):
		return nil, userErrorf("--frequency and --price are for bars; leave them out with --trades and --quotes")
	}

	var all []selector
	for _, arg := range args {
		s, err := newSelector(arg, o.frequencies, o.price)
		if err != nil {
			return nil, err
		}

		all = append(all, s)
	}

	return all, nil
}

// resolveLimit makes --keep or --before, of which one must be given, the end of the window, and checks it.
func (o *retainOptions) resolveLimit(now time.Time) error {
	o.window.endName = "before"
	if (o.keep == "") == (o.window.end == "") {
		return userErrorf("give --keep, like --keep 5y, or --before, like --before 2020-01-01, and not both")
	}

	if o.keep != "" {
		age, err := parseAge(o.keep)
		if err != nil {
			return err
		}

		o.window.endName, o.window.end = "keep", "-"+age.String()
	}
	_, _, err := o.window.times(now, "")

	return err
}

// parseAge reads a length of time: a Frequency, or a number of years.
func parseAge(text string) (domain.Frequency, error) {
	length := text
	if years, ok := strings.CutSuffix(text, "y"); ok {
		if f, err := domain.ParseFrequency(years + "M"); err == nil {
			const months = 12
			length = strconv.Itoa(months*f.Count()) + "M"
		}
	}
	age, err := domain.ParseFrequency(length)
	if err != nil {
		return 0, &domain.InvalidError{
			What: "--keep", Value: text, Reason: "write a count of s, m, h, d, w, M or y, at most 100 years, like 90d or 5y",
		}
	}

	return age, nil
}

func (c *command) runRetain(ctx context.Context, selectors []selector, o deleteOptions) error {
	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	d := deletion{c: c, md: md, o: o, retains: true}
	for _, selected := range selectors {
		found := d.found
		if o.trades || o.quotes {
			err = d.ticks(ctx, selected)
		} else {
			err = d.bars(ctx, selected)
		}
		if err == nil && d.found == found {
			err = selected.errNoData(ctx, md, "retain")
		}
		if err != nil {
			break
		}
	}
	if err == nil && o.yes {
		err = d.dropPartitions(ctx)
	}

	return errors.Join(err, d.print())
}

// retainRows deletes the rows of one series that ended by a time, or counts them in a dry run.
func retainRows[S ingest.Rows[S]](
	ctx context.Context, d *deletion, kind file.Kind, rows ingest.Dataset[S], before time.Time,
) error {
	if d.hasReport(rows.Name(), kind) {
		return nil // two patterns match it
	}

	report := deleteReport{Series: rows.Name(), Kind: kind}
	var err error
	if d.o.yes {
		var retained ingest.RetainReport
		retained, err = ingest.Retain(ctx, rows, before)
		report.Range, report.Deleted = retained.Range, retained.Deleted
	} else {
		var expired []domain.Range
		if expired, err = ingest.Expired(ctx, rows, before); err == nil {
			report.Range = hull(expired)
			report.Deleted, err = countRows(ctx, rows, expired)
		}
	}
	if !report.Range.Empty() {
		d.reports = append(d.reports, report)
	}

	return err
}

// hasReport reports whether the series has a report.
func (d *deletion) hasReport(series string, kind file.Kind) bool {
	for _, r := range d.reports {
		if r.Series == series && r.Kind == kind {
			return true
		}
	}

	return false
}

// dropPartitions drops the partitions that are empty now, and notes which, and which stay.
func (d *deletion) dropPartitions(ctx context.Context) error {
	_, before, err := d.o.window.times(d.c.now(), "")
	if err != nil {
		return err
	}

	partitions, err := d.md.DropPartitions(ctx, before)
	for _, p := range partitions {
		if p.Kept == "" {
			d.c.notef("dropped the empty partition %s", p.Name)
		} else {
			d.c.notef("the empty partition %s stays: %s", p.Name, p.Kept)
		}
	}
	if errors.Is(err, ports.ErrPermission) {
		d.c.notef("empty partitions stay: %v", err)
		return nil
	}

	return err
}
