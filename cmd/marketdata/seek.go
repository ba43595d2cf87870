package main

import (
	"context"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

// sought says which series are meant: symbols by a name or a pattern, grids and kinds; those not given are all.
type sought struct {
	pattern string
	grids   []domain.Grid
	kind    domain.PriceType
	allOf   bool // every kind
}

// seek reads them from the command line. An empty kind is every kind.
func seek(pattern string, grids []string, kind string) (sought, error) {
	s := sought{pattern: pattern, allOf: kind == ""}
	if !s.many() {
		if _, err := domain.ParseSymbol(pattern); err != nil {
			return s, err
		}
	}

	for _, text := range grids {
		g, err := domain.ParseGrid(text)
		if err != nil {
			return s, err
		}

		s.grids = append(s.grids, g)
	}
	if s.allOf {
		return s, nil
	}

	var err error
	s.kind, err = domain.ParsePriceType(kind)
	return s, err
}

// many reports whether a pattern is meant.
func (s sought) many() bool { return s.pattern == "" || strings.ContainsAny(s.pattern, "*?") }

func (s sought) symbol(symbol domain.Symbol) bool {
	return s.pattern == "" || symbol.Matches(s.pattern)
}

func (s sought) takes(key domain.SeriesKey) bool {
	return s.symbol(key.Symbol) && (len(s.grids) == 0 || slices.Contains(s.grids, key.Grid)) && (s.allOf || key.PriceType == s.kind)
}

// symbols is what to ask a store for: one symbol, or for a pattern all.
func (s sought) symbols() []domain.Symbol {
	if s.many() {
		return nil
	}
	return []domain.Symbol{domain.Symbol(s.pattern)}
}

// heldSeries is what is held of one series.
type heldSeries struct {
	key              domain.SeriesKey
	claimed, assumed []domain.Range // ascending
}

// ranges is what is claimed and what is assumed, together.
func (h heldSeries) ranges() []domain.Range {
	return domain.MergeRanges(slices.Concat(h.claimed, h.assumed))
}

// held is the series of a store that are meant, ordered.
func (s sought) held(ctx context.Context, md *app.Service) ([]heldSeries, error) {
	extents, err := md.Coverage(ctx, s.symbols()...)
	if err != nil {
		return nil, err
	}

	byKey := map[domain.SeriesKey]*heldSeries{}
	for _, e := range extents {
		if !s.takes(e.Key) {
			continue
		}

		h := byKey[e.Key]
		if h == nil {
			h = &heldSeries{key: e.Key}
			byKey[e.Key] = h
		}

		if e.Inferred {
			h.assumed = append(h.assumed, e.Range)
		} else {
			h.claimed = append(h.claimed, e.Range)
		}
	}

	all := make([]heldSeries, 0, len(byKey))
	for _, h := range byKey {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b heldSeries) int { return a.key.Compare(b.key) })

	return all, nil
}

// nothing is the error that no series is held of what is meant.
func (s sought) nothing(op string) error {
	subject := s.pattern
	if subject == "" {
		subject = "any symbol"
	}
	for _, g := range s.grids {
		subject += " " + g.String()
	}

	return notHeld(op, subject)
}
