package ports

import (
	"context"
	"time"
)

// Partition is a part of a table, by time, in which a store keeps rows.
type Partition struct {
	Name string `json:"name"` // as the server names it
	Kept string `json:"kept"` // why it was not dropped; "" if it was
}

// PartitionDropper is a store that keeps its rows in partitions by time, and creates those that a write needs.
type PartitionDropper interface {
	// DropPartitions drops the partitions that end at or before a time and have no rows. It returns these partitions,
	// ordered by name, also with an error. It drops none while a transaction may need it, and then waits a second at most
	// for each. It blocks no reader and no writer for longer than that. ErrPermission tells that the role may not drop
	// partitions. Safe for concurrent use.
	DropPartitions(ctx context.Context, before time.Time) ([]Partition, error)
}

// DropPartitions drops the empty partitions of a store that end at or before a time. A store that is no
// PartitionDropper has none.
func DropPartitions(ctx context.Context, store any, before time.Time) ([]Partition, error) {
	if d, ok := store.(PartitionDropper); ok {
		return d.DropPartitions(ctx, before)
	}
	return nil, nil
}
