package main

import (
	"github.com/spf13/cobra"
)

func (c *command) touchCommand() *cobra.Command {
	var price string
	cmd := &cobra.Command{
		Use:   "touch SYMBOL FREQUENCY",
		Short: "Give a series a new version after its bars were changed with SQL",
		Long: "Give a series a new version, and count its bars anew, after somebody changed its\n" +
			"bars in PostgreSQL with SQL. Until then, programs serve the bars that they have\n" +
			"in their caches, and call bars corrupt whose number changed. Afterwards they\n" +
			"read the series again, after two seconds at the latest. Changes that marketdata\n" +
			"made need no touch. Coverage stays as it is: a deleted bar then means that\n" +
			"nothing traded.",
		Example:           "  marketdata touch BTC/USD 1h\n  marketdata touch BTC/USD 1d --price bid",
		Args:              arguments("a symbol and a frequency, like: marketdata touch BTC/USD 1h", 2, 2),
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseKey(args[0], args[1], price)
			if err != nil {
				return err
			}

			md, done, err := c.open(cmd.Context(), mustExist)
			if err != nil {
				return err
			}

			defer done()

			return md.Touch(cmd.Context(), key)
		},
	}
	priceFlag(cmd.Flags(), &price)

	return cmd
}
