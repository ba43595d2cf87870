package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/embedded"
	"github.com/gal-friday/marketdata/wiring/production"
)

// A diagnosis as a table is three tables, which fit a terminal, and notes; as CSV it is one list of the stores.
var (
	healthList = listing[ports.StoreDiagnosis]{
		columns: []column{
			{name: "store"}, {name: "state", kind: state}, {name: "latency", kind: number},
			{name: "connections", kind: number}, {name: "version"}, {name: "schema"},
		},
		cells: func(d ports.StoreDiagnosis) []string {
			return []string{
				string(d.Store), string(d.State), latency(d), connections(d), d.Details.Version, d.Details.Schema,
			}
		},
	}

	detailsList = listing[ports.StoreDiagnosis]{
		columns: []column{{name: "store"}, {name: "user"}, {name: "database"}, {name: "address"}},
		cells: func(d ports.StoreDiagnosis) []string {
			return []string{string(d.Store), d.Details.User, d.Details.Database, d.Details.Address}
		},
	}

	operationList = listing[ports.OperationStats]{
		columns: []column{
			{name: "operation"}, {name: "of"}, {name: "count", kind: number}, {name: "errors", kind: number},
			{name: "cached", kind: number, usual: "0"}, {name: "p50", kind: number}, {name: "p99", kind: number},
			{name: "p99.9", kind: number},
		},
		cells: func(o ports.OperationStats) []string {
			w := o.SinceStart
			return []string{
				o.Name, cmp.Or(string(o.Store), string(o.Frequencies)), strconv.FormatInt(w.Count, 10),
				strconv.FormatInt(w.Failed(), 10), strconv.FormatInt(w.Cached, 10),
				percentile(w.P50), percentile(w.P99), percentile(w.P999),
			}
		},
	}

	diagnosisList = listing[ports.StoreDiagnosis]{
		columns: []column{
			{name: "store"}, {name: "state", kind: state}, {name: "latency", kind: number},
			{name: "connections", kind: number}, {name: "version"}, {name: "schema"},
			{name: "user"}, {name: "database"}, {name: "address"},
			{name: "reason", kind: freeText}, {name: "error", kind: freeText}, {name: "remedy", kind: freeText},
		},
		cells: func(d ports.StoreDiagnosis) []string {
			var details, remedies []string
			for _, p := range d.Problems {
				details = append(details, p.Detail)
				if p.Remedy != "" {
					remedies = append(remedies, p.Remedy)
				}
			}

			return slices.Concat(healthList.cells(d), detailsList.cells(d)[1:],
				[]string{d.Reason, strings.Join(details, "\n"), strings.Join(remedies, "\n")})
		},
	}
)

// percentile returns a duration with three digits, because more of a percentile are not exact.
func percentile(s domain.Seconds) string {
	d, unit := time.Duration(s), time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}

	return d.Round(unit).String()
}

func latency(d ports.StoreDiagnosis) string { return d.Latency.Round(10 * time.Microsecond).String() }

func connections(d ports.StoreDiagnosis) string {
	if d.Pool == nil {
		return ""
	}

	return fmt.Sprintf("%d of %d", d.Pool.InUse+d.Pool.Idle, d.Pool.Max)
}

const doctorHelp = `Check each store by itself, with a request that needs its connection, its
credentials and its tables, and the shared Redis if there is one. A store is
healthy, degraded (slow, its connection pool is exhausted, writes did not
finish, or its retention policy drops old bars) or down. Redis is degraded at
most, because requests are served without it. What is wrong is told whole, with
what to do about it. The last table has the durations and errors of the checks;
of a program that serves requests, Diagnose has those of each request and call.
Writes that did not finish are listed with their ranges,
which are not covered: run the same import again, or give the range up with
--uncover.
If a store is down, the exit code is that of a command that needs it: 4 if it
cannot be reached, 7 if it denies access or its schema is missing; 1 if several
stores are down for different reasons.

With --uncover, the coverage of a range is given up, because its bars are lost
or wrong: a dropped partition or shard, a restored database, or what an error
calls corrupt data. The range is then not covered instead of corrupt, and can be
imported again. In InfluxDB the range grows to whole blocks (of 4096 bars, as a
rule); other stores delete what is left of the bars. Without --start or --end,
the range extends to the start or the end of the coverage. Dry run unless --yes
is given.`

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
		Long:  doctorHelp,
		Example: "  marketdata doctor\n  marketdata doctor --output json\n" +
			"  marketdata doctor > /dev/null || echo 'a store is down'\n" +
			"  marketdata doctor --uncover BTC/USD 1m --start 2018-04-05 --yes",
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
	columns: []column{{name: "series"}, {name: "start", kind: instant}, {name: "end", kind: instant}},
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
		c.notef("dry run: with --yes the coverage of %s is given up from %s, and in InfluxDB of the rest of the blocks there",
			key, rangeText(r))

		return uncoverList.print(c.out, o.output, []uncoverReport{{key, r}})
	}

	uncovered, err := md.Uncover(ctx, key, r)
	if err != nil {
		return err
	}

	return uncoverList.print(c.out, o.output, []uncoverReport{{key, uncovered}})
}

