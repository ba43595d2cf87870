package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
	"github.com/gal-friday/marketdata/wiring/production"
)

const rootHelp = `Historical market data: exact, validated bars, one call away.

A series is a symbol and a frequency: BTC/USD 1m, COINBASE:BTC/USD 1d, ACME
1d@America/New_York (days of that time zone). A frequency counts s, m (minutes),
h, d, w or M (months). Without a configured server, all data is in one SQLite
file. With MARKETDATA_POSTGRES_DSN set it is in PostgreSQL; with
MARKETDATA_INFLUX_URL set too, bars below 1h are in InfluxDB.

  marketdata import --symbol BTC/USD --frequency 1m bars.csv  # store bars
  marketdata coverage                             # list the covered ranges
  marketdata fetch COINBASE:BTC/USD 1m --last 10  # print the ten newest bars
  marketdata fetch BTC/USD 1m --start -7d > week.csv  # save a week of bars
  marketdata fetch 'COINBASE:*' 1d --last 1       # the newest day of each match
  marketdata fetch --trades BTC/USD --last 10     # print the newest trades
  marketdata describe COINBASE:BTC/USD            # show metadata and statistics
  marketdata export COINBASE:BTC/USD 1m btc.csv   # write a file of any length
  marketdata copy --to-db backup.db               # copy all data
  marketdata diff COINBASE:BTC/USD 1d --against 1m  # with resampled bars
  marketdata doctor                               # check each store

Times are 2018-04-04 or 2018-04-04 09:30 (in the time zone of the frequency),
2018-04-04T09:30:00Z, seconds or milliseconds since 1970, -7d (before now; also
s m h w M y) or now. Ranges include the start and exclude the end.

Output is a table on a terminal and CSV elsewhere; --output overrides this. A
table is made as narrow as its terminal; on a pipe nothing is left out. NO_COLOR
turns colors off.

Exit codes:
` + exitCodes

// command has the state that all subcommands share: the streams, the global flags and the clock that -7d counts from.
type command struct {
	in       io.Reader
	out, err io.Writer
	progress io.Writer // standard error, for progress bars
	now      func() time.Time

	configPath string
	dbPath     string

	usePager bool
	pager    *pager // nil if there is none

	started bool // the arguments were accepted and a subcommand runs
}

// run executes one command line, without the program's name, and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	screen := asTerminal(stderr)
	now := func() time.Time { return time.Now().Truncate(time.Microsecond) } // as precise as all times are
	c := &command{in: stdin, out: asTerminal(stdout), err: &messages{Writer: screen}, progress: screen, now: now}
	root := c.rootCommand() //nolint:contextcheck // a subcommand gets its context when it runs
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(c.err)
	last, err := root.ExecuteContextC(ctx)
	err = c.stopPager(err)
	if err == nil {
		return exitOK
	}

	fmt.Fprintln(c.err, "marketdata:", err)
	if !c.started {
		fmt.Fprintf(c.err, "run %s --help for usage\n", last.CommandPath())
		return exitInvalid
	}

	return exitCode(err)
}

func (c *command) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "marketdata",
		Short:         "Query and manage historical market data",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       currentBuild().String(),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			c.started = true
			return c.startPager()
		},
	}
	root.SetVersionTemplate("marketdata {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&c.configPath, "config", "",
		"configuration `file` (YAML); environment variables MARKETDATA_... override it")
	flags.StringVar(&c.dbPath, "db", "", "SQLite `file` to use instead of the configured store (which is, "+
		"without any setting, ~/.local/share/marketdata/marketdata.db)")
	flags.BoolVar(&c.usePager, "pager", false,
		"show the output page by page, with the command in PAGER or else less -FRX; ignored if it is not a terminal")
	root.AddCommand(
		c.fetchCommand(), c.importCommand(), c.symbolsCommand(), c.describeCommand(), c.coverageCommand(),
		c.exportCommand(), c.copyCommand(), c.diffCommand(), c.deleteCommand(), c.retainCommand(), c.touchCommand(),
		c.doctorCommand(), c.migrateCommand(), c.configCommand(), c.demoCommand(), c.versionCommand(),
	)
	fitHelp(root)
	c.completeFlags(root)

	return root
}

// loadConfig returns the effective configuration: the file, overridden by the environment, overridden by the flags.
func (c *command) loadConfig() (wiring.Config, error) { return loadConfig(c.configPath, c.dbPath) }

// loadConfig returns the effective configuration of the file; dbPath replaces its SQLite path unless it is empty.
func loadConfig(configPath, dbPath string) (wiring.Config, error) {
	var unknown []error
	for _, v := range wiring.UnknownVariables() {
		unknown = append(unknown, fmt.Errorf("environment variable %s is unknown; did you mean %s?", v.Name, v.Nearest))
	}
	if err := errors.Join(unknown...); err != nil {
		return wiring.Config{}, userError{err}
	}

	cfg, err := wiring.Load(configPath, nil)
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

// openMode is the treatment of a SQLite file that does not exist.
type openMode int

const (
	mustExist    openMode = iota // it is an error
	mayCreate                    // it creates an empty one
	mayBeMissing                 // it opens an empty one, which is removed when it is closed
)

// open opens the configured servers, or the SQLite file where none is configured or --db is given. The caller must call
// the returned function when done.
func (c *command) open(ctx context.Context, mode openMode) (*app.Service, func(), error) {
	cfg, err := c.loadConfig()
	if err != nil {
		return nil, nil, err
	}

	return c.openStores(ctx, cfg, c.dbPath != "", mode)
}

// productionOptions returns the options of the servers.
func (c *command) productionOptions(cfg wiring.Config) production.Options {
	traceparent := func(context.Context) string { return os.Getenv("TRACEPARENT") }
	logger := newLogger(c.err, cfg.Service.Audit)

	return production.Options{Logger: logger, Redis: redis.OpenShared, Traceparent: traceparent}
}

// openStores opens the servers of the configuration, or its SQLite file where it has no server or useFile is set.
func (c *command) openStores(
	ctx context.Context, cfg wiring.Config, useFile bool, mode openMode,
) (*app.Service, func(), error) {
	if cfg.HasServer() && !useFile {
		return production.Open(ctx, cfg, c.productionOptions(cfg))
	}

	options := embedded.Options{Logger: newLogger(c.err, cfg.Service.Audit)}
	isMissing, err := checkDatabase(cfg.SQLite.Path, mode)
	if err != nil {
		return nil, nil, err
	}
	if !isMissing || mode == mayCreate {
		return embedded.Open(ctx, cfg, options)
	}

	folder, err := os.MkdirTemp("", "marketdata-*")
	if err != nil {
		return nil, nil, err
	}

	cfg.SQLite.Path = filepath.Join(folder, "empty.db")
	md, done, err := embedded.Open(ctx, cfg, options)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(folder))
	}

	return md, func() { done(); _ = os.RemoveAll(folder) }, nil
}

// checkDatabase reports whether there is no SQLite file; the error is that of one that must exist.
func checkDatabase(path string, mode openMode) (isMissing bool, err error) {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if mode == mustExist {
		err = userErrorf("there is no database %s; create it with marketdata import, or name another one "+
			"with --db or MARKETDATA_SQLITE_PATH", path)
	}

	return true, err
}

// notef writes a note to standard error, for facts that do not belong to the result on standard output.
func (c *command) notef(format string, args ...any) {
	fmt.Fprintf(c.err, "note: "+format+"\n", args...)
}
