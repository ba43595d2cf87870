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

	// Unreadable names stored bars of the query's range that are not in Rows, because no Series can represent them: the
	// key, the open time, the rule, and in Detail the column and its value. Something traded there. They ascend over all
	// pieces, and First and Last count them. A piece that has some may have no rows. It is empty unless the query asks for
	// them.
	Unreadable []*domain.RuleError
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

// Collect returns all values of a sequence, or its error.
func Collect[T any](values iter.Seq2[T, error]) (all []T, err error) {
	for v, failed := range values {
		if failed != nil {
			return nil, failed
		}
		all = append(all, v)
	}

	return all, nil
}

// Paged yields the values of pages. read returns the page of the symbols behind one, and the last symbol of the page;
// none ends the sequence.
func Paged[T any](
	after domain.Symbol, read func(after domain.Symbol) (page []T, last domain.Symbol, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := after; ; {
			page, last, err := read(at)
			if err != nil {
				var none T
				yield(none, err)

				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			if at = last; last == "" {
				return
			}
		}
	}
}

// OnePage yields the values that read returns.
func OnePage[T any](read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		values, err := read()
		if err != nil {
			var none T
			yield(none, err)

			return
		}
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// PagedSymbols yields the symbols of a query, at most size of them at a time. read returns the symbols of a query that
// has a limit.
func PagedSymbols(
	q SymbolQuery, size int, read func(page SymbolQuery) ([]domain.SymbolMeta, error),
) iter.Seq2[domain.SymbolMeta, error] {
	return func(yield func(domain.SymbolMeta, error) bool) {
		left := q.Limit
		pages := Paged(q.After, func(after domain.Symbol) (metas []domain.SymbolMeta, last domain.Symbol, err error) {
			page := q
			page.After, page.Limit = after, size
			if q.Limit > 0 {
				page.Limit = min(left, size)
			}

			metas, err = read(page)
			left -= len(metas)
			if n := len(metas); n > 0 && n == page.Limit && left != 0 {
				last = metas[n-1].Symbol
			}

			return metas, last, err
		})
		pages(yield)
	}
}
