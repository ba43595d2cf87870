package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

// The columns of files, as Format.Columns names them.
const (
	ColumnTime = "time" // the open time of a bar, the instant of a trade or a quote

	ColumnOpen   = "open"
	ColumnHigh   = "high"
	ColumnLow    = "low"
	ColumnClose  = "close"
	ColumnVolume = "volume"
	ColumnTrades = "trades" // how many; a file may lack it

	ColumnSeq   = "seq" // the source's number of a trade or a quote; a file may lack it
	ColumnPrice = "price"
	ColumnSize  = "size"
	ColumnSide  = "side" // of the aggressor; a file may lack it

	ColumnBid     = "bid"
	ColumnAsk     = "ask"
	ColumnBidSize = "bid_size"
	ColumnAskSize = "ask_size"
)

const columnSymbol = "symbol" // has to be the same in every row

// form is a kind of file: what its rows are, and their columns in the order in which they are written.
type form struct {
	what     string
	columns  []string
	optional []string // of them, those that a file may lack
}

// The forms. A layout holds the cells of a form's columns in the form's order.
var (
	barForm = form{
		"bars", []string{ColumnTime, ColumnOpen, ColumnHigh, ColumnLow, ColumnClose, ColumnVolume, ColumnTrades},
		[]string{ColumnTrades},
	}
	tradeForm = form{"trades", []string{ColumnTime, ColumnSeq, ColumnPrice, ColumnSize, ColumnSide}, []string{ColumnSeq, ColumnSide}}
	quoteForm = form{
		"quotes", []string{ColumnTime, ColumnSeq, ColumnBid, ColumnAsk, ColumnBidSize, ColumnAskSize}, []string{ColumnSeq},
	}
)

// spellings are the names of columns in common exports, in lower case, letters and digits only.
var spellings = map[string][]string{
	ColumnTime: {
		"time", "timestamp", "ts", "t", "date", "datetime", "opentime", "timeopen", "starttime", "start",
		"unix", "unixtime", "unixtimestamp", "epoch",
	},
	ColumnOpen:    {"open", "o", "openprice", "priceopen"},
	ColumnHigh:    {"high", "h", "highprice", "pricehigh"},
	ColumnLow:     {"low", "l", "lowprice", "pricelow"},
	ColumnClose:   {"close", "c", "closeprice", "priceclose"},
	ColumnVolume:  {"volume", "v", "vol", "basevolume", "volumebase", "volumetraded"},
	ColumnTrades:  {"trades", "n", "count", "tradecount", "tradescount", "numberoftrades", "numtrades", "ntrades", "transactions"},
	ColumnSeq:     {"seq", "sequence", "id", "tradeid", "aggtradeid", "aggregatetradeid", "tid", "quoteid"},
	ColumnPrice:   {"price", "p", "tradeprice"},
	ColumnSize:    {"size", "s", "qty", "quantity", "amount", "tradesize", "volume", "v", "vol"},
	ColumnSide:    {"side", "takerside", "aggressor", "direction"},
	ColumnBid:     {"bid", "bidprice", "bestbid", "bestbidprice"},
	ColumnAsk:     {"ask", "askprice", "bestask", "bestaskprice", "offer"},
	ColumnBidSize: {"bidsize", "bidqty", "bidquantity", "bidamount", "bidvolume", "bestbidsize", "bestbidqty"},
	ColumnAskSize: {"asksize", "askqty", "askquantity", "askamount", "askvolume", "bestasksize", "bestaskqty", "offersize"},
	columnSymbol:  {"symbol", "ticker", "pair", "instrument", "market"},
}

// layout says in which cell of a row each column of a form is; -1 is nowhere.
type layout struct {
	cells  int // in every row
	column []int
	symbol int
}

// klines is the row that Binance publishes without a header: open time, prices, volume, close time, quote volume, trade count,
// two taker volumes and an unused cell.
var klines = layout{cells: 12, column: []int{0, 1, 2, 3, 4, 5, 8}, symbol: -1}

const klinesCloseTime = 6

// header is the names of a file's columns, and which of them can be which column of any form.
type header struct {
	names []string
	found map[string][]int
}

func newHeader(cells [][]byte) header {
	h := header{names: make([]string, len(cells)), found: map[string][]int{}}
	for i, cell := range cells {
		h.names[i] = string(cell)
		for column, known := range spellings {
			if slices.Contains(known, plain(h.names[i])) {
				h.found[column] = append(h.found[column], i)
			}
		}
	}

	return h
}

func (h header) has(columns ...string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return len(h.found[c]) == 0 })
}

// form is the one whose columns the header has; of an unclear one, that of bars.
func (h header) form() form {
	switch {
	case h.has(ColumnOpen) || h.has(ColumnHigh) || h.has(ColumnLow):
	case h.has(ColumnPrice, ColumnSize):
		return tradeForm
	case h.has(ColumnBid, ColumnAsk):
		return quoteForm
	}
	return barForm
}

// choose takes the user's word for a column: its name as the file spells it, where ours would not find it.
func (h header) choose(chosen map[string]string, f form) error {
	var faults []error
	for column, name := range chosen {
		i := slices.Index(h.names, name)
		switch {
		case !slices.Contains(f.columns, column):
			faults = append(faults, fmt.Errorf("column %q is not one of %s", column, strings.Join(f.columns, ", ")))
		case i < 0:
			faults = append(faults, fmt.Errorf("no column %q for %s; the columns are %q", name, column, h.names))
		default:
			h.found[column] = []int{i}
		}
	}

	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// layout finds the columns of the form.
func (h header) layout(f form) (layout, error) {
	l := layout{cells: len(h.names), column: make([]int, len(f.columns)), symbol: -1}
	var missing []string
	for c, column := range f.columns {
		at := h.found[column]
		switch {
		case len(at) == 1:
			l.column[c] = at[0]
		case len(at) > 1:
			return layout{}, &UnclearError{Setting: SettingColumns, Column: column,
				Reason: fmt.Sprintf("%q and %q can both be the %s", h.names[at[0]], h.names[at[1]], column)}
		default:
			l.column[c] = -1
			if !slices.Contains(f.optional, column) {
				missing = append(missing, column)
			}
		}
	}
	if len(missing) > 0 {
		if is := h.form(); is.what != f.what {
			return layout{}, fmt.Errorf("the columns are those of %s, not of %s", is.what, f.what)
		}
		return layout{}, &UnclearError{Setting: SettingColumns, Column: missing[0],
			Reason: fmt.Sprintf("no column is known to be %s; the columns are %q", strings.Join(missing, ", "), h.names)}
	}

	if at := h.found[columnSymbol]; len(at) > 0 {
		l.symbol = at[0]
	}
	return l, nil
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
func klinesLayout(row [][]byte, times *timeParser, grid domain.Grid) (layout, error) {
	const noHeader = "the file has no header; put one in its first line, like time,open,high,low,close,volume"
	if len(row) != klines.cells {
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
	if end := last.Add(times.unit.duration()); !end.Equal(grid.Next(open)) {
		return layout{}, fmt.Errorf("the row looks like a Binance kline, but of %s, not of %s; name its grid, or put a header in the "+
			"first line", end.Sub(open), grid)
	}

	return klines, nil
}
