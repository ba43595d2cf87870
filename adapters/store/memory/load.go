package memory

import (
	"context"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Open returns a store with the bars and the coverage of a bar file (see barfile). It reads and checks the whole file,
// and closes it.
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

// Source is a store that Copy can read.
type Source interface {
	ports.BarReader
	ports.CoverageReader
}

// Copy copies the bars and the coverage of the symbols, or of every symbol if there are none. Inferred coverage of the
// source becomes declared coverage of the copy, because requests treat both alike. A bar of the source overwrites a
// stored bar of the same open time. If Copy returns an error, each extent has been copied either completely or not at
// all.
func (s *Store) Copy(ctx context.Context, from Source, symbols ...domain.Symbol) error {
	for extent, err := range from.Extents(ctx, ports.ExtentQuery{Symbols: symbols}) {
		if err != nil {
			return err
		}

		bars := from.ReadBars(ctx, ports.BarQuery{Key: extent.Key, Range: extent.Range})
		if err := s.load(ctx, extent, bars.Rows()); err != nil {
			return fmt.Errorf("copy %s: %w", extent.Key, err)
		}
	}

	return nil
}

// load writes all bars of an extent in one write. It stores the pieces as they come, without copying a bar.
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

	_, err := s.bars.write(ctx, extent.Key, extent.Range, ports.ConflictReplace, pieces...)

	return err
}
