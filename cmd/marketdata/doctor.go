package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/ports"
)

var diagnosisList = listing[ports.StoreDiagnosis]{
	columns: []column{{name: "store"}, {name: "state"}, {"latency", true}, {"connections", true}, {name: "reason"}},
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

func (c *command) doctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the health of each store",
		Long: "Check the health of each store with a request that needs its connection, its credentials and its\n" +
			"tables. A store is healthy, degraded (slow, its connection pool is exhausted, or its retention policy\n" +
			"drops old bars) or down.\n" +
			"The exit code is 4 if a store is down.",
		Example: "  marketdata doctor\n  marketdata doctor --output json\n" +
			"  marketdata doctor > /dev/null || echo 'a store is down'",
		Args: arguments("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.defaultOutput(&output); err != nil {
				return err
			}
			return c.runDoctor(cmd.Context(), output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
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

// diagnose checks the stores. If a store fails to open, which prevents the check of the others, it returns a diagnosis
// with this store down, and the failure as openErr.
func (c *command) diagnose(ctx context.Context) (d ports.Diagnosis, openErr, err error) {
	md, done, err := c.open(ctx)
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
