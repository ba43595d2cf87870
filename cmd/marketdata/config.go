package main

import (
	"github.com/spf13/cobra"
)

const configHelp = `Print the effective configuration as YAML. Later sources override earlier ones:
the defaults, the file of --config, the environment variables MARKETDATA_...
(MARKETDATA_SQLITE_PATH sets sqlite.path), the flags.

The output is a file that --config reads: a comment above each setting explains
it and has its environment variable and its default. Secrets are hidden in the
output, and a file with a hidden secret is refused. Remove these lines, and put
the DSN, the token and the URL of Redis into the environment, as
MARKETDATA_POSTGRES_DSN, MARKETDATA_INFLUX_TOKEN and MARKETDATA_CACHE_REDIS_URL,
or write them into a file that only you can read.`

func (c *command) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration",
		Long:  configHelp,
		Example: "  marketdata config\n" +
			"  marketdata config > marketdata.yaml\n" +
			"  marketdata --config marketdata.yaml coverage",
		Args: arguments("no arguments", 0, 0),
		RunE: func(*cobra.Command, []string) error { return c.printConfig() },
	}
}

func (c *command) printConfig() error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}

	text, err := cfg.YAML()
	if err != nil {
		return err
	}

	_, err = c.out.Write(text)

	return err
}
