package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// emptyResult is a request that found no rows.
type emptyResult struct {
	symbol domain.Symbol
	rows   string // that were asked for: bars of BTC/USD 1m
}

// noteStored notes for each empty result the stored data of its symbol.
func (c *command) noteStored(ctx context.Context, md *app.Service, results ...emptyResult) error {
	if len(results) == 0 {
		return nil
	}

	symbols := make([]domain.Symbol, len(results))
	for i, r := range results {
		symbols[i] = r.symbol
	}

	stored, err := storedOf(ctx, md, symbols...)
	if err != nil {
		return err
	}

	for _, r := range results {
		if texts := stored[r.symbol]; len(texts) > 0 {
			c.notef("no %s in the range; stored: %s", r.rows, summarize(texts, func(text string) string { return text }))
		} else {
			c.notef("no %s: nothing of %s is stored", r.rows, r.symbol)
		}
	}

	return nil
}

// storedOf returns the stored data of each symbol, a text for each range.
func storedOf(ctx context.Context, md *app.Service, symbols ...domain.Symbol) (map[domain.Symbol][]string, error) {
	bars, err := ports.Collect(md.Coverage(ctx, symbols...))
	if err != nil {
		return nil, err
	}

	ticks, err := ports.Collect(md.TickCoverage(ctx, symbols...))
	if err != nil {
		return nil, err
	}

	stored := map[domain.Symbol][]string{}
	for _, e := range bars {
		text := fmt.Sprintf("%s bars of %s from %s", e.Key.PriceType, e.Key.Grid, rangeText(e.Range))
		stored[e.Key.Symbol] = append(stored[e.Key.Symbol], text)
	}
	for _, e := range ticks {
		stored[e.Symbol] = append(stored[e.Symbol], fmt.Sprintf("%s from %s", e.Kind, rangeText(e.Range)))
	}

	return stored, nil
}

// errNoData returns the error of operation op that nothing that the subject names is stored. If the symbol is
// unknown, the error names similar ones; else it says what is stored of it.
func errNoData(ctx context.Context, md *app.Service, op string, symbol domain.Symbol, subject string) error {
	if err := requireKnown(ctx, md, op, symbol); err != nil {
		return err
	}

	stored, err := storedOf(ctx, md, symbol)
	if err != nil {
		return err
	}

	cause := errors.New("no data; nothing of " + string(symbol) + " is stored")
	if texts := stored[symbol]; len(texts) > 0 {
		cause = errors.New("no data; stored: " + summarize(texts, func(text string) string { return text }))
	}

	return &ports.Error{Kind: ports.ErrNotFound, Op: op, Subject: subject, Err: cause}
}

// requireKnown returns an error of operation op, with similar symbols, if the symbol is unknown.
func requireKnown(ctx context.Context, md *app.Service, op string, symbol domain.Symbol) error {
	_, err := md.Describe(ctx, symbol)
	if unknown := (*ports.Error)(nil); errors.Is(err, ports.ErrNotFound) && errors.As(err, &unknown) {
		return &ports.Error{Kind: unknown.Kind, Op: op, Subject: unknown.Subject, Err: unknown.Err}
	}

	return nil // another error does not concern the operation
}
