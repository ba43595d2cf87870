package file

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gal-friday/marketdata/domain"
)

// The columns of files, as the keys of Format.Columns.
const (
	ColumnTime = "time" // the open time of a bar, or the time of a trade or quote

	ColumnOpen   = "open"
	ColumnHigh   = "high"
	ColumnLow    = "low"
	ColumnClose  = "close"
	ColumnVolume = "volume"
	ColumnTrades = "trades" // the trade count; optional

	ColumnSeq   = "seq" // the source's sequence number of a trade or quote; optional
	ColumnPrice = "price"
	ColumnSize  = "size"
	ColumnSide  = "side" // of the aggressor; optional

	ColumnBid     = "bid"
	ColumnAsk     = "ask"
	ColumnBidSize = "bid_size"
	ColumnAskSize = "ask_size"
)

const columnSymbol = "symbol" // optional, and must be the same in every row

// ColumnReason is the column that a RejectWriter adds. Its cells are ignored. In a file with it, each row covers
// only itself, because the rows between were accepted, or are rejected still.
const ColumnReason = "reason"

// schema lists the columns of one kind of file, in the order in which they are written.
type schema struct {
	kind     Kind
	columns  []string
	optional []string // the columns that a file may lack
}

var (
	barSchema = schema{
		kind:     KindBars,
		columns:  []string{ColumnTime, ColumnOpen, ColumnHigh, ColumnLow, ColumnClose, ColumnVolume, ColumnTrades},
		optional: []string{ColumnTrades},
	}
	tradeSchema = schema{
		kind:     KindTrades,
		columns:  []string{ColumnTime, ColumnSeq, ColumnPrice, ColumnSize, ColumnSide},
		optional: []string{ColumnSeq, ColumnSide},
	}
	quoteSchema = schema{
		kind:     KindQuotes,
		columns:  []string{ColumnTime, ColumnSeq, ColumnBid, ColumnAsk, ColumnBidSize, ColumnAskSize},
		optional: []string{ColumnSeq},
	}
)

// header returns the first line of a file of the schema.
func (s schema) header() string { return strings.Join(s.columns, ",") }

// columnNames lists the names of columns in common exports, as normalizeName returns them.
var columnNames = map[string][]string{
	ColumnTime: {
		"time", "timestamp", "ts", "t", "date", "datetime", "opentime", "timeopen", "starttime", "start",
		"unix", "unixtime", "unixtimestamp", "epoch",
	},
	ColumnOpen:   {"open", "o", "openprice", "priceopen"},
	ColumnHigh:   {"high", "h", "highprice", "pricehigh"},
	ColumnLow:    {"low", "l", "lowprice", "pricelow"},
	ColumnClose:  {"close", "c", "closeprice", "priceclose"},
	ColumnVolume: {"volume", "v", "vol", "basevolume", "volumebase", "volumetraded"},
	ColumnTrades: {
		"trades", "n", "count", "tradecount", "tradescount", "numberoftrades", "numtrades", "ntrades", "transactions",
	},
	ColumnSeq:     {"seq", "sequence", "id", "tradeid", "aggtradeid", "aggregatetradeid", "tid", "quoteid"},
	ColumnPrice:   {"price", "p", "tradeprice"},
	ColumnSize:    {"size", "s", "qty", "quantity", "amount", "tradesize", "volume", "v", "vol"},
	ColumnSide:    {"side", "takerside", "aggressor", "direction"},
	ColumnBid:     {"bid", "bidprice", "bestbid", "bestbidprice"},
	ColumnAsk:     {"ask", "askprice", "bestask", "bestaskprice", "offer"},
	ColumnBidSize: {"bidsize", "bidqty", "bidquantity", "bidamount", "bidvolume", "bestbidsize", "bestbidqty"},
	ColumnAskSize: {
		"asksize", "askqty", "askquantity", "askamount", "askvolume", "bestasksize", "bestaskqty", "offersize",
	},
	columnSymbol: {"symbol", "ticker", "pair", "instrument", "market"},
}

// normalizeName returns the lower-case letters and the digits of a column name.
func normalizeName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// layout maps columns to cells.
type layout struct {
	cells   int   // in every row
	columns []int // the cell of each column of a schema, in its order; -1 if the file lacks the column
	symbol  int   // the cell of the symbol column; -1 if the file lacks it
}

// klines is the layout of the rows that Binance publishes without a header: open time, prices, volume, close time,
// quote volume, trade count, two taker volumes and an unused cell.
var klines = layout{cells: 12, columns: []int{0, 1, 2, 3, 4, 5, 8}, symbol: -1}

const klinesCloseTime = 6

// klinesHeader is the header that Binance gives the same rows where it publishes one.
const klinesHeader = "open_time,open,high,low,close,volume,close_time,quote_volume,count," +
	"taker_buy_volume,taker_buy_quote_volume,ignore"

// header contains the column names of a file, and the cells that each column may have according to them.
type header struct {
	names      []string
	candidates map[string][]int
}

