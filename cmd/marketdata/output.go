package main

import (
	"encoding/csv"
	"encoding/json"
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
	flags.StringVarP(format, "output", "o", "", "`form`: table, csv, json or ndjson (a JSON object a line); default table on a terminal, else csv")
}

// settle fills in a form that was not given, and refuses one that is none.
func (c *command) settle(format *string) error {
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

// column of a table; numbers stand at its right.
type column struct {
	name  string
	right bool
}

// listing is a result that is a list: its records as JSON sees them, and as cells of columns.
type listing[T any] struct {
	columns []column
	cells   func(T) []string
}

// print writes the records in the form asked for.
func (l listing[T]) print(w io.Writer, format string, records []T) error {
	switch format {
	case formatJSON:
		if records == nil {
			records = []T{}
		}
		return indented(w, records)
	case formatNDJSON:
		return lines(w, slices.Values(records))
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

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// lines writes a JSON object a line.
func lines[T any](w io.Writer, records func(func(T) bool)) error {
	e := json.NewEncoder(w)
	for r := range records {
		if err := e.Encode(r); err != nil {
			return err
		}
	}

	return nil
}

// printTable writes the columns as wide as their widest cell: nothing is cut.
func printTable(w io.Writer, columns []column, rows [][]string) error {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.name)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}

	var line strings.Builder
	write := func(cell func(i int) string) error {
		line.Reset()
		for i, c := range columns {
			text := cell(i)
			blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			switch {
			case c.right:
				line.WriteString(blanks + text)
			case i < len(columns)-1:
				line.WriteString(text + blanks)
			default:
				line.WriteString(text)
			}

			if i < len(columns)-1 {
				line.WriteString("  ")
			}
		}

		line.WriteByte('\n')
		_, err := io.WriteString(w, line.String())
		return err
	}
	if err := write(func(i int) string { return strings.ToUpper(columns[i].name) }); err != nil {
		return err
	}

	for _, row := range rows {
		if err := write(func(i int) string { return row[i] }); err != nil {
			return err
		}
	}

	return nil
}
