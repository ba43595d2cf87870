package main

import (
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

const demoHelp = `Write a small market as CSV files to try the other commands on: three symbols, thirty days of one-minute bars, and the
days made of these minutes. All of it is synthetic: no such thing was ever traded. The same seed gives the same files.`

// demoMarket is what is made up: prices walk in whole ticks, volumes are whole lots, and a quiet symbol has minutes without a trade.
var demoMarket = []struct {
	symbol       domain.Symbol
	price        int64 // of the first trade, in ticks
	priceScale   uint8
	volumeScale  uint8
	step         int64 // the furthest that one trade is from the last, in ticks
	quiet        int   // minutes in a hundred without a trade
	busiestTrade int   // the most trades a minute
}{
	{symbol: "SYNTHETIC:ACORN/USD", price: 4_215_050, priceScale: 2, volumeScale: 8, step: 450, quiet: 0, busiestTrade: 40},
	{symbol: "SYNTHETIC:BIRCH/USD", price: 231_874, priceScale: 2, volumeScale: 6, step: 35, quiet: 2, busiestTrade: 16},
	{symbol: "SYNTHETIC:CEDAR/USD", price: 48_213, priceScale: 5, volumeScale: 2, step: 12, quiet: 30, busiestTrade: 5},
}

const (
	demoDays = 30
	demoSeed = 1
)

// demoStart is a Monday in the past, so that every bar is over.
func demoStart() time.Time { return time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC) }

// demoFile is the report on one file written.
type demoFile struct {
	File   string           `json:"file"`
	Series domain.SeriesKey `json:"series"`
	Bars   int              `json:"bars"`
	Range  domain.Range     `json:"range"`
}

var demoList = listing[demoFile]{
	columns: []column{{name: "file"}, {name: "symbol"}, {name: "grid"}, {"bars", true}, {name: "start"}, {name: "end"}},
	cells: func(f demoFile) []string {
		return []string{
			f.File, string(f.Series.Symbol), f.Series.Grid.String(), strconv.Itoa(f.Bars), stamp(f.Range.Start), stamp(f.Range.End),
		}
	},
}

func (c *command) demo() *cobra.Command {
	var dir, output string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo --dir FOLDER",
		Short: "Write a synthetic market as CSV files",
		Long:  demoHelp,
		Example: "  marketdata demo --dir demo\n" +
			"  marketdata import --symbol SYNTHETIC:ACORN/USD --grid 1m demo/SYNTHETIC-ACORN-USD_1m.csv\n" +
			"  marketdata fetch SYNTHETIC:ACORN/USD 1m --last 10",
		Args: arguments("none but flags, like: marketdata demo --dir demo", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return userError{errors.New("--dir is needed: the folder to write the files into, like --dir demo")}
			}
			if err := c.settle(&output); err != nil {
				return err
			}

			files, err := writeDemo(dir, seed)
			if err != nil {
				return err
			}

			c.notef("synthetic data from seed %d; none of it was ever traded", seed)
			return demoList.print(c.out, output, files)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` to write the files into; it is made where it does not exist")
	cmd.Flags().Uint64Var(&seed, "seed", demoSeed, "`number` that the market is made from")
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func writeDemo(dir string, seed uint64) ([]demoFile, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}

	var files []demoFile
	for i := range demoMarket {
		minutes, days, err := demoBars(i, seed)
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

// demoBars makes the minutes of a symbol, and the days that they add up to.
func demoBars(symbol int, seed uint64) (minutes, days domain.Series, err error) {
	of := demoMarket[symbol]
	random := rand.New(rand.NewPCG(seed, uint64(symbol)))
	price := of.price
	minuteBars := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: of.symbol, Grid: domain.Minute1.UTC()}, demoDays*24*60)
	dayBars := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: of.symbol, Grid: domain.Day1.UTC()}, demoDays)
	for d := range demoDays {
		start := demoStart().AddDate(0, 0, d)
		var day tally
		for m := range 24 * 60 {
			var minute tally
			if random.IntN(100) >= of.quiet {
				for range 1 + random.IntN(of.busiestTrade) {
					price = max(1, price+random.Int64N(2*of.step+1)-of.step)
					minute.trade(price, 1+random.Int64N(1_000_000))
				}
			}
			if minute.trades == 0 {
				continue
			}
			if err := minute.append(minuteBars, start.Add(time.Duration(m)*time.Minute), of.priceScale, of.volumeScale); err != nil {
				return minutes, days, err
			}

			day.add(minute)
		}
		if err := day.append(dayBars, start, of.priceScale, of.volumeScale); err != nil {
			return minutes, days, err
		}
	}
	if minutes, err = minuteBars.Series(); err != nil {
		return minutes, days, err
	}

	days, err = dayBars.Series()
	return minutes, days, err
}

// tally is a bar in the making, in ticks and lots.
type tally struct {
	open, high, low, last int64
	lots, trades          int64
}

func (t *tally) trade(price, lots int64) {
	t.add(tally{open: price, high: price, low: price, last: price, lots: lots, trades: 1})
}

// add takes in what was traded after it.
func (t *tally) add(later tally) {
	if t.trades == 0 {
		*t = later
		return
	}

	t.high, t.low, t.last = max(t.high, later.high), min(t.low, later.low), later.last
	t.lots += later.lots
	t.trades += later.trades
}

func (t *tally) append(b *domain.SeriesBuilder, open time.Time, priceScale, volumeScale uint8) error {
	bar := domain.Bar{OpenTime: open, Trades: t.trades}
	for _, of := range []struct {
		to    *domain.Decimal
		count int64
		scale uint8
	}{
		{&bar.Open, t.open, priceScale}, {&bar.High, t.high, priceScale}, {&bar.Low, t.low, priceScale}, {&bar.Close, t.last, priceScale},
		{&bar.Volume, t.lots, volumeScale},
	} {
		d, err := domain.NewDecimal(of.count, of.scale)
		if err != nil {
			return fmt.Errorf("synthetic bar: %w", err)
		}

		*of.to = d
	}

	return b.Append(bar)
}
