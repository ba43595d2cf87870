package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
	"github.com/gal-friday/marketdata/wiring/production"
)

const rootHelp = `Historical market data: exact, validated bars, one call away.

A series is a symbol and a grid: BTC/USD 1m, COINBASE:BTC/USD 1d, ACME 1d@America/New_York.
Grids count s, m (minutes), h, d, w or M (months). Where no server is configured, all is kept in one SQLite file; with
MARKETDATA_POSTGRES_DSN set, in PostgreSQL, and with MARKETDATA_INFLUX_URL too, bars below an hour in InfluxDB.

  marketdata import --symbol COINBASE:BTC/USD --grid 1m bars.csv   store the bars of a file
  marketdata coverage                                              what is held; with --latest, how fresh it is
  marketdata fetch COINBASE:BTC/USD 1m --last 10                   the ten newest bars
  marketdata fetch COINBASE:BTC/USD 1m --start -7d > week.csv      a week of them, for a program
  marketdata fetch 'COINBASE:*' 1d --last 1                        the newest day of every symbol there
  marketdata fetch --trades COINBASE:BTC/USD --last 10             the ten newest trades
  marketdata describe COINBASE:BTC/USD                             what is known of a symbol
  marketdata export COINBASE:BTC/USD 1m btc.csv                    bars into a file, of any length
  marketdata copy --to-db backup.db                                all that is held into another store
  marketdata diff COINBASE:BTC/USD 1d --against 1m                 stored bars against those made of finer ones
  marketdata doctor                                                how the stores are

Times are 2018-04-04 (midnight in the grid's time zone), 2018-04-04T09:30:00Z, -7d (before now; also s m h w M) or now.
A range holds its start and not its end.

Tables are for terminals; where the output goes elsewhere it is CSV, unless --output says otherwise.

Exit codes:
` + exitCodes

// command is what all subcommands share: the streams, the global flags and the clock that -7d counts from.
type command struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time

	configPath string
	dbPath     string

	started bool // the arguments were accepted and a subcommand runs
	servers bool // the stores are servers, not a file
}

// run executes one command line, without the program's name, and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &command{in: stdin, out: stdout, err: stderr, now: time.Now}
	root := c.root() //nolint:contextcheck // a subcommand gets its context when it runs
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	last, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}

	fmt.Fprintln(stderr, "marketdata:", err)
	if c.servers && errors.Is(err, ports.ErrSchema) {
		fmt.Fprintln(stderr, "marketdata migrate makes what is missing")
	}
	if !c.started {
		fmt.Fprintf(stderr, "%s --help shows how it is used\n", last.CommandPath())
		return exitInvalid
	}

	return exitCode(err)
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "marketdata",
		Short:         "Historical market data from the shell",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       currentBuild().String(),
		PersistentPreRun: func(*cobra.Command, []string) {
			c.started = true
		},
	}
	root.SetVersionTemplate("marketdata {{.Version}}\n")
	root.PersistentFlags().StringVar(&c.configPath, "config", "", "configuration `file` (YAML); environment variables MARKETDATA_... override it")
	root.PersistentFlags().StringVar(&c.dbPath, "db", "", "SQLite `file` to use, whatever the configuration says")
	root.AddCommand(c.fetch(), c.imports(), c.symbols(), c.describe(), c.coverage(), c.export(), c.copies(), c.diff(), c.deletes(), c.doctor(), c.migrate(), c.config(), c.demo(), c.version())

	return root
}

// settings is the effective configuration: file, environment, flags, the later over the earlier.
func (c *command) settings() (wiring.Config, error) { return settings(c.configPath, c.dbPath) }

// settings is the effective configuration with this file and, unless it is empty, this database.
func settings(configPath, dbPath string) (wiring.Config, error) {
	cfg, err := wiring.Load(configPath)
	if err != nil {
		return wiring.Config{}, userError{err}
	}

	if dbPath != "" {
		cfg.SQLite.Path = dbPath
	}
	if err := cfg.Validate(); err != nil {
		return wiring.Config{}, userError{err}
	}

	return cfg, nil
}

// open is the application on the configured servers, or where there are none, or --db is given, on the SQLite file. The caller calls
// the function returned when done.
func (c *command) open(ctx context.Context) (*app.Service, func(), error) {
	cfg, err := c.settings()
	if err != nil {
		return nil, nil, err
	}

	return c.openStores(ctx, cfg, c.dbPath != "")
}

// openStores is the application on the servers of the configuration, or on its file where there are none or the file is wanted.
func (c *command) openStores(ctx context.Context, cfg wiring.Config, file bool) (*app.Service, func(), error) {
	if cfg.HasServer() && !file {
		c.servers = true
		return production.Open(ctx, cfg, production.Options{Logger: c.logger()})
	}
	return embedded.Open(ctx, cfg, embedded.Options{Logger: c.logger()})
}

// logger tells the user, on standard error, what no result or error tells.
func (c *command) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// notef tells the user something on standard error that does not belong to the answer.
func (c *command) notef(format string, args ...any) {
	fmt.Fprintf(c.err, "note: "+format+"\n", args...)
}
