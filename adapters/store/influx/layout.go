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

// The tags and fields of our own layout. They are part of the storage format.
const (
	tagSymbol   = "symbol"
	tagKind     = "kind" // the price type
	tagGrid     = "grid"
	fieldTrades = "trades"
	fieldExact  = "exact"

	fieldIdentity = "identity" // of the measurement identityMeasurement
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

	if cfg.Existing.Frequency != 0 {
		e := cfg.Existing
		l.existing, l.measurement, l.keyTags = &e, e.Measurement, []string{e.SymbolTag, e.VenueTag}
		return l
	}

	l.fields = append(l.fields, fieldTrades, fieldExact)
	l.types[fieldTrades], l.types[fieldExact] = "integer", "string"

	return l
}

// identityMeasurement returns the name of the measurement that has the identity of the database.
func (l layout) identityMeasurement() string { return l.measurement + "_identity" }

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

// seriesTags has the values of the keyTags of a series, in their order: symbol, kind and grid, or trading pair and
// exchange. An array takes a fifth of the memory of a map, and catalogs have one for each series.
type seriesTags [3]string

// seriesTags returns the values of the keyTags.
func (l layout) seriesTags(tags map[string]string) (values seriesTags) {
	for i, tag := range l.keyTags {
		values[i] = tags[tag]
	}

	return values
}

// seriesKeys returns the keys that name the series with the tags, or nothing if no request can name it. A series of our
// own layout has one key. A series of an existing layout has two, with and without its exchange; the key without it is
// the first, and is absent unless isUnique reports that only one exchange has the pair.
func (l layout) seriesKeys(tags seriesTags, isUnique func(pair string) bool) []domain.SeriesKey {
	if l.existing == nil {
		grid, gridErr := domain.ParseGrid(tags[2])
		priceType, priceErr := domain.ParsePriceType(tags[1])
		key, err := domain.NewSeriesKey(domain.Symbol(tags[0]), grid, priceType)
		if errors.Join(gridErr, priceErr, err) != nil || key.Grid.String() != tags[2] {
			return nil
		}

		return []domain.SeriesKey{key}
	}

	pair := tags[0]
	names := []string{strings.ToUpper(tags[1]) + ":" + pair}
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
