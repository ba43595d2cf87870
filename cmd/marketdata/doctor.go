package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var diagnosisList = listing[ports.StoreDiagnosis]{
	columns: []column{
		{name: "store"}, {name: "state"}, {"latency", number}, {"connections", number}, {"reason", freeText},
	},
	cells: func(d ports.StoreDiagnosis) []string {
		connections := ""
		if p := d.Pool; p != nil {
			connections = fmt.Sprintf("%d of %d", p.InUse+p.Idle, p.Max)
		}

		return []string{
			string(d.Store), string(d.State), d.Latency.Round(10 * time.Microsecond).String(), connections, d.Reason,
		}
	},
}

type doctorOptions struct {
	window        rangeFlags
	price, output string
	uncover, yes  bool
}

func (c *command) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [--uncover SYMBOL FREQUENCY]",
		Short: "Check the health of each store, or give up bars that a store lost",
		Long: "Check the health of each store with a request that needs its connection, its credentials and its\n" +
			"tables. A store is healthy, degraded (slow, its connection pool is exhausted, writes did not finish, or\n" +
			"its retention policy drops old bars) or down. Writes that did not finish are listed with their ranges,\n" +
			"which are not covered: run the same import again, or give the range up with --uncover.\n" +
			"The exit code is 4 if a store is down.\n\n" +
			"With --uncover, the coverage of a range is given up, because its bars are lost or wrong: a dropped\n" +
			"partition or shard, a restored database, or what an error calls corrupt data. The range is then not\n" +
			"covered instead of corrupt, and can be imported again. In InfluxDB the range grows to whole blocks (of\n" +
			"4096 bars, as a rule); other stores delete what is left of the bars. Without --start or --end, the range\n" +
			"extends to the start or the end of the coverage. Dry run unless --yes is given.",
		Example: "  marketdata doctor\n  marketdata doctor --output json\n" +
			"  marketdata doctor > /dev/null || echo 'a store is down'\n" +
			"  marketdata doctor --uncover BTC/USD 1m --start 2018-04-05 --end 2018-04-06 --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if o.uncover {
				return arguments("a symbol and a frequency after --uncover", 2, 2)(cmd, args)
			}
			for _, name := range []string{"start", "end", "price", "yes"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s needs --uncover SYMBOL FREQUENCY", name)
				}
			}

			return arguments("no arguments, or --uncover", 0, 0)(cmd, args)
		},
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}
			if !o.uncover {
				return c.runDoctor(cmd.Context(), o.output)
			}

			key, err := parseKey(args[0], args[1], o.price)
			if err != nil {
				return err
			}

			return c.runUncover(cmd.Context(), key, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.uncover, "uncover", false, "give up the coverage of bars that are lost or wrong")
	o.window.register(flags, "with --uncover: `time` from which bars are lost (default the start of the coverage)",
		"with --uncover: `time` to stop before (default the end of the coverage)")
	priceFlag(flags, &o.price)
	flags.BoolVar(&o.yes, "yes", false, "uncover the range; without it, only report what would be uncovered")
	outputFlag(flags, &o.output)

	return cmd
}

// uncoverReport reports a range that is not covered any more.
type uncoverReport struct {
	Key   domain.SeriesKey `json:"key"`
	Range domain.Range     `json:"range"`
}

var uncoverList = listing[uncoverReport]{
	columns: []column{{name: "series"}, {name: "start"}, {name: "end"}},
	cells: func(u uncoverReport) []string {
		return []string{u.Key.String(), stamp(u.Range.Start), stamp(u.Range.End)}
	},
}

func (c *command) runUncover(ctx context.Context, key domain.SeriesKey, o doctorOptions) error {
	start, end, err := o.window.times(c.now(), key.Grid.Zone())
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	r := domain.Range{Start: start, End: end}
	if start.IsZero() || end.IsZero() {
		if r, err = coveredRange(ctx, md, "uncover", key, r); err != nil {
			return err
		}
	}
	if !o.yes {
		return userErrorf("dry run: this would give up the coverage of %s from %s, and of the rest of the blocks there in "+
			"InfluxDB; add --yes to do it", key, rangeText(r))
	}

	uncovered, err := md.Uncover(ctx, key, r)
	if err != nil {
		return err
	}

	return uncoverList.print(c.out, o.output, []uncoverReport{{key, uncovered}})
}

func (c *command) runDoctor(ctx context.Context, output string) error {
	d, openErr, err := c.diagnose(ctx)
	if err != nil {
		return err
	}

	if output == formatJSON {
		err = writeJSON(c.out, d)
	} else {
		err = diagnosisList.print(c.out, output, d.Stores)
		c.noteUnfinished(d.Stores)
	}
	if err != nil || d.State() != ports.Down {
		return err
	}

	var down []string
	for _, s := range d.Stores {
		if s.State == ports.Down {
			down = append(down, string(s.Store))
		}
	}

	cause := fmt.Errorf("%s down: %w", strings.Join(down, " and "), cmp.Or(openErr, ports.ErrUnavailable))

	return &ports.Error{Kind: ports.ErrUnavailable, Op: "doctor", Err: cause}
}

// noteUnfinished lists the writes that did not finish, and what to do about them.
func (c *command) noteUnfinished(stores []ports.StoreDiagnosis) {
	for _, s := range stores {
		for _, w := range s.Unfinished {
			age := c.now().Sub(w.Expired).Round(time.Second)
			c.notef("%s: a write of %s from %s by %s did not finish, %s ago; the range is not covered: run the same import "+
				"again, or give the range up with marketdata doctor --uncover %s %s --price %s --start %s --end %s",
				s.Store, w.Key, rangeText(w.Range), w.Owner, age, w.Key.Symbol, w.Key.Grid, w.Key.PriceType,
				stamp(w.Range.Start), stamp(w.Range.End))
		}
	}
}

// diagnose checks the stores. If a store fails to open, which prevents the check of the others, it returns a diagnosis
// with this store down, and the failure as openErr.
func (c *command) diagnose(ctx context.Context) (d ports.Diagnosis, openErr, err error) {
	md, done, err := c.open(ctx, mustExist)
	if err == nil {
		defer done()
		d, err = md.Diagnose(ctx)
		return d, nil, err
	}

	var failure *ports.Error
	if ctx.Err() != nil || !errors.As(err, &failure) || failure.Store == "" || errors.Is(err, ports.ErrInvalid) {
		return d, nil, err
	}

	reason := failure.Kind.Error() + " when it was opened; the other stores were not checked"

	return ports.Diagnosis{At: c.now().UTC(), Stores: []ports.StoreDiagnosis{
		{Store: failure.Store, State: ports.Down, Reason: reason},
	}}, err, nil
}
