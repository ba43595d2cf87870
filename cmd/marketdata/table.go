package main

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gal-friday/marketdata/ports"
)

// column is the heading of a column and the kind of its cells.
type column struct {
	name  string
	kind  cellKind
	usual string // a table that is too wide leaves the column out if all its cells are this one
}

// cellKind is the kind of the cells of a column.
type cellKind int

const (
	word     cellKind = iota // a symbol, a word of the program
	number                   // aligned to the right, never shortened
	instant                  // a time, as stamp writes it
	state                    // of a store, in its color
	freeText                 // of other people: a file name, the reason of an error
	prose                    // in the last column: wrapped, never shortened
)

const (
	columnGap    = 2  // blanks between two columns
	minTextWidth = 12 // to which a text is shortened at most
	minProse     = 24 // columns in which prose is wrapped at least
)

// table is a table as it is printed.
type table struct {
	columns []column
	heading []string
	rows    [][]string
}

// printTable writes the rows below the headings of the columns. On a stream that is no terminal, each column is as wide
// as its widest cell. A table that is wider than its terminal is made narrower as fit says, or else has a line for each
// cell. Control characters of a cell are escaped.
func printTable(w io.Writer, columns []column, rows [][]string) error {
	t := table{columns: columns}
	for _, c := range columns {
		t.heading = append(t.heading, strings.ToUpper(c.name))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = escapeControls(cell)
		}
		t.rows = append(t.rows, cells)
	}

	if screen, ok := w.(*terminal); ok && screen.width > 0 {
		narrow := t.fit(screen.width)
		if narrow.width() > screen.width {
			return writeLines(w, t.withShortTimes().withoutUsual().records(w, screen.width))
		}

		t = narrow
	}

	return writeLines(w, t.lines(w))
}

func writeLines(w io.Writer, lines []string) error {
	out := bufio.NewWriter(w)
	for _, line := range lines {
		if _, err := out.WriteString(line + "\n"); err != nil {
			return err
		}
	}

	return out.Flush()
}

// fit returns the table in at most width columns: with shorter times, then without columns that have only usual cells,
// then with wrapped prose and shortened texts. If all that is not enough, it is still wider. Numbers stay whole.
func (t table) fit(width int) table {
	for _, narrow := range []func(table) table{
		table.withShortTimes, table.withoutUsual,
		func(t table) table { return t.withWrappedProse(width) },
		func(t table) table { return t.withShortTexts(width) },
	} {
		if t.width() <= width {
			break
		}

		t = narrow(t)
	}

	return t
}

// widths returns the width of each column.
func (t table) widths() []int {
	widths := make([]int, len(t.columns))
	for i := range t.columns {
		widths[i] = utf8.RuneCountInString(t.heading[i])
	}
	for _, row := range t.rows {
		for i, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				widths[i] = max(widths[i], utf8.RuneCountInString(line))
			}
		}
	}

	return widths
}

// width returns the number of columns of the terminal that the table takes.
func (t table) width() int {
	total := columnGap * (len(t.columns) - 1)
	for _, w := range t.widths() {
		total += w
	}

	return total
}

// withCells returns the table with other headings and cells of column i.
func (t table) withCells(i int, heading string, change func(cell string) string) table {
	t.heading, t.rows = slices.Clone(t.heading), slices.Clone(t.rows)
	t.heading[i] = heading
	for r, row := range t.rows {
		t.rows[r] = slices.Clone(row)
		t.rows[r][i] = change(row[i])
	}

	return t
}

// withShortTimes returns the table with each column of times in the shortest layout that shows all of them exactly.
func (t table) withShortTimes() table {
	for i, c := range t.columns {
		if c.kind != instant {
			continue
		}

		layout := time.DateOnly
		for _, row := range t.rows {
			layout = max(layout, shortestLayout(row[i])) // a finer layout extends a coarser one, so it compares greater
		}
		if layout != stampLayout {
			t = t.withCells(i, t.heading[i]+" (UTC)", func(cell string) string {
				if at, err := time.Parse(stampLayout, cell); err == nil {
					return at.UTC().Format(layout)
				}
				return cell
			})
		}
	}

	return t
}

// shortestLayout returns the shortest layout that shows the time of a cell exactly; stampLayout for a time that none
// shows.
func shortestLayout(cell string) string {
	if cell == "" {
		return time.DateOnly
	}

	at, err := time.Parse(stampLayout, cell)
	if err != nil {
		return stampLayout
	}
	for _, layout := range []string{time.DateOnly, minuteLayout, time.DateTime} {
		if shown, err := time.Parse(layout, at.UTC().Format(layout)); err == nil && shown.Equal(at) {
			return layout
		}
	}

	return stampLayout
}

