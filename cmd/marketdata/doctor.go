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
	columns: []column{{name: "store"}, {name: "state"}, {"check took", true}, {"connections", true}, {name: "why"}},
	cells: func(d ports.StoreDiagnosis) []string {
		connections := ""
		if p := d.Pool; p != nil {
			connections = fmt.Sprintf("%d of %d", p.InUse+p.Idle, p.Max)
		}
		return []string{d.Store, string(d.State), d.Latency.Round(10 * time.Microsecond).String(), connections, d.Reason}
	},
}

func (c *command) doctor() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell how the stores are",
		Long: "Ask every store for something that needs its connection, its credentials and its tables, and tell which are healthy,\n" +
			"degraded (slow, or without room for more) or down. The exit code is 4 where one is down.",
		Example: "  marketdata doctor\n  marketdata doctor --output json\n  marketdata doctor > /dev/null || echo 'a store is down'",
		Args:    arguments("none", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.settle(&output); err != nil {
				return err
			}
			return c.runDoctor(cmd.Context(), output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runDoctor(ctx context.Context, output string) error {
	d, unopened, err := c.diagnose(ctx)
	if err != nil {
		return err
	}

	if output == formatJSON {
		err = indented(c.out, d)
	} else {
		err = diagnosisList.print(c.out, output, d.Stores)
	}
	if err != nil || d.State() != ports.Down {
		return err
	}

	var down []string
	for _, s := range d.Stores {
		if s.State == ports.Down {
			down = append(down, s.Store)
		}
	}

	cause := fmt.Errorf("%s down: %w", strings.Join(down, " and "), cmp.Or(unopened, ports.ErrUnavailable))
	return &ports.Error{Kind: ports.ErrUnavailable, Op: "doctor", Err: cause}
}

// diagnose asks the stores. One that keeps them all from being opened is down, and tells why: the others are not asked then.
func (c *command) diagnose(ctx context.Context) (d ports.Diagnosis, unopened, err error) {
	md, done, err := c.open(ctx)
	if err == nil {
		defer done()
		d, err = md.Diagnose(ctx)
		return d, nil, err
	}

	var of *ports.Error
	if ctx.Err() != nil || !errors.As(err, &of) || of.Store == "" || errors.Is(err, ports.ErrInvalid) {
		return d, nil, err
	}

	return ports.Diagnosis{At: c.now().UTC(), Stores: []ports.StoreDiagnosis{
		{Store: of.Store, State: ports.Down, Reason: of.Kind.Error() + ", when it was to be opened; no other store was asked"},
	}}, err, nil
}
