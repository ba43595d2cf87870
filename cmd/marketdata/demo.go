package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
)

const demoHelp = `Write a small market as CSV files to try the other commands on: thirty days of
one-minute bars for three symbols, and the daily bars resampled from them. The
data is synthetic and ends yesterday. The same seed and end write the same
files.`

// demoMarket describes the symbols. Prices walk in whole ticks, volumes are whole lots, and a quiet symbol has minutes
// without a trade.
var demoMarket = []struct {
	symbol      domain.Symbol
	price       int64 // of the first trade, in ticks
	priceScale  uint8
	volumeScale uint8
	step        int64 // the largest change from trade to trade, in ticks
	quiet       int   // percent of the minutes without a trade
	maxTrades   int   // per minute
}{
	{symbol: "SYNTHETIC:ACORN/USD", price: 4_215_050, priceScale: 2, volumeScale: 8, step: 450, maxTrades: 40},
	{symbol: "SYNTHETIC:BIRCH/USD", price: 231_874, priceScale: 2, volumeScale: 6, step: 35, quiet: 2, maxTrades: 16},
	{symbol: "SYNTHETIC:CEDAR/USD", price: 48_213, priceScale: 5, volumeScale: 2, step: 12, quiet: 30, maxTrades: 5},
}

const (
	demoDays = 30
	demoSeed = 1
)

// demoFile reports one file.
type demoFile struct {
	File   string           `json:"file"`
	Series domain.SeriesKey `json:"series"`
	Bars   int              `json:"bars"`
	Range  domain.Range     `json:"range"`
}

var demoList = listing[demoFile]{
	columns: []column{
		{name: "file"}, {name: "symbol"}, {name: "frequency"}, {name: "bars", kind: number},
		{name: "start", kind: instant}, {name: "end", kind: instant},
	},
	cells: func(f demoFile) []string {
		return []string{
			f.File, string(f.Series.Symbol), f.Series.Grid.String(), strconv.Itoa(f.Bars),
			stamp(f.Range.Start), stamp(f.Range.End),
		}
	},
}

func (c *command) demoCommand() *cobra.Command {
	var dir, end, output string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo --dir DIRECTORY",
		Short: "Write a synthetic market as CSV files",
		Long:  demoHelp,
		Example: "  marketdata demo --dir demo\n" +
			"  marketdata import --symbol SYNTHETIC:ACORN/USD --frequency 1m \\\n" +
			"    demo/SYNTHETIC-ACORN-USD_1m.csv\n" +
			"  marketdata fetch SYNTHETIC:ACORN/USD 1m --last 10",
		Args: arguments("only flags, like: marketdata demo --dir demo", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return userErrorf("--dir is required: the directory to write the files to, like --dir demo")
			}
			if err := c.defaultOutput(&output); err != nil {
				return err
			}

			until, err := parseTime(cmp.Or(end, "now"), c.now(), "")
			if err != nil {
				return fmt.Errorf("--end: %w", err)
			}
			if until.After(c.now()) {
				return userErrorf("--end %s is after now; the bars must be closed", end)
			}

			const day = 24 * time.Hour
			files, err := writeDemo(dir, seed, until.Truncate(day).Add(-demoDays*day))
			if err != nil {
				return err
			}

			c.notef("synthetic data from seed %d", seed)

			return demoList.print(c.out, output, files)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`directory` to write the files to; it is created if it does not exist")
	cmd.Flags().Uint64Var(&seed, "seed", demoSeed, "`number` that determines the market")
	cmd.Flags().StringVar(&end, "end", "", "`time` before whose day, in UTC, the market ends (default now)")
	outputFlag(cmd.Flags(), &output)

	return cmd
}

// writeDemo writes the files of a market that begins on the first day.
func writeDemo(dir string, seed uint64, first time.Time) ([]demoFile, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}

	var files []demoFile
	for i := range demoMarket {
		minutes, days, err := demoBars(i, seed, first)
		if err != nil {
			return nil, err
		}

		for _, s := range []domain.Series{minutes, days} {
			f, err := writeDemoFile(dir, s)
			if err != nil {
				return nil, err
			}

			files = append(files, f)
		}
	}

	return files, nil
}