// withoutUsual returns the table without the columns that have only usual cells.
func (t table) withoutUsual() table {
	for i := len(t.columns) - 1; i >= 0; i-- {
		isUsual := func(row []string) bool { return row[i] == t.columns[i].usual }
		if t.columns[i].usual == "" || !slices.ContainsFunc(t.rows, isUsual) ||
			slices.ContainsFunc(t.rows, func(row []string) bool { return !isUsual(row) }) {
			continue
		}

		t.columns = slices.Delete(slices.Clone(t.columns), i, i+1)
		t.heading = slices.Delete(slices.Clone(t.heading), i, i+1)
		t.rows = slices.Clone(t.rows)
		for r, row := range t.rows {
			t.rows[r] = slices.Delete(slices.Clone(row), i, i+1)
		}
	}

	return t
}

// withWrappedProse returns the table with the prose of the last column wrapped, so that the table has at most width
// columns.
func (t table) withWrappedProse(width int) table {
	last := len(t.columns) - 1
	if t.columns[last].kind != prose {
		return t
	}

	left := max(minProse, width-t.width()+t.widths()[last])

	return t.withCells(last, t.heading[last], func(cell string) string { return wrapWords(cell, left) })
}

// wrapWords returns the text with line breaks in place of blanks. No line is longer than width unless a word is.
func wrapWords(text string, width int) string {
	var s strings.Builder
	length := 0
	for i, w := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
			length = n
		case length+1+n > width:
			s.WriteByte('\n')
			length = n
		default:
			s.WriteByte(' ')
			length += 1 + n
		}
		s.WriteString(w)
	}

	return s.String()
}

// withShortTexts returns the table with an ellipsis in the texts of its widest columns, so that it has at most width
// columns.
func (t table) withShortTexts(width int) table {
	widths := t.widths()
	for excess := t.width() - width; excess > 0; excess-- {
		widest := -1
		for i, c := range t.columns {
			canShrink := (c.kind == word || c.kind == freeText) &&
				widths[i] > max(minTextWidth, utf8.RuneCountInString(t.heading[i]))
			if canShrink && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}

		widths[widest]--
	}

	for i, w := range widths {
		t = t.withCells(i, t.heading[i], func(cell string) string {
			if c := t.columns[i].kind; c != word && c != freeText {
				return cell
			}
			return shorten(cell, w)
		})
	}

	return t
}

// shorten returns the text in at most width characters, with an ellipsis in its middle if it was longer.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}

	tail := (width - 1) / 2

	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// lines returns the heading and the rows, padded to the widths of their columns.
func (t table) lines(w io.Writer) []string {
	widths := t.widths()
	lines := []string{t.line(w, widths, t.heading)}
	for _, row := range t.rows {
		lines = append(lines, t.line(w, widths, row))
	}

	return lines
}

// line returns the cells of a row, padded to the widths of their columns.
func (t table) line(w io.Writer, widths []int, row []string) string {
	var line strings.Builder
	indent := 0
	for i, cell := range row {
		last := i == len(row)-1
		blanks := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
		switch {
		case t.columns[i].kind == number:
			line.WriteString(blanks + cell)
		case last:
			line.WriteString(strings.ReplaceAll(t.paint(w, i, cell), "\n", "\n"+strings.Repeat(" ", indent)))
		default:
			line.WriteString(t.paint(w, i, cell) + blanks)
		}
		if !last {
			line.WriteString(strings.Repeat(" ", columnGap))
		}
		indent += widths[i] + columnGap
	}

	return line.String()
}

// records returns a line for each cell, with its heading, and an empty line between two rows. In lines of screenWidth
// columns, prose is wrapped and longer texts are shortened.
func (t table) records(w io.Writer, screenWidth int) []string {
	width := 0
	for _, h := range t.heading {
		width = max(width, utf8.RuneCountInString(h))
	}
	indent := width + columnGap

	var lines []string
	for r, row := range t.rows {
		if r > 0 {
			lines = append(lines, "")
		}
		for i, cell := range row {
			switch t.columns[i].kind {
			case prose:
				wrapped := wrapWords(cell, max(minProse, screenWidth-indent))
				cell = strings.ReplaceAll(wrapped, "\n", "\n"+strings.Repeat(" ", indent))
			case word, freeText:
				cell = shorten(cell, max(minTextWidth, screenWidth-indent))
			case number, instant, state:
			}

			blanks := strings.Repeat(" ", indent-utf8.RuneCountInString(t.heading[i]))
			lines = append(lines, t.heading[i]+blanks+t.paint(w, i, cell))
		}
	}

	return lines
}

// paint returns a cell of column i; the state of a store is in its color.
func (t table) paint(w io.Writer, i int, cell string) string {
	if t.columns[i].kind != state {
		return cell
	}

	return paint(w, map[string]color{
		string(ports.HealthOK): green, string(ports.HealthDegraded): yellow, string(ports.HealthDown): red,
	}[cell], cell)
}
