package ports

import (
	"iter"

	"github.com/gal-friday/marketdata/domain"
)

// Rows is what a store reads: a domain.Series, domain.Trades or domain.Quotes.
type Rows interface {
	// Len returns the number of rows.
	Len() int
}

// Piece is a part of the result of a read.
type Piece[D Rows] struct {
	Rows D

	// State is what the store had of the series when the rows were read. It is set in the first piece only, and nil
	// there too where the store keeps no versions.
	State *domain.SeriesState
}

// Sequence is the result of a read: pieces, or an error as the last pair. It is lazy and single use.
type Sequence[D Rows] iter.Seq2[Piece[D], error]

// Rows yields the rows of the pieces, without pieces that have none.
func (s Sequence[D]) Rows() iter.Seq2[D, error] {
	return func(yield func(D, error) bool) {
		s(func(p Piece[D], err error) bool {
			return err == nil && p.Rows.Len() == 0 || yield(p.Rows, err)
		})
	}
}

// Unversioned returns the sequence of a store that keeps no versions.
func Unversioned[D Rows](rows iter.Seq2[D, error]) Sequence[D] {
	return func(yield func(Piece[D], error) bool) {
		rows(func(d D, err error) bool { return yield(Piece[D]{Rows: d}, err) })
	}
}
