package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/gal-friday/marketdata/adapters/file"
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

// column is the heading of a column and the kind of its cells.
type column struct {
	name string
	kind cellKind
}

// cellKind is the kind of the cells of a column.
type cellKind int

const (
	word     cellKind = iota // a symbol, a time, a word of the program
	number                   // aligned to the right
	freeText                 // of other people: a file name, the reason of an error
)

// listing prints a list of records: as JSON, or as cells of columns.
type listing[T any] struct {
	columns []column
	cells   func(T) []string
}

// print writes the records in the format.
func (l listing[T]) print(w io.Writer, format string, records []T) error {
	switch format {
	case formatJSON:
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

		return csv.NewWriter(w).WriteAll(append([][]string{header}, l.withoutFormulas(rows)...))
	}

	return printTable(w, l.columns, rows)
}

// withoutFormulas returns the rows with an apostrophe before each cell of free text that a spreadsheet would take for a
// formula.
func (l listing[T]) withoutFormulas(rows [][]string) [][]string {
	for _, row := range rows {
		for i, cell := range row {
			if l.columns[i].kind == freeText {
				row[i] = file.HarmlessCell(cell)
			}
		}
	}

	return rows
}

// printTable writes the rows below the headings of the columns. Each column is as wide as its widest cell, so no cell
// is cut. Control characters of a cell are escaped.
func printTable(w io.Writer, columns []column, rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = escapeControls(cell)
		}
	}

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
		case columns[i].kind == number:
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