func newHeader(cells [][]byte) header {
	h := header{names: make([]string, len(cells)), candidates: map[string][]int{}}
	for i, cell := range cells {
		h.names[i] = string(cell)
		for column, names := range columnNames {
			if slices.Contains(names, normalizeName(h.names[i])) {
				h.candidates[column] = append(h.candidates[column], i)
			}
		}
	}

	return h
}

func (h header) hasColumns(columns ...string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return len(h.candidates[c]) == 0 })
}

// kind returns the kind of file that the columns belong to, or Bars if they do not identify one.
func (h header) kind() Kind {
	switch {
	case h.hasColumns(ColumnOpen) || h.hasColumns(ColumnHigh) || h.hasColumns(ColumnLow):
	case h.hasColumns(ColumnPrice, ColumnSize):
		return KindTrades
	case h.hasColumns(ColumnBid, ColumnAsk):
		return KindQuotes
	}

	return KindBars
}

// applyNames applies Format.Columns, the names that the user configured for columns.
func (h header) applyNames(names map[string]string, s schema) error {
	var errs []error
	for _, column := range slices.Sorted(maps.Keys(names)) {
		i := slices.Index(h.names, names[column])
		switch {
		case !slices.Contains(s.columns, column): // see checkColumns
		case i < 0:
			errs = append(errs, fmt.Errorf("no column %q for %s; the columns are %s",
				names[column], column, QuoteNames(h.names)))
		default:
			h.candidates[column] = []int{i}
		}
	}

	return errors.Join(checkColumns(names, s), errors.Join(errs...))
}

// checkColumns returns an error for each name that the user configured for a column that the schema does not have.
func checkColumns(names map[string]string, s schema) error {
	var errs []error
	for _, column := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(s.columns, column) {
			errs = append(errs, fmt.Errorf("column %q is not one of %s", column, strings.Join(s.columns, ", ")))
		}
	}

	return errors.Join(errs...)
}

// layout returns the cell of each column of the schema.
func (h header) layout(s schema) (layout, error) {
	l := layout{cells: len(h.names), columns: make([]int, len(s.columns)), symbol: -1}
	var missing []string
	for i, column := range s.columns {
		cells := h.candidates[column]
		switch {
		case len(cells) == 1:
			l.columns[i] = cells[0]
		case len(cells) > 1:
			return layout{}, &AmbiguousError{
				Setting: SettingColumns, Column: column,
				Reason: fmt.Sprintf("%q and %q can both be the %s", h.names[cells[0]], h.names[cells[1]], column),
			}
		default:
			l.columns[i] = -1
			if !slices.Contains(s.optional, column) {
				missing = append(missing, column)
			}
		}
	}

	if len(missing) > 0 {
		return layout{}, h.missingError(s, missing)
	}
	if cells := h.candidates[columnSymbol]; len(cells) > 0 {
		l.symbol = cells[0]
	}

	return l, nil
}

// describe returns which names the layout takes, and which it ignores.
func (h header) describe(l layout, s schema) Columns {
	c := Columns{Taken: map[string]string{}}
	for i, cell := range l.columns {
		if cell >= 0 {
			c.Taken[s.columns[i]] = h.names[cell]
		}
	}
	for i, name := range h.names {
		if !slices.Contains(l.columns, i) && i != l.symbol && name != ColumnReason {
			c.Ignored = append(c.Ignored, name)
		}
	}

	return c
}

// missingError returns the error for a file that lacks columns of the schema.
func (h header) missingError(s schema, missing []string) error {
	if kind := h.kind(); kind != s.kind {
		return fmt.Errorf("the columns are those of %s, not of %s", kind, s.kind)
	}
	if !utf8.ValidString(strings.Join(h.names, "")) {
		return errNotText
	}
	if len(h.candidates) == 0 && len(h.names) < len(s.columns)-len(s.optional) {
		return fmt.Errorf("the line does not name the columns, like %s; it is %s; remove what stands above the names",
			s.header(), QuoteNames(h.names))
	}

	return &AmbiguousError{
		Setting: SettingColumns, Column: missing[0],
		Reason: fmt.Sprintf("no column is known to be %s; the columns in the first line are %s",
			strings.Join(missing, ", "), QuoteNames(h.names)),
	}
}

// QuoteNames returns the names of columns as a list for people, each in quotes.
func QuoteNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}

	return strings.Join(quoted, ", ")
}

// klinesLayout returns klines if the row, the first of a file without a header, certainly is one: its close time must
// be the last instant of the bar that begins at its open time.
func klinesLayout(row [][]byte, times *timeParser, grid domain.Grid) (layout, error) {
	errNoHeader := noHeaderError("time,open,high,low,close,volume")
	if len(row) != klines.cells {
		return layout{}, errNoHeader
	}

	open, err := times.parse(row[klines.columns[0]])
	if err != nil {
		return layout{}, err
	}

	last, err := times.parse(row[klinesCloseTime])
	if err != nil || !last.After(open) {
		return layout{}, errNoHeader
	}
	if end := last.Add(times.unit.duration()); !end.Equal(grid.Next(open)) {
		return layout{}, fmt.Errorf("the row looks like a Binance kline of %s, not of %s; give its frequency, or "+
			"name the columns in the first line", end.Sub(open), grid)
	}

	return klines, nil
}
