package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// outcome is the value or the error of one symbol among several.
type outcome[T any] struct {
	name  string // the symbol, or a pattern that matches none
	value T
	err   error
}

// fetchMany prints the bars of several symbols in the order of the command line. A symbol that fails leaves the others
// alone.
func (c *command) fetchMany(ctx context.Context, names []string, r domain.DataRequest, o fetchOptions) error {
	for _, name := range names {
		if _, err := domain.ParseSymbol(name); err != nil && !isPattern(name) {
			return err
		}
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	symbols, err := resolveSymbols(ctx, md, names)
	if err != nil {
		return err
	}

	requests := make([]domain.DataRequest, 0, len(symbols))
	for _, s := range symbols {
		if s.err == nil {
			r.Key.Symbol = domain.Symbol(s.name)
			requests = append(requests, r)
		}
	}
	if o.explain {
		plans := withValues(symbols, func(i int) (ports.QueryPlan, error) { return md.Explain(ctx, requests[i]) })
		if err := printPlans(c.out, o.output, plans); err != nil {
			return err
		}

		return joinFailures(plans)
	}

	fetched := md.FetchMany(ctx, requests)
	results := withValues(symbols, func(i int) (domain.Result, error) { return fetched[i].Result, fetched[i].Err })
	if err := printResults(c.out, o.output, results); err != nil {
		return err
	}

	return errors.Join(joinFailures(results), c.noteResults(ctx, md, results, o.verbose))
}

// noteResults notes what the bars of the results do not show.
func (c *command) noteResults(
	ctx context.Context, md *app.Service, results []outcome[domain.Result], verbose bool,
) error {
	var empty []emptyResult
	for _, r := range results {
		if r.err != nil {
			continue
		}

		c.noteResult(r.name+": ", r.value, verbose)
		if r.value.Series.Len() == 0 {
			empty = append(empty, emptyBars(r.value.Series.Key()))
		}
	}

	return c.noteStored(ctx, md, empty...)
}

// resolveSymbols returns the symbols of the names in order, each once. It replaces a pattern by the symbols it matches,
// sorted; a pattern that matches none is an outcome with an error. However many patterns there are, the catalogs are
// read once.
func resolveSymbols(ctx context.Context, md *app.Service, names []string) ([]outcome[struct{}], error) {
	patterns := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isPattern(name) })
	catalog, err := readCatalog(ctx, md, patterns)
	if err != nil {
		return nil, err
	}

	var all []outcome[struct{}]
	added := map[string]bool{}
	add := func(name string, err error) {
		if !added[name] {
			added[name] = true
			all = append(all, outcome[struct{}]{name: name, err: err})
		}
	}
	for _, name := range names {
		if !isPattern(name) {
			add(name, nil)
			continue
		}

		matched := false
		for _, m := range catalog {
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

// readCatalog returns the known symbols: all of them for several patterns, those that match a single one, none without
// a pattern.
func readCatalog(ctx context.Context, md *app.Service, patterns []string) ([]domain.SymbolMeta, error) {
	switch len(patterns) {
	case 0:
		return nil, nil
	case 1:
		return ports.Collect(md.Symbols(ctx, ports.SymbolQuery{Pattern: patterns[0]}))
	default:
		return ports.Collect(md.Symbols(ctx, ports.SymbolQuery{}))
	}
}

// withValues sets the value of each symbol that has no error; value(i) returns that of the i-th of these.
func withValues[T any](symbols []outcome[struct{}], value func(i int) (T, error)) []outcome[T] {
	all := make([]outcome[T], len(symbols))
	i := 0
	for n, s := range symbols {
		all[n] = outcome[T]{name: s.name, err: s.err}
		if s.err == nil {
			all[n].value, all[n].err = value(i)
			i++
		}
	}

	return all
}

// joinFailures returns one error for all symbols that failed; nil where none did.
func joinFailures[T any](all []outcome[T]) error {
	var errs []error
	for _, s := range all {
		if errors.Is(s.err, ports.ErrCanceled) { // all later ones are canceled too
			return s.err
		}
		if s.err != nil {
			errs = append(errs, s.err)
		}
	}

	switch {
	case len(errs) == 0:
		return nil
	case len(all) == 1:
		return errs[0]
	}

	return &batchError{errs: errs, total: len(all)}
}

// printResults writes the bars of all symbols, each row with its symbol; as JSON, one object per symbol.
func printResults(w io.Writer, format string, all []outcome[domain.Result]) error {
	if format != formatJSON && !slices.ContainsFunc(all, func(s outcome[domain.Result]) bool { return s.err == nil }) {
		return nil
	}

	out := bufio.NewWriter(w)
	var err error
	switch format {
	case formatCSV:
		err = writeSymbolCSV(out, all)
	case formatJSON:
		err = writeJSON(out, symbolRecords(all, func(r *symbolRecord, value *domain.Result) { r.Result = value }))
	case formatNDJSON:
		err = writeNDJSON(out, func(yield func(symbolBar) bool) {
			for _, s := range all {
				for _, b := range s.value.Series.All() {
					if !yield(symbolBar{s.name, b}) {
						return
					}
				}
			}
		})
	default:
		return printSymbolTable(w, all)
	}
	if err != nil {
		return err
	}

	return out.Flush()
}

// printPlans writes the query plans one after the other; as JSON, one object per symbol.
func printPlans(w io.Writer, format string, all []outcome[ports.QueryPlan]) error {
	if format == formatJSON {
		return writeJSON(w, symbolRecords(all, func(r *symbolRecord, value *ports.QueryPlan) { r.Plan = value }))
	}

	for _, s := range all {
		if s.err == nil {
			if err := printPlan(w, s.value); err != nil {
				return err
			}
		}
	}

	return nil
}

// symbolRecord is the outcome of one symbol as JSON. It has a result, a plan or an error.
type symbolRecord struct {
	Symbol string           `json:"symbol"`
	Result *domain.Result   `json:"result,omitempty"`
	Plan   *ports.QueryPlan `json:"plan,omitempty"`
	Error  string           `json:"error,omitempty"`
}

// symbolRecords returns the outcomes as JSON records; set sets the value of a record.
func symbolRecords[T any](all []outcome[T], set func(r *symbolRecord, value *T)) []symbolRecord {
	records := make([]symbolRecord, len(all))
	for i := range all {
		records[i].Symbol = all[i].name
		if err := all[i].err; err != nil {
			records[i].Error = withoutKind(err.Error())
			continue
		}

		set(&records[i], &all[i].value)
	}

	return records
}

// symbolBar is a bar and its symbol as one line of JSON.
type symbolBar struct {
	symbol string
	bar    domain.Bar
}

// MarshalJSON returns the object of the bar with the symbol as its first field.
func (b symbolBar) MarshalJSON() ([]byte, error) {
	symbol, err := json.Marshal(b.symbol)
	if err != nil {
		return nil, err
	}

	bar, err := json.Marshal(b.bar)
	if err != nil {
		return nil, err
	}

	return slices.Concat([]byte(`{"symbol":`), symbol, []byte(","), bar[1:]), nil
}

// writeSymbolCSV writes the bars of all symbols with a leading column for the symbol.
func writeSymbolCSV(w io.Writer, all []outcome[domain.Result]) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"symbol", "time", "open", "high", "low", "close", "volume", "trades"}); err != nil {
		return err
	}

	for _, s := range all {
		for _, b := range s.value.Series.All() {
			trades := ""
			if b.HasTradeCount() {
				trades = strconv.FormatInt(b.Trades, 10)
			}
			err := out.Write([]string{
				s.name, stamp(b.OpenTime),
				b.Open.String(), b.High.String(), b.Low.String(), b.Close.String(), b.Volume.String(), trades,
			})
			if err != nil {
				return err
			}
		}
	}

	out.Flush()

	return out.Error()
}

// printSymbolTable writes the bars of all symbols as one table; decimal points are aligned per symbol.
func printSymbolTable(w io.Writer, all []outcome[domain.Result]) error {
	var layout string
	for _, s := range all {
		layout = max(layout, timeLayout(s.value.Series)) // a finer layout extends a coarser one, so it compares greater
	}
	var rows [][]string
	for _, s := range all {
		for _, row := range barRows(s.value.Series, layout) {
			rows = append(rows, append([]string{s.name}, row...))
		}
	}

	return printTable(w, append([]column{{name: "symbol"}}, barColumns()...), rows)
}
