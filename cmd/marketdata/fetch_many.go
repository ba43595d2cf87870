package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ofEach is what came of one symbol of several: a value, or why there is none.
type ofEach[T any] struct {
	name  string // the symbol, or a pattern that matches none
	value T
	err   error
}

// isPattern reports whether the argument stands for the symbols that it matches.
func isPattern(arg string) bool { return strings.ContainsAny(arg, "*?") }

// fetchMany is fetch of several symbols: each has an answer or an error of its own, in the order of the command line.
func (c *command) fetchMany(ctx context.Context, names []string, r domain.DataRequest, o fetchOptions) error {
	for _, name := range names {
		if _, err := domain.ParseSymbol(name); err != nil && !isPattern(name) {
			return err
		}
	}

	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	asked, err := named(ctx, md, names)
	if err != nil {
		return err
	}

	requests := make([]domain.DataRequest, 0, len(asked))
	for _, a := range asked {
		if a.err == nil {
			r.Key.Symbol = domain.Symbol(a.name)
			requests = append(requests, r)
		}
	}
	if o.explain {
		plans := withValues(asked, func(i int) (ports.QueryPlan, error) { return md.Explain(ctx, requests[i]) })
		if err := printPlans(c.out, o.output, plans); err != nil {
			return err
		}

		return failures(plans)
	}

	answers := md.FetchMany(ctx, requests)
	results := withValues(asked, func(i int) (domain.Result, error) { return answers[i].Result, answers[i].Err })
	if err := printResults(c.out, o.output, results); err != nil {
		return err
	}

	var empty []domain.SeriesKey
	for _, a := range results {
		if a.err != nil {
			continue
		}

		c.tell(a.name+": ", a.value, o.verbose)
		if a.value.Series.Len() == 0 {
			empty = append(empty, a.value.Series.Key())
		}
	}

	return errors.Join(failures(results), c.tellHeld(ctx, md, empty...))
}

// named is the symbols meant: those given, in the order given, and in the place of a pattern those that it matches, ordered; each
// once. The catalogs are asked once, whatever the number of patterns. A pattern that matches none is an error in its place.
func named(ctx context.Context, md *app.Service, names []string) ([]ofEach[struct{}], error) {
	var known []domain.SymbolMeta
	if patterns := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isPattern(name) }); len(patterns) > 0 {
		var q ports.SymbolQuery
		if len(patterns) == 1 {
			q.Pattern = patterns[0]
		}
		var err error
		if known, err = md.Symbols(ctx, q); err != nil {
			return nil, err
		}
	}

	var all []ofEach[struct{}]
	seen := map[string]bool{}
	add := func(name string, err error) {
		if !seen[name] {
			seen[name] = true
			all = append(all, ofEach[struct{}]{name: name, err: err})
		}
	}
	for _, name := range names {
		if !isPattern(name) {
			add(name, nil)
			continue
		}

		matched := false
		for _, m := range known {
			if m.Symbol.Matches(name) {
				matched = true
				add(string(m.Symbol), nil)
			}
		}

		if !matched {
			add(name, &ports.Error{Kind: ports.ErrNotFound, Op: "fetch", Subject: name, Err: errors.New(noMatch(name))})
		}
	}

	return all, nil
}

// withValues puts the value of the ith that has no error yet into its place.
func withValues[T any](asked []ofEach[struct{}], value func(i int) (T, error)) []ofEach[T] {
	all := make([]ofEach[T], len(asked))
	i := 0
	for n, a := range asked {
		all[n] = ofEach[T]{name: a.name, err: a.err}
		if a.err == nil {
			all[n].value, all[n].err = value(i)
			i++
		}
	}

	return all
}

