package memory

import (
	"context"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Open returns a store of the bars in a bar file (see barfile), with their claims. The file is read whole, checked, and closed.
func Open(ctx context.Context, path string) (*Store, error) {
	file, closeFile, err := barfile.Open(path)
	if err != nil {
		return nil, err
	}

	defer closeFile()
	s := New()
	for _, extent := range file.Extents() {
		if err := s.load(ctx, extent, file.Bars(extent.Key, extent.Range)); err != nil {
			return nil, fmt.Errorf("load %s: %w", path, err)
		}
	}

	return s, nil
}

// Source is a store that can be copied from.
type Source interface {
	ports.BarReader
	ports.CoverageReader
}

// Copy takes over the bars of the symbols, or of every symbol where none is given, and the claims on them. What the other store only
// assumes to hold counts as claimed here, as it does for a request. What this store had of these ranges is overwritten bar by bar.
// After an error it holds some of the extents, each whole.
func (s *Store) Copy(ctx context.Context, from Source, symbols ...domain.Symbol) error {
	extents, err := from.Extents(ctx, symbols...)
	if err != nil {
		return err
	}

	for _, extent := range extents {
		bars := from.ReadBars(ctx, ports.BarQuery{Key: extent.Key, Range: extent.Range})
		if err := s.load(ctx, extent, bars); err != nil {
			return fmt.Errorf("copy %s: %w", extent.Key, err)
		}
	}

	return nil
}

// load takes over an extent whole, in the pieces that come, so that none is copied.
func (s *Store) load(ctx context.Context, extent domain.Extent, bars iter.Seq2[domain.Series, error]) error {
	var pieces []domain.Series
	for piece, err := range bars {
		if err != nil {
			return err
		}
		if piece.Len() > 0 {
			pieces = append(pieces, piece)
		}
	}

	_, err := s.bars.write(ctx, extent.Key, extent.Range, pieces...)
	return err
}