func writeDemoFile(dir string, s domain.Series) (demoFile, error) {
	key := s.Key()
	name := strings.NewReplacer(":", "-", "/", "-").Replace(string(key.Symbol)) + "_" + key.Grid.String() + ".csv"
	report := demoFile{File: filepath.Join(dir, name), Series: key, Bars: s.Len(), Range: s.Range()}
	f, err := os.Create(report.File)
	if err != nil {
		return report, err
	}

	return report, errors.Join(writeCSV(f, s), f.Close())
}

// demoBars returns the minute bars of a symbol, from the first day on, and the daily bars that they sum to.
func demoBars(symbol int, seed uint64, first time.Time) (minutes, days domain.Series, err error) {
	of := demoMarket[symbol]
	random := rand.New(rand.NewPCG(seed, uint64(symbol)))
	price := of.price
	minuteKey := domain.SeriesKey{Symbol: of.symbol, Grid: domain.Minute1.UTC()}
	dayKey := domain.SeriesKey{Symbol: of.symbol, Grid: domain.Day1.UTC()}
	minuteBars, dayBars := domain.NewSeriesBuilder(minuteKey, demoDays*24*60), domain.NewSeriesBuilder(dayKey, demoDays)
	for d := range demoDays {
		start := first.AddDate(0, 0, d)
		day := tally{priceScale: of.priceScale, volumeScale: of.volumeScale}
		for m := range 24 * 60 {
			minute := tally{priceScale: of.priceScale, volumeScale: of.volumeScale}
			if random.IntN(100) >= of.quiet {
				for range 1 + random.IntN(of.maxTrades) {
					price = max(1, price+random.Int64N(2*of.step+1)-of.step)
					minute.addTrade(price, 1+random.Int64N(1_000_000))
				}
			}
			if minute.trades == 0 {
				continue
			}
			if err := minute.appendTo(minuteBars, start.Add(time.Duration(m)*time.Minute)); err != nil {
				return minutes, days, err
			}

			day.add(minute)
		}
		if err := day.appendTo(dayBars, start); err != nil {
			return minutes, days, err
		}
	}
	if minutes, err = minuteBars.Series(); err != nil {
		return minutes, days, err
	}

	days, err = dayBars.Series()

	return minutes, days, err
}

// tally sums trades to a bar, in ticks and lots.
type tally struct {
	open, high, low, last   int64
	lots, trades            int64
	priceScale, volumeScale uint8
}

func (t *tally) addTrade(price, lots int64) {
	t.add(tally{open: price, high: price, low: price, last: price, lots: lots, trades: 1})
}

// add adds a later tally.
func (t *tally) add(later tally) {
	if t.trades == 0 {
		t.open, t.high, t.low = later.open, later.high, later.low
	}

	t.high, t.low, t.last = max(t.high, later.high), min(t.low, later.low), later.last
	t.lots += later.lots
	t.trades += later.trades
}

// appendTo appends the bar that opens at this time.
func (t *tally) appendTo(b *domain.SeriesBuilder, open time.Time) error {
	bar := domain.Bar{OpenTime: open, Trades: t.trades}
	for _, of := range []struct {
		to    *domain.Decimal
		count int64
		scale uint8
	}{
		{&bar.Open, t.open, t.priceScale}, {&bar.High, t.high, t.priceScale}, {&bar.Low, t.low, t.priceScale},
		{&bar.Close, t.last, t.priceScale}, {&bar.Volume, t.lots, t.volumeScale},
	} {
		d, err := domain.NewDecimal(of.count, of.scale)
		if err != nil {
			return fmt.Errorf("synthetic bar: %w", err)
		}

		*of.to = d
	}

	return b.Append(bar)
}
