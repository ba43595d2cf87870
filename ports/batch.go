package ports

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
)

// BatchReader reads bars of many series in as few round trips as it can: a BarReader of one query at a time would make
// one each.
type BatchReader interface {
	// ReadBatch answers each query as BarReader.ReadBars would, under the same promises, except that the answers come
	// one after the other, in the order of the queries: a query that has no bars yields nothing, and neither does a
	// batch of none. The same query may be asked again. An error is the last pair, and then no answer is to be used:
	// what refuses one query refuses the batch. No answer holds half of a write; two may see the store at two instants.
	// queries is read until the sequence ends, and never changed.
	ReadBatch(ctx context.Context, queries []BarQuery) iter.Seq2[BatchBars, error]
}

// BatchBars is a piece of one answer.
type BatchBars struct {
	Query int // the number of the query, from 0
	Bars  domain.Series
}
