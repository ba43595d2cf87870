package ports

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
)

// BatchReader reads bars of many series in fewer round trips than a BarReader, which needs at least one for each query.
type BatchReader interface {
	// ReadBatch yields the results of the queries in the order of the queries, each as BarReader.ReadBars would, with the
	// state of its series in the first piece. Where the store keeps no versions, a query without bars yields nothing. An
	// empty batch yields nothing. Queries may repeat.
	//
	// An error is the last pair, and then the caller must not use any result: an error of one query is an error of the
	// batch. No result has a part of a write only, but two results may be of two states of the store. ReadBatch reads
	// queries until the sequence ends and does not change it.
	ReadBatch(ctx context.Context, queries []BarQuery) iter.Seq2[BatchBars, error]
}

// BatchBars is a piece of the result of one query.
type BatchBars struct {
	Query int // the index of the query in the batch
	Bars  domain.Series
	State *domain.SeriesState // in the first piece of each query, as in Piece
}
