package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/gal-friday/marketdata/domain"
)

// The values of --output.
const (
	formatTable  = "table"
	formatCSV    = "csv"
	formatJSON   = "json"
	formatNDJSON = "ndjson"
)

// outputFlag adds --output to a subcommand.
func outputFlag(flags *pflag.FlagSet, format *string) {
	flags.StringVarP(format, "output", "o", "",
		"output `format`: table, csv, json or ndjson (one JSON object per line); default table on a terminal, else csv")
}

// defaultOutput sets the output format where --output was not given, and refuses an unknown one.
func (c *command) defaultOutput(format *string) error {
	if *format == "" {
		*format = formatCSV
		if isTerminal(c.out) {
			*format = formatTable
		}
	}
	if !slices.Contains([]string{formatTable, formatCSV, formatJSON, formatNDJSON}, *format) {
		return &domain.InvalidError{What: "--output", Value: *format, Reason: "one of table, csv, json, ndjson"}
	}

	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// column is the heading of a table column; right aligns its cells to the right, as numbers are.
type column struct {
	name  string
	right bool
}

// listing prints a list of records: as JSON, or as cells of columns.
type listing[T any] struct {
	columns []column
	cells   func(T) []string
}

// print writes the records in the format.
func (l listing[T]) print(w io.Writer, format string, records []T) error {
	switch format {
	case formatJSON:
		if records == nil {
			records = []T{}
		}
		return writeJSON(w, records)
	case formatNDJSON:
		return writeNDJSON(w, slices.Values(records))
	}

	rows := make([][]string, 0, len(records))
	for _, r := range records {
		rows = append(rows, l.cells(r))
	}
	if format == formatCSV {
		header := make([]string, len(l.columns))
		for i, c := range l.columns {
			header[i] = c.name
		}

		return csv.NewWriter(w).WriteAll(append([][]string{header}, rows...))
	}

	return printTable(w, l.columns, rows)
}

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeNDJSON writes one JSON object per line.
func writeNDJSON[T any](w io.Writer, records func(func(T) bool)) error {
	e := json.NewEncoder(w)
	for r := range records {
		if err := e.Encode(r); err != nil {
			return err
		}
	}

	return nil
}

// printTable writes the rows below the headings of the columns. Each column is as wide as its widest cell, so no cell
// is cut.
func printTable(w io.Writer, columns []column, rows [][]string) error {
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = strings.ToUpper(c.name)
	}

	widths := make([]int, len(columns))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}

	if _, err := fmt.Fprintln(w, tableLine(columns, widths, header)); err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, tableLine(columns, widths, row)); err != nil {
			return err
		}
	}

	return nil
}

// tableLine returns the cells of a row, padded to the widths of their columns.
func tableLine(columns []column, widths []int, row []string) string {
	var line strings.Builder
	for i, cell := range row {
		blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		last := i == len(row)-1
		switch {
		case columns[i].right:
			line.WriteString(blanks + cell)
		case last:
			line.WriteString(cell)
		default:
			line.WriteString(cell + blanks)
		}
		if !last {
			line.WriteString("  ")
		}
	}

	return line.String()
}
