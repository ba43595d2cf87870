package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// isPattern reports whether the argument is a pattern, which stands for the symbols it matches.
func isPattern(arg string) bool { return strings.ContainsAny(arg, "*?") }

// selector selects series by symbol, grid and price type.
type selector struct {
	pattern  string        // a symbol or a pattern; "" selects every symbol
	grids    []domain.Grid // none selects every grid
	price    domain.PriceType
	anyPrice bool
}

// newSelector reads a selector from the command line. An empty price selects every price type.
func newSelector(pattern string, frequencies []string, price string) (selector, error) {
	s := selector{pattern: pattern, anyPrice: price == ""}
	if !s.hasPattern() {
		if _, err := domain.ParseSymbol(pattern); err != nil {
			return s, err
		}
	}

	for _, text := range frequencies {
		g, err := parseFrequency(text)
		if err != nil {
			return s, err
		}

		s.grids = append(s.grids, g)
	}
	if s.anyPrice {
		return s, nil
	}

	var err error
	s.price, err = domain.ParsePriceType(price)

	return s, err
}

// hasPattern reports whether the selector may match several symbols.
func (s selector) hasPattern() bool { return s.pattern == "" || isPattern(s.pattern) }

func (s selector) matchesSymbol(symbol domain.Symbol) bool {
	return s.pattern == "" || symbol.Matches(s.pattern)
}

func (s selector) matches(key domain.SeriesKey) bool {
	return s.matchesSymbol(key.Symbol) && (len(s.grids) == 0 || slices.Contains(s.grids, key.Grid)) &&
		(s.anyPrice || key.PriceType == s.price)
}

// symbols returns the symbols to request from a store: one, or nil, which is all, for a pattern.
func (s selector) symbols() []domain.Symbol {
	if s.hasPattern() {
		return nil
	}

	return []domain.Symbol{domain.Symbol(s.pattern)}
}

// seriesCoverage is the coverage of one series, over all stores.
type seriesCoverage struct {
	key                domain.SeriesKey
	declared, inferred []domain.Range // ascending
}

// ranges returns declared and inferred coverage merged.
func (s seriesCoverage) ranges() []domain.Range {
	return domain.MergeRanges(slices.Concat(s.declared, s.inferred))
}

// coverage returns the coverage of every selected series, ordered by key.
func (s selector) coverage(ctx context.Context, md *app.Service) ([]seriesCoverage, error) {
	extents, err := ports.Collect(md.Coverage(ctx, s.symbols()...))
	if err != nil {
		return nil, err
	}

	byKey := map[domain.SeriesKey]*seriesCoverage{}
	for _, e := range extents {
		if !s.matches(e.Key) {
			continue
		}

		series := byKey[e.Key]
		if series == nil {
			series = &seriesCoverage{key: e.Key}
			byKey[e.Key] = series
		}

		if e.Inferred {
			series.inferred = append(series.inferred, e.Range)
		} else {
			series.declared = append(series.declared, e.Range)
		}
	}

	all := make([]seriesCoverage, 0, len(byKey))
	for _, series := range byKey {
		all = append(all, *series)
	}
	slices.SortFunc(all, func(a, b seriesCoverage) int { return a.key.Compare(b.key) })

	return all, nil
}

// errNoData returns the error of operation op that nothing that the selector selects is stored.
func (s selector) errNoData(ctx context.Context, md *app.Service, op string) error {
	subject := s.pattern
	for _, g := range s.grids {
		subject += " " + g.String()
	}
	if !s.hasPattern() {
		return errNoData(ctx, md, op, domain.Symbol(s.pattern), subject)
	}

	subject = cmp.Or(strings.TrimSpace(subject), "any symbol")
	cause := errors.New("no stored series matches; marketdata coverage lists them")

	return &ports.Error{Kind: ports.ErrNotFound, Op: op, Subject: subject, Err: cause}
}

// clip returns the parts of the ranges from start to end; a zero start or end is no bound.
func clip(ranges []domain.Range, start, end time.Time) []domain.Range {
	var clipped []domain.Range
	for _, r := range ranges {
		if r.Start.Before(start) {
			r.Start = start
		}
		if !end.IsZero() && end.Before(r.End) {
			r.End = end
		}
		if !r.Empty() {
			clipped = append(clipped, r)
		}
	}

	return clipped
}

// hull returns the range from the start of the first range to the end of the last one; zero where there is none.
func hull(ranges []domain.Range) domain.Range {
	if len(ranges) == 0 {
		return domain.Range{}
	}

	return domain.Range{Start: ranges[0].Start, End: ranges[len(ranges)-1].End}
}
