package influx

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// readRanges returns the stored bars in the range of each upsert, or an error. It reads all of them in a few requests,
// and one after the other only if a row is corrupt, so that the error is that of its series.
func (s *Store) readRanges(ctx context.Context, upserts []*upsert) (stored []domain.Series, errs []error) {
	errs = make([]error, len(upserts))
	if len(upserts) > 1 {
		stored, err := s.readTogether(ctx, upserts)
		if err == nil {
			return stored, errs
		}
		if !isCorrupt(err) {
			return make([]domain.Series, len(upserts)), slices.Repeat([]error{err}, len(upserts))
		}
	}

	stored = make([]domain.Series, len(upserts))
	for i, u := range upserts {
		stored[i], errs[i] = s.readSeries(ctx, u.bars.Key(), u.r)
	}

	return stored, errs
}

// readTogether reads the ranges of many upserts.
func (s *Store) readTogether(ctx context.Context, upserts []*upsert) ([]domain.Series, error) {
	queries := make([]ports.BarQuery, len(upserts))
	for i, u := range upserts {
		queries[i] = ports.BarQuery{Key: u.bars.Key(), Range: u.r}
	}
	pieces := make([][]domain.Series, len(queries))
	readers, err := s.newReaders(ctx, queries, func(piece ports.BatchBars) bool {
		pieces[piece.Query] = append(pieces[piece.Query], piece.Bars)
		return true
	})
	if err == nil {
		err = s.readGroups(ctx, readers)
	}
	if err != nil {
		return nil, err
	}

	stored := make([]domain.Series, len(queries))
	for i, q := range queries {
		if stored[i], err = domain.ConcatSeries(domain.EmptySeries(q.Key), pieces[i]); err != nil {
			return nil, err
		}
	}

	return stored, nil
}

// maxGroupSeries limits how many series one statement names.
const maxGroupSeries = 5_000

// seriesGroup has the readers of series that differ in the symbol only, so that one statement selects their bars.
type seriesGroup struct {
	grid      domain.Grid
	priceType domain.PriceType
	span      span
}

// readGroups reads the rows of all readers, with one statement for as many series as its limits allow.
func (s *Store) readGroups(ctx context.Context, readers []*barReader) error {
	var order []seriesGroup
	groups := map[seriesGroup][]*barReader{}
	for _, r := range readers {
		g := seriesGroup{r.key.Grid, r.key.PriceType, r.selection.span}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], r)
	}

	var alone []*barReader
	for _, g := range order {
		size := min(maxGroupSeries, maxRequestBars/max(1, groups[g][0].maxBars))
		for group := range slices.Chunk(groups[g], max(1, int(size))) {
			if len(group) == 1 {
				alone = append(alone, group...)
			} else if err := s.readGroup(ctx, group); err != nil {
				return err
			}
		}
	}

	return s.readAll(ctx, alone, maxReadAttempts)
}

// readGroup reads the rows of the readers of a group with one statement.
func (s *Store) readGroup(ctx context.Context, readers []*barReader) error {
	h := groupHandler{layout: s.layout, readers: make(map[string]*barReader, len(readers))}
	symbols := make([]string, len(readers))
	for i, r := range readers {
		r.builder.capacity = int(r.maxBars)
		symbols[i] = string(r.key.Symbol)
		h.readers[symbols[i]] = r
	}
	first := readers[0].selection
	h.others = slices.DeleteFunc(slices.Clone(first.where), func(c condition) bool { return c.tag == tagSymbol })
	if err := s.runQuery(ctx, s.layout.selectBarsOf(symbols, h.others, first.span), &h); err != nil {
		return err
	}

	for _, r := range readers {
		if err := r.finish(); err != nil {
			return err
		}
	}

	return nil
}

// groupHandler passes each row to the reader of its series.
type groupHandler struct {
	layout  layout
	others  []condition           // the tags besides the symbol
	readers map[string]*barReader // by symbol
}

func (h *groupHandler) beginTable(t table) error {
	return h.layout.checkTable(t, h.layout.barColumnsOf(h.others))
}

func (h *groupHandler) decodeRow(d *decoder) error {
	at, err := d.readTime()
	if err != nil {
		return err
	}
	symbol, err := d.readBytes()
	if err != nil {
		return err
	}

	r := h.readers[string(symbol)]
	if r == nil {
		return fmt.Errorf("the response has a row of the symbol %.80q, which was not requested: %w",
			symbol, ports.ErrIncomplete)
	}

	return r.decodeBar(d, at, h.others)
}
