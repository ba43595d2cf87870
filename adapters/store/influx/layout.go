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

// Existing describes bars that another program writes: one measurement, float fields, a trading pair and an exchange as
// tags, one frequency. The store reads such bars and must not write them. A number is the shortest decimal of its
// float. Trade counts are unknown.
//
// The symbol BTC/USD is the pair on the only exchange that has it; it is an error if several have it. KRAKEN:BTC/USD is
// the pair on the exchange of that name, in upper or lower case.
type Existing struct {
	// Frequency is the length of the bars, on the UTC grid. It is required, because the layout does not store it.
	Frequency domain.Frequency
	// Measurement is the measurement of the bars. Defaults to "market_data".
	Measurement string
	// SymbolTag is the tag with the trading pair. Defaults to "trading_pair".
	SymbolTag string
	// VenueTag is the tag with the exchange. Defaults to "exchange".
	VenueTag string
	// Tags are the tag values that bars have and other rows of the measurement do not. nil means data_type="ohlcv".
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

// Validate reports every fault of the description.
func (e Existing) Validate() error {
	e = e.withDefaults()
	faults := []error{e.Frequency.Validate()}
	names := append([]string{e.Measurement, e.SymbolTag, e.VenueTag}, slices.Sorted(maps.Keys(e.Tags))...)
	for _, name := range names {
		if !isIdentifier(name) {
			faults = append(faults,
				fmt.Errorf("influx name %q: use letters, digits, _ . and -, at most %d", name, maxIdentifier))
		}
	}

	return errors.Join(faults...)
}

// maxIdentifier limits the length of an identifier, in bytes.
const maxIdentifier = 64

// isIdentifier reports whether name may be the name of a measurement, a tag or a database. InfluxQL cannot bind a name,
// so a name must contain only letters, digits and _ . -.
func isIdentifier(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= maxIdentifier
}

// The tags and fields of our own layout. They are part of the storage format.
const (
	tagSymbol   = "symbol"
	tagKind     = "kind" // the price type
	tagGrid     = "grid"
	fieldTrades = "trades"
	fieldExact  = "exact"

	// fieldChecksum must remain the last field in the order of names; see the package comment.
	fieldChecksum = "whole"
)

// numberFields are the float fields, in the order of domain.Field.
var numberFields = [...]string{"open", "high", "low", "close", "volume"}

// layout describes how a measurement stores bars: our own layout or an existing one.
type layout struct {
	measurement string
	existing    *Existing         // nil for our own layout
	fields      []string          // the fields that every bar has
	types       map[string]string // InfluxQL type by field
	keyTags     []string          // the tags that identify a series; the first is the symbol or the trading pair
}

func newLayout(cfg Config) layout {
	l := layout{
		measurement: cfg.Measurement,
		keyTags:     []string{tagSymbol, tagKind, tagGrid},
		types:       map[string]string{},
		fields:      slices.Clone(numberFields[:]),
	}
	for _, f := range numberFields {
		l.types[f] = "float"
	}

	if cfg.Existing != nil {
		e := cfg.Existing.withDefaults()
		l.existing, l.measurement, l.keyTags = &e, e.Measurement, []string{e.SymbolTag, e.VenueTag}
		return l
	}

	l.fields = append(l.fields, fieldTrades, fieldExact)
	l.types[fieldTrades], l.types[fieldExact], l.types[fieldChecksum] = "integer", "string", "integer"
	return l
}

// condition requires that a tag has a value.
type condition struct{ tag, value string }

// seriesConditions returns the conditions that select a series of our own layout.
func seriesConditions(key domain.SeriesKey) []condition {
	return []condition{{tagSymbol, string(key.Symbol)}, {tagKind, key.PriceType.String()}, {tagGrid, key.Grid.String()}}
}

// commonConditions returns the conditions that all bars of the layout meet.
func (l layout) commonConditions() []condition {
	if l.existing == nil {
		return nil
	}

	var where []condition
	for _, tag := range slices.Sorted(maps.Keys(l.existing.Tags)) {
		where = append(where, condition{tag, l.existing.Tags[tag]})
	}

	return where
}

// selectSeries returns the conditions that select the series of each key, or nil where the layout cannot contain the
// series. For an existing layout it reads the exchanges of the pairs.
func (s *Store) selectSeries(ctx context.Context, keys []domain.SeriesKey) ([][]condition, error) {
	selected := make([][]condition, len(keys))
	e := s.layout.existing
	var pairs [][]condition // of an existing layout: the conditions of trading pairs whose exchange is not known yet
	var keyOfPair []int     // index of the key of each of them
	for i, key := range keys {
		switch {
		case key.Symbol == "": // InfluxQL would select the series without the tag
		case e == nil:
			selected[i] = seriesConditions(key)
		case s.layout.canContain(key):
			pairs = append(pairs, append(s.layout.commonConditions(), condition{e.SymbolTag, key.Symbol.Instrument()}))
			keyOfPair = append(keyOfPair, i)
		}
	}
	if len(pairs) == 0 {
		return selected, nil
	}

	venues, err := s.readTagValues(ctx, e.VenueTag, pairs...)
	if err != nil {
		return nil, err
	}

	for n, i := range keyOfPair {
		venue, err := resolveVenue(keys[i].Symbol, venues[n])
		if err != nil {
			return nil, err
		}

		if venue != "" {
			selected[i] = slices.Concat(pairs[n], []condition{{e.VenueTag, venue}})
		}
	}

	return selected, nil
}

// resolveVenue returns the exchange of the symbol, out of the exchanges that have its pair. It returns "" if the pair
// is not on the exchange, and an error if the symbol names no exchange and several have the pair.
func resolveVenue(symbol domain.Symbol, venues []string) (string, error) {
	if named := symbol.Venue(); named != "" {
		venues = slices.DeleteFunc(venues, func(v string) bool { return !strings.EqualFold(v, named) })
	}
	switch len(venues) {
	case 0:
		return "", nil
	case 1:
		return venues[0], nil
	}

	return "", ambiguousVenueError(symbol.Instrument(), venues)
}

func ambiguousVenueError(pair string, venues []string) error {
	slices.Sort(venues)
	return fmt.Errorf("select series of %s: it is on more than one exchange (%s); name one, like %s:%s: %w",
		pair, strings.Join(venues, ", "), strings.ToUpper(venues[0]), pair, domain.ErrInvalid)
}

// canContain reports whether an existing layout can contain bars of the key's grid and price type.
func (l layout) canContain(key domain.SeriesKey) bool {
	return key.PriceType == domain.PriceTrade && key.Grid == l.existing.Frequency.UTC()
}

// seriesKeys returns the keys that name the series with the tags, or nothing if no request can name it. A series of our
// own layout has one key. A series of an existing layout has two, with and without its exchange; the key without it is
// the first, and is absent unless isUnique reports that only one exchange has the pair.
func (l layout) seriesKeys(tags map[string]string, isUnique func(pair string) bool) []domain.SeriesKey {
	if l.existing == nil {
		grid, gridErr := domain.ParseGrid(tags[tagGrid])
		priceType, priceErr := domain.ParsePriceType(tags[tagKind])
		key, err := domain.NewSeriesKey(domain.Symbol(tags[tagSymbol]), grid, priceType)
		if errors.Join(gridErr, priceErr, err) != nil || key.Grid.String() != tags[tagGrid] {
			return nil
		}

		return []domain.SeriesKey{key}
	}

	pair := tags[l.existing.SymbolTag]
	names := []string{strings.ToUpper(tags[l.existing.VenueTag]) + ":" + pair}
	if isUnique(pair) {
		names = []string{pair, names[0]}
	}

	var keys []domain.SeriesKey
	for _, name := range names {
		key, err := domain.NewSeriesKey(domain.Symbol(name), l.existing.Frequency.UTC(), domain.PriceTrade)
		if err == nil && key.Symbol.Instrument() == pair {
			keys = append(keys, key)
		}
	}

	return keys
}
