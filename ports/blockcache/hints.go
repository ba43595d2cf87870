package blockcache

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
)

// Hint tells that bars or coverage of a series changed in a range. It may be late or lost: it only lets a cache see
// sooner what it sees anyway.
type Hint struct {
	Store domain.StoreName `json:"store"`
	Key   domain.SeriesKey `json:"key"`
	Range domain.Range     `json:"range"`
}

// Hints publishes hints to other processes. It must be safe for concurrent use.
type Hints interface {
	// Publish sends the changes to all subscribers in other processes. It returns an error if it cannot send them.
	Publish(ctx context.Context, changes ...Hint) error

	// Subscribe returns when the subscription is active. From then on the sequence yields every hint that other
	// processes publish, once, in the order of each publisher. It may leave out those published through the same value.
	// The last pair is an error: that of ctx, or of a lost connection, in which case hints may be missing. The
	// sequence is single use, and stopping the iteration ends the subscription.
	Subscribe(ctx context.Context) (iter.Seq2[Hint, error], error)
}