// failures is the error of those that failed; nil where none did.
func failures[T any](all []ofEach[T]) error {
	var failed []error
	for _, a := range all {
		if errors.Is(a.err, ports.ErrCanceled) { // and so are all behind it
			return a.err
		}
		if a.err != nil {
			failed = append(failed, a.err)
		}
	}

	switch {
	case len(failed) == 0:
		return nil
	case len(all) == 1:
		return failed[0]
	}

	return &severalError{errs: failed, of: len(all)}
}

// printResults writes the answers, each row with its symbol; as JSON, an object for every symbol asked for.
func printResults(w io.Writer, format string, all []ofEach[domain.Result]) error {
	if format != formatJSON && !slices.ContainsFunc(all, func(a ofEach[domain.Result]) bool { return a.err == nil }) {
		return nil
	}

	out := bufio.NewWriter(w)
	var err error
	switch format {
	case formatCSV:
		err = writeSymbolCSV(out, all)
	case formatJSON:
		err = indented(out, records(all, func(r *symbolRecord, value *domain.Result) { r.Result = value }))
	case formatNDJSON:
		err = lines(out, func(yield func(symbolBar) bool) {
			for _, a := range all {
				for _, b := range a.value.Series.All() {
					if !yield(symbolBar{a.name, b}) {
						return
					}
				}
			}
		})
	default:
		err = printSymbolTable(out, all)
	}
	if err != nil {
		return err
	}

	return out.Flush()
}

// printPlans writes one plan after the other; as JSON, an object for every symbol asked for.
func printPlans(w io.Writer, format string, all []ofEach[ports.QueryPlan]) error {
	if format == formatJSON {
		return indented(w, records(all, func(r *symbolRecord, value *ports.QueryPlan) { r.Plan = value }))
	}

	for _, a := range all {
		if a.err == nil {
			if _, err := fmt.Fprintln(w, strings.TrimSuffix(a.value.String(), "\n")); err != nil {
				return err
			}
		}
	}

	return nil
}

// symbolRecord is what came of one symbol, as JSON: one of the three.
type symbolRecord struct {
	Symbol string           `json:"symbol"`
	Result *domain.Result   `json:"result,omitempty"`
	Plan   *ports.QueryPlan `json:"plan,omitempty"`
	Error  string           `json:"error,omitempty"`
}

func records[T any](all []ofEach[T], put func(r *symbolRecord, value *T)) []symbolRecord {
	made := make([]symbolRecord, len(all))
	for i := range all {
		made[i].Symbol = all[i].name
		if err := all[i].err; err != nil {
			made[i].Error = err.Error()
			continue
		}

		put(&made[i], &all[i].value)
	}

	return made
}

// symbolBar is a bar and its symbol, as a line of JSON.
type symbolBar struct {
	Symbol string `json:"symbol"`
	domain.Bar
}

// writeSymbolCSV writes the bars as they are written of one series, behind a column of symbols.
func writeSymbolCSV(w io.Writer, all []ofEach[domain.Result]) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"symbol", "time", "open", "high", "low", "close", "volume", "trades"}); err != nil {
		return err
	}

	for _, a := range all {
		for _, b := range a.value.Series.All() {
			err := out.Write([]string{
				a.name, stamp(b.OpenTime), b.Open.String(), b.High.String(), b.Low.String(), b.Close.String(), b.Volume.String(),
				strconv.FormatInt(b.Trades, 10),
			})
			if err != nil {
				return err
			}
		}
	}

	out.Flush()
	return out.Error()
}

// printSymbolTable is one table of the bars of all symbols, the points of each symbol's numbers under each other.
func printSymbolTable(w io.Writer, all []ofEach[domain.Result]) error {
	var layout string
	for _, a := range all {
		layout = max(layout, timeLayout(a.value.Series)) // a finer one is longer, and begins alike
	}
	var rows [][]string
	for _, a := range all {
		for _, row := range barRows(a.value.Series, layout) {
			rows = append(rows, append([]string{a.name}, row...))
		}
	}

	return printTable(w, append([]column{{name: "symbol"}}, barColumns()...), rows)
}
