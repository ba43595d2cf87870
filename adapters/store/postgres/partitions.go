package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
)

var _ ports.PartitionDropper = (*Store)(nil)

// DropPartitions implements ports.PartitionDropper. Each partition is dropped in a transaction of its own. Where views
// stand in place of the tables, there are none.
func (s *Store) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	const op = "drop partitions"
	var dropped []ports.Partition
	err := s.withConn(ctx, op, func(db session) error {
		names, err := queryRows(ctx, db, statement{sql: selectPartitions, args: []any{before}}, pgx.RowTo[string])
		if err != nil {
			return err
		}

		for _, name := range names {
			var outcome string
			if err := db.queryRow(ctx, dropPartition, []any{name}, &outcome); err != nil {
				return err
			}

			switch outcome {
			case "has rows", "gone":
				continue
			case "dropped":
				outcome = ""
			}
			dropped = append(dropped, ports.Partition{Name: name, Kept: outcome})
		}

		return nil
	})
	s.lookups.forgetPartitions()

	return dropped, translate(ctx, op, "", err)
}
