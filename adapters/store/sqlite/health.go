package sqlite

import (
	"cmp"
	"context"
	"strconv"

	"github.com/gal-friday/marketdata/ports"
)

var (
	_ ports.HealthChecker  = (*Store)(nil)
	_ ports.DetailReporter = (*Store)(nil)
)

// Details implements ports.DetailReporter. Opening migrated the file to the version of this program.
func (s *Store) Details() ports.StoreDetails {
	return ports.StoreDetails{Database: s.path, Schema: strconv.Itoa(len(migrations))}
}

// Check implements ports.HealthChecker. It reads the version of the file, and returns an error if the file is gone,
// belongs to another program, or was migrated to a newer version.
func (s *Store) Check(ctx context.Context) error {
	_, err := fileVersion(ctx, s.reader)
	return translate(ctx, "check", "", cmp.Or(s.frozen.check(), err))
}
