package main

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

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

// outputFormats are the values of --output of every subcommand.
var outputFormats = []string{formatTable, formatCSV, formatJSON, formatNDJSON}

// outputFlag adds --output to a subcommand. more are the formats that other subcommands do not have.
func outputFlag(flags *pflag.FlagSet, format *string, more ...string) {
	formats := slices.Concat(outputFormats, more)
	flags.StringVarP(format, "output", "o", "",
		"output `format`: "+orList(formats)+"; default table on a terminal, else csv; ndjson is a JSON object per line")
	setWords(flags, "output", formats...)
}

// defaultOutput sets the output format where --output was not given, and refuses one that is neither in outputFormats
// nor in more.
func (c *command) defaultOutput(format *string, more ...string) error {
	formats := slices.Concat(outputFormats, more)
	if *format == "" {
		*format = formatCSV
		if isTerminal(c.out) {
			*format = formatTable
		}
	}
	if !slices.Contains(formats, *format) {
		return &domain.InvalidError{What: "--output", Value: *format, Reason: "one of " + strings.Join(formats, ", ")}
	}

	return nil
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
