package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// printResult writes the bars of a result in the form asked for; as JSON, all of the result, and of a page what comes next.
func printResult(w io.Writer, format string, r domain.Result, next nextPage) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case formatCSV:
		err = writeCSV(out, r.Series)
	case formatJSON:
		err = indented(out, struct {
			domain.Result

			Page *nextPage `json:"page,omitempty"`
		}{r, next.orNil()})
	case formatParquet:
		err = writeParquet(out, r.Series, barsAsParquet(r.Series.Key()))
	case formatNDJSON:
		err = lines(out, func(yield func(domain.Bar) bool) {
			for _, b := range r.Series.All() {
				if !yield(b) {
					return
				}
			}
		})
	default:
		err = printBars(out, r.Series)
	}
	if err != nil {
		return err
	}

	return out.Flush()
}

func writeCSV(w io.Writer, s domain.Series) error {
	out := file.NewBarWriter(w)
	if err := out.Write(s); err != nil {
		return err
	}

	return out.Flush()
}

// printBars is a table of bars.
func printBars(w io.Writer, s domain.Series) error {
	return printTable(w, barColumns(), barRows(s, timeLayout(s)))
}

func barColumns() []column {
	return []column{
		{name: "time (utc)"},
		{"open", true}, {"high", true}, {"low", true}, {"close", true}, {"volume", true}, {"trades", true},
	}
}

// barRows is the cells of the bars: points under points, an unknown trade count as a dash.
func barRows(s domain.Series, layout string) [][]string {
	rows := make([][]string, 0, s.Len())
	for _, b := range s.All() {
		trades := strconv.FormatInt(b.Trades, 10)
		if b.Trades == 0 && !b.Volume.IsZero() {
			trades = "-"
		}
		rows = append(rows, []string{
			b.OpenTime.Format(layout), b.Open.String(), b.High.String(), b.Low.String(), b.Close.String(), b.Volume.String(), trades,
		})
	}

	alignPoints(rows, 1, 2, 3, 4)
	alignPoints(rows, 5)
	return rows
}

// alignPoints gives the numbers of the columns as many digits after the point as the longest of them all has.
func alignPoints(rows [][]string, columns ...int) {
	digits := 0
	for _, row := range rows {
		for _, c := range columns {
			digits = max(digits, fraction(row[c]))
		}
	}

	for _, row := range rows {
		for _, c := range columns {
			row[c] = pad(row[c], digits)
		}
	}
}

// timeLayout shows no more of the open times than tells them apart.
func timeLayout(s domain.Series) string {
	layout := time.DateOnly
	for _, b := range s.All() {
		if b.OpenTime.Second() != 0 {
			return time.DateTime
		}
		if b.OpenTime.Hour() != 0 || b.OpenTime.Minute() != 0 {
			layout = "2006-01-02 15:04"
		}
	}

	return layout
}

// fraction is how many digits stand after the point.
func fraction(number string) int {
	_, digits, _ := strings.Cut(number, ".")
	return len(digits)
}

// pad adds zeros up to so many digits after the point.
func pad(number string, digits int) string {
	missing := digits - fraction(number)
	if missing == 0 {
		return number
	}

	if fraction(number) == 0 {
		number += "."
	}
	return number + strings.Repeat("0", missing)
}
