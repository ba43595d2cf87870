package influx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

// Existing says how to read bars that something else writes: floats in one measurement, the symbol split into a trading pair and
// an exchange, all of one frequency. A number is the shortest decimal of its float; trade counts are unknown. The symbol BTC/USD
// is the pair on whichever exchange has it, and an error where two have; KRAKEN:BTC/USD is the pair on that one, in whatever case
// it is written there. Nothing is written.
type Existing struct {
	// Frequency is the length of the bars, on the UTC grid, since the layout does not tell. Required.
	Frequency domain.Frequency
	// Measurement defaults to "market_data".
	Measurement string
	// SymbolTag holds the trading pair. Defaults to "trading_pair".
	SymbolTag string
	// VenueTag holds the exchange. Defaults to "exchange".
	VenueTag string
	// Tags are values that tell bars from what else is in the measurement. nil is data_type="ohlcv".
	Tags map[string]string
}

func (e Existing) withDefaults() Existing {
	if e.Measurement == "" {
		e.Measurement = "market_data"
	}
	if e.SymbolTag == "" {
		e.SymbolTag = "trading_pair"
	}
	if e.VenueTag == "" {
		e.VenueTag = "exchange"
	}
	if e.Tags == nil {
		e.Tags = map[string]string{"data_type": "ohlcv"}
	}

	return e
}

// Validate reports every fault.
func (e Existing) Validate() error {
	e = e.withDefaults()
	faults := []error{e.Frequency.Validate()}
	names := append([]string{e.Measurement, e.SymbolTag, e.VenueTag}, slices.Sorted(maps.Keys(e.Tags))...)
	for _, name := range names {
		if !isIdentifier(name) {
			faults = append(faults, fmt.Errorf("influx name %q: use letters, digits, _ . and -, at most %d", name, maxIdentifier))
		}
	}

	return errors.Join(faults...)
}

const maxIdentifier = 64

// isIdentifier reports whether a measurement or tag may have the name: names cannot be bound, so they are of few bytes only.
func isIdentifier(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= maxIdentifier
}

// The names of our own layout.
const (
	tagSymbol   = "symbol"
	tagKind     = "kind"
	tagGrid     = "grid"
	fieldTrades = "trades"
	fieldExact  = "exact"
	fieldWhole  = "whole" // must stay the last of the fields by name, see the package comment
)

// numberFields are the float fields, in the order of domain.Field.
var numberFields = [...]string{"open", "high", "low", "close", "volume"}

// layout is where bars lie: ours, or an existing one.
type layout struct {
	measurement string
	existing    *Existing         // nil is ours
	fields      []string          // the fields that every bar has
	types       map[string]string // of the fields
	keyTags     []string          // the tags that tell series apart
}

func newLayout(cfg Config) layout {
	l := layout{measurement: cfg.Measurement, keyTags: []string{tagSymbol, tagKind, tagGrid}, types: map[string]string{}}
	l.fields = slices.Clone(numberFields[:])
	for _, f := range numberFields {
		l.types[f] = "float"
	}
	if cfg.Existing != nil {
		e := cfg.Existing.withDefaults()
		l.existing, l.measurement, l.keyTags = &e, e.Measurement, []string{e.SymbolTag, e.VenueTag}
		return l
	}

	l.fields = append(l.fields, fieldTrades, fieldExact)
	l.types[fieldTrades], l.types[fieldExact], l.types[fieldWhole] = "integer", "string", "integer"
	return l
}

// condition wants a tag to have a value.
type condition struct{ tag, value string }

// own selects a series of our layout.
func own(key domain.SeriesKey) []condition {
	return []condition{{tagSymbol, string(key.Symbol)}, {tagKind, key.PriceType.String()}, {tagGrid, key.Grid.String()}}
}

// conditions is what bars of the layout have in common.
func (l layout) conditions() []condition {
	var where []condition
	if l.existing != nil {
		for _, tag := range slices.Sorted(maps.Keys(l.existing.Tags)) {
			where = append(where, condition{tag, l.existing.Tags[tag]})
		}
	}

	return where
}

// where selects the series of each key; nil where the layout cannot hold it.
func (s *Store) where(ctx context.Context, keys []domain.SeriesKey) ([][]condition, error) {
	selected := make([][]condition, len(keys))
	e := s.layout.existing
	var pairs [][]condition // of an existing layout
	var of []int            // which keys they are of
	for i, key := range keys {
		switch {
		case key.Symbol == "": // to InfluxQL, the series that lack the tag
		case e == nil:
			selected[i] = own(key)
		case s.layout.holds(key):
			pairs, of = append(pairs, append(s.layout.conditions(), condition{e.SymbolTag, key.Symbol.Instrument()})), append(of, i)
		}
	}
	if len(pairs) == 0 {
		return selected, nil
	}

	venues, err := s.tagValues(ctx, e.VenueTag, pairs...)
	if err != nil {
		return nil, err
	}

	for n, i := range of {
		venue, err := venueOf(keys[i].Symbol, venues[n])
		if err != nil {
			return nil, err
		}

		if venue != "" {
			pairs[n] = append(pairs[n], condition{e.VenueTag, venue})
			selected[i] = pairs[n]
		}
	}

	return selected, nil
}

// venueOf is the one that the symbol means of the exchanges that have its pair, "" where it is on none.
func venueOf(symbol domain.Symbol, venues []string) (string, error) {
	if asked := symbol.Venue(); asked != "" {
		venues = slices.DeleteFunc(venues, func(v string) bool { return !strings.EqualFold(v, asked) })
	}
	switch len(venues) {
	case 0:
		return "", nil
	case 1:
		return venues[0], nil
	}

	return "", ambiguous(symbol.Instrument(), venues)
}

func ambiguous(pair string, venues []string) error {
	slices.Sort(venues)
	return fmt.Errorf("%s is on more than one exchange (%s); name one, like %s:%s: %w",
		pair, strings.Join(venues, ", "), strings.ToUpper(venues[0]), pair, domain.ErrInvalid)
}

// holds reports whether bars of the key's grid and kind can be in an existing layout.
func (l layout) holds(key domain.SeriesKey) bool {
	return key.PriceType == domain.PriceTrade && key.Grid == l.existing.Frequency.UTC()
}

// seriesKeys is the keys of the series with the given tags: none where no request could name it. In an existing layout a pair has
// two names, with its venue and without; the second only where unique says that one exchange alone has the pair.
func (l layout) seriesKeys(tags map[string]string, unique func(pair string) bool) []domain.SeriesKey {
	if l.existing == nil {
		grid, gridErr := domain.ParseGrid(tags[tagGrid])
		kind, kindErr := domain.ParsePriceType(tags[tagKind])
		key, err := domain.NewSeriesKey(domain.Symbol(tags[tagSymbol]), grid, kind)
		if errors.Join(gridErr, kindErr, err) != nil || key.Grid.String() != tags[tagGrid] {
			return nil
		}

		return []domain.SeriesKey{key}
	}

	var keys []domain.SeriesKey
	pair := tags[l.existing.SymbolTag]
	names := []string{strings.ToUpper(tags[l.existing.VenueTag]) + ":" + pair}
	if unique(pair) {
		names = []string{pair, names[0]}
	}
	for _, name := range names {
		key, err := domain.NewSeriesKey(domain.Symbol(name), l.existing.Frequency.UTC(), domain.PriceTrade)
		if err == nil && key.Symbol.Instrument() == pair {
			keys = append(keys, key)
		}
	}

	return keys
}
