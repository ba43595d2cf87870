package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
)

// printResult writes the bars of a result in the format. JSON has the whole result and, where a page was requested, how
// to continue.
func printResult(w io.Writer, format string, r domain.Result, next *nextPage) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case formatCSV:
		err = writeCSV(out, r.Series)
	case formatJSON:
		err = writeJSON(out, resultPage{r, next})
	case formatParquet:
		err = writeParquet(out, r.Series, ingest.CoveredSlots(r.Series.Key().Grid, r), newBarParquet(r.Series.Key()))
	case formatNDJSON:
		err = writeNDJSON(out, func(yield func(domain.Bar) bool) {
			for _, b := range r.Series.All() {
				if !yield(b) {
					return
				}
			}
		})
	default:
		return printBars(w, r.Series)
	}
	if err != nil {
		return err
	}

	return out.Flush()
}

// resultPage is a result as JSON and, where a page was requested, how to continue.
type resultPage struct {
	Result domain.Result
	Page   *nextPage
}

// MarshalJSON returns the object of the result with the page as its last field.
func (p resultPage) MarshalJSON() ([]byte, error) {
	result, err := json.Marshal(p.Result)
	if err != nil || p.Page == nil {
		return result, err
	}

	page, err := json.Marshal(p.Page)

	return slices.Concat(bytes.TrimSuffix(result, []byte("}")), []byte(`,"page":`), page, []byte("}")), err
}

func writeCSV(w io.Writer, s domain.Series) error {
	out := file.NewBarWriter(w)
	if err := out.Write(s); err != nil {
		return err
	}

	return out.Flush()
}

// printBars writes the bars as a table.
func printBars(w io.Writer, s domain.Series) error {
	return printTable(w, barColumns(), barRows(s, timeLayout(s)))
}

func barColumns() []column {
	return []column{
		{name: "time (utc)", kind: instant},
		{name: "open", kind: number}, {name: "high", kind: number}, {name: "low", kind: number},
		{name: "close", kind: number}, {name: "volume", kind: number}, {name: "trades", kind: number},
	}
}

// barRows returns the table rows of the bars: decimal points aligned, an unknown trade count as a dash.
func barRows(s domain.Series, layout string) [][]string {
	rows := make([][]string, 0, s.Len())
	for _, b := range s.All() {
		trades := strconv.FormatInt(b.Trades, 10)
		if !b.HasTradeCount() {
			trades = "-"
		}
		rows = append(rows, []string{
			b.OpenTime.Format(layout),
			b.Open.String(), b.High.String(), b.Low.String(), b.Close.String(), b.Volume.String(), trades,
		})
	}

	alignPoints(rows, 1, 2, 3, 4)
	alignPoints(rows, 5)

	return rows
}

// alignPoints pads the numbers of the columns with zeros, so that all have as many digits after the point as the
// longest.
func alignPoints(rows [][]string, columns ...int) {
	digits := 0
	for _, row := range rows {
		for _, c := range columns {
			digits = max(digits, fractionDigits(row[c]))
		}
	}

	for _, row := range rows {
		for _, c := range columns {
			row[c] = padFraction(row[c], digits)
		}
	}
}

// timeLayout returns the shortest layout that shows every open time exactly to the second.
func timeLayout(s domain.Series) string {
	layout := time.DateOnly
	for _, b := range s.All() {
		if b.OpenTime.Second() != 0 {
			return time.DateTime
		}
		if b.OpenTime.Hour() != 0 || b.OpenTime.Minute() != 0 {
			layout = minuteLayout
		}
	}

	return layout
}

// fractionDigits returns the number of digits after the point.
func fractionDigits(number string) int {
	_, digits, _ := strings.Cut(number, ".")
	return len(digits)
}

// padFraction appends zeros until the number has so many digits after the point.
func padFraction(number string, digits int) string {
	missing := digits - fractionDigits(number)
	if missing == 0 {
		return number
	}

	if fractionDigits(number) == 0 {
		number += "."
	}

	return number + strings.Repeat("0", missing)
}