func (c *command) runDoctor(ctx context.Context, output string) error {
	d, err := c.diagnose(ctx)
	if err != nil {
		return err
	}

	switch output {
	case formatJSON:
		err = writeJSON(c.out, d)
	case formatTable:
		err = errors.Join(healthList.print(c.out, output, d.Stores), writeLine(c.out),
			detailsList.print(c.out, output, d.Stores))
		if err == nil && len(d.Operations) > 0 {
			err = errors.Join(writeLine(c.out), operationList.print(c.out, output, d.Operations))
		}
	default:
		err = diagnosisList.print(c.out, output, d.Stores)
	}
	if err != nil {
		return err
	}

	if output != formatJSON {
		c.noteProblems(d.Stores)
		c.noteUnfinished(d.Stores)
	}

	return downError(d.Stores)
}

func writeLine(w io.Writer) error {
	_, err := fmt.Fprintln(w)
	return err
}

// noteProblems lists the problems of stores that serve requests, with their remedies.
func (c *command) noteProblems(stores []ports.StoreDiagnosis) {
	for _, s := range stores {
		for _, p := range s.Problems {
			switch {
			case p.State == ports.HealthDown: // downError has it
			case p.Remedy != "":
				c.notef("%s; %s", withStoreName(s.Store, p.Detail), p.Remedy)
			default:
				c.notef("%s", withStoreName(s.Store, p.Detail))
			}
		}
	}
}

// downError returns the errors of the stores that are down, whole; nil if there are none.
func downError(stores []ports.StoreDiagnosis) error {
	var down []error
	for _, s := range stores {
		if s.State == ports.HealthDown {
			down = append(down, s.Problems[0].Err)
		}
	}

	switch len(down) {
	case 0:
		return nil
	case 1:
		return down[0]
	}

	return fmt.Errorf("doctor: %w", &batchError{down, len(stores)})
}

// withStoreName returns the detail of a problem behind the name of its store; the text of an error has it already.
func withStoreName(store domain.StoreName, detail string) string {
	prefix := string(store) + ": "
	return prefix + strings.TrimPrefix(detail, prefix)
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

// diagnose checks each of the configured stores by itself.
func (c *command) diagnose(ctx context.Context) (ports.Diagnosis, error) {
	cfg, err := c.loadConfig()
	if err != nil {
		return ports.Diagnosis{}, err
	}
	if cfg.HasServer() && c.dbPath == "" {
		return production.Diagnose(ctx, cfg, c.productionOptions(cfg))
	}
	if _, err := checkDatabase(cfg.SQLite.Path, mustExist); err != nil {
		return ports.Diagnosis{}, err
	}

	return embedded.Diagnose(ctx, cfg, embedded.Options{Logger: newLogger(c.err, cfg.Service.Audit)})
}

// coveredRange returns the range r of a series; a zero start or end of r is that of the coverage. A series without
// coverage is an error of op.
func coveredRange(
	ctx context.Context, md *app.Service, op string, key domain.SeriesKey, r domain.Range,
) (domain.Range, error) {
	extents, err := ports.Collect(md.Coverage(ctx, key.Symbol))
	if err != nil {
		return domain.Range{}, err
	}

	var ranges []domain.Range
	for _, e := range extents {
		if e.Key == key {
			ranges = append(ranges, e.Range)
		}
	}

	coverage := hull(domain.MergeRanges(ranges))
	if coverage.Empty() {
		return domain.Range{}, errNoData(ctx, md, op, key.Symbol, key.String())
	}

	if r.Start.IsZero() {
		r.Start = coverage.Start
	}
	if r.End.IsZero() {
		r.End = coverage.End
	}

	return domain.NewRange(r.Start, r.End)
}
