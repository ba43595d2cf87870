package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The columns of a file of bars, as Config.Columns names them.
const (
	ColumnTime   = "time" // the open time
	ColumnOpen   = "open"
	ColumnHigh   = "high"
	ColumnLow    = "low"
	ColumnClose  = "close"
	ColumnVolume = "volume"
	ColumnTrades = "trades" // how many; a file may lack it
)

// barColumns are the columns of a file of bars in the order in which they are written.
var barColumns = [...]string{ColumnTime, ColumnOpen, ColumnHigh, ColumnLow, ColumnClose, ColumnVolume, ColumnTrades}

const (
	columnSymbol = "symbol" // has to be the same in every row
	optional     = len(barColumns) - 1
)

// spellings are the names of columns in common exports, in lower case, letters and digits only.
var spellings = map[string][]string{
	ColumnTime: {
		"time", "timestamp", "ts", "t", "date", "datetime", "opentime", "timeopen", "starttime", "start",
		"unix", "unixtime", "unixtimestamp", "epoch",
	},
	ColumnOpen:   {"open", "o", "openprice", "priceopen"},
	ColumnHigh:   {"high", "h", "highprice", "pricehigh"},
	ColumnLow:    {"low", "l", "lowprice", "pricelow"},
	ColumnClose:  {"close", "c", "closeprice", "priceclose"},
	ColumnVolume: {"volume", "v", "vol", "basevolume", "volumebase", "volumetraded"},
	ColumnTrades: {"trades", "n", "count", "tradecount", "tradescount", "numberoftrades", "numtrades", "ntrades", "transactions"},
	columnSymbol: {"symbol", "ticker", "pair", "instrument", "market"},
	"price":      {"price", "p"},
	"size":       {"size", "s", "qty", "quantity", "amount"},
	"bid":        {"bid", "bidprice", "bestbid"},
	"ask":        {"ask", "askprice", "bestask", "offer"},
}

// layout says in which cell of a row each column is; -1 is nowhere.
type layout struct {
	cells  int // in every row
	column [len(barColumns)]int
	symbol int
}

// klines is the row that Binance publishes without a header: open time, prices, volume, close time, quote volume, trade count,
// two taker volumes and an unused cell.
var klines = layout{cells: 12, column: [...]int{0, 1, 2, 3, 4, 5, 8}, symbol: -1}

const klinesCloseTime = 6

// headerLayout finds the columns by the header's names; chosen gives a column's name as the file spells it where ours would not
// find it.
func headerLayout(header [][]byte, chosen map[string]string) (layout, error) {
	names := make([]string, len(header))
	found := map[string][]int{}
	for i, cell := range header {
		names[i] = string(cell)
		for column, known := range spellings {
			if slices.Contains(known, plain(names[i])) {
				found[column] = append(found[column], i)
			}
		}
	}
	var faults []error
	for column, name := range chosen {
		if !slices.Contains(barColumns[:], column) {
			faults = append(faults, fmt.Errorf("column %q is not one of %s", column, strings.Join(barColumns[:], ", ")))
			continue
		}
		i := slices.Index(names, name)
		if i < 0 {
			faults = append(faults, fmt.Errorf("no column %q for %s; the columns are %q", name, column, names))
			continue
		}
		found[column] = []int{i}
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return layout{}, errors.Join(faults...)
	}
	l := layout{cells: len(header), symbol: -1}
	var missing []string
	for c, column := range barColumns {
		at := found[column]
		switch {
		case len(at) == 1:
			l.column[c] = at[0]
		case len(at) > 1:
			return layout{}, &UnclearError{Setting: SettingColumns, Column: column,
				Reason: fmt.Sprintf("%q and %q can both be the %s", names[at[0]], names[at[1]], column)}
		default:
			l.column[c] = -1
			if c != optional {
				missing = append(missing, column)
			}
		}
	}
	if len(missing) > 0 {
		return layout{}, notBars(found, names, missing)
	}
	if at := found[columnSymbol]; len(at) > 0 {
		l.symbol = at[0]
	}
	return l, nil
}

// notBars says what a file without the columns of bars is, where its columns tell.
func notBars(found map[string][]int, names, missing []string) error {
	has := func(columns ...string) bool {
		return !slices.ContainsFunc(columns, func(c string) bool { return len(found[c]) == 0 })
	}
	switch {
	case has(ColumnOpen) || has(ColumnHigh) || has(ColumnLow):
	case has("price") && (has("size") || has(ColumnVolume)):
		return errors.New("the columns are those of trades; trades are not stored yet, only bars are (open, high, low, close)")
	case has("bid", "ask"):
		return errors.New("the columns are those of quotes; quotes are not stored yet, only bars are (open, high, low, close)")
	}
	return &UnclearError{Setting: SettingColumns, Column: missing[0],
		Reason: fmt.Sprintf("no column is known to be %s; the columns are %q", strings.Join(missing, ", "), names)}
}

// plain is a name in lower case without all but letters and digits.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// klinesLayout is klines where the row, the first of a file without a header, certainly is one: its close time is the last
// instant of the bar that its open time begins.
func klinesLayout(row [][]byte, times *timeParser, cfg Config) (layout, error) {
	const noHeader = "the file has no header; put one in its first line, like time,open,high,low,close,volume"
	if len(row) != klines.cells || len(cfg.Columns) > 0 {
		return layout{}, errors.New(noHeader)
	}
	open, err := times.parse(row[klines.column[0]])
	if err != nil {
		return layout{}, err
	}
	last, err := times.parse(row[klinesCloseTime])
	if err != nil || !last.After(open) {
		return layout{}, errors.New(noHeader)
	}
	if end := last.Add(times.unit.duration()); !end.Equal(cfg.Key.Grid.Next(open)) {
		return layout{}, fmt.Errorf("the row looks like a Binance kline, but of %s, not of %s; name its grid, or put a header in the "+
			"first line", end.Sub(open), cfg.Key.Grid)
	}
	return klines, nil
}
