package main

import (
	"github.com/spf13/cobra"
)

func (c *command) config() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in effect",
		Long: "Print the configuration in effect as YAML: the defaults, over them the file of --config, over it the environment\n" +
			"variables MARKETDATA_... (MARKETDATA_SQLITE_PATH sets sqlite.path), over them the flags.\n" +
			"What it prints is a file that --config reads, but secrets are hidden: the DSN, the token and the cache's address go into the\n" +
			"environment, as MARKETDATA_POSTGRES_DSN, MARKETDATA_INFLUX_TOKEN and MARKETDATA_CACHE_REDIS_URL, or into a file that only you\n" +
			"can read.",
		Example: "  marketdata config\n  marketdata config > marketdata.yaml\n  marketdata --config marketdata.yaml coverage",
		Args:    arguments("none", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}

			text, err := cfg.YAML()
			if err != nil {
				return err
			}

			_, err = c.out.Write(text)
			return err
		},
	}
}
