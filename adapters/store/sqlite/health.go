package sqlite

import (
	"context"

	"github.com/gal-friday/marketdata/ports"
)

var _ ports.HealthChecker = (*Store)(nil)

// Check reads the file's version through a reader's connection: it fails where the file went away, is not ours any more, or was
// brought to a newer version.
func (s *Store) Check(ctx context.Context) error {
	_, err := fileVersion(ctx, s.read)
	return translate(ctx, "check", "", err)
}
