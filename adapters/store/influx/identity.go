package influx

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// identityTime is the time of the point that has the identity. There is one point, so that the last of several writers
// wins, and it lies in the future, so that no retention policy drops it.
var identityTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Identity implements ledger.NontransactionalStore.
func (s *Store) Identity(ctx context.Context) (string, error) {
	id, err := s.readIdentity(ctx)
	return id, translate("read identity", s.database, err)
}

func (s *Store) readIdentity(ctx context.Context) (id string, err error) {
	err = s.queryRows(ctx, s.layout.selectIdentity(identityTime.UnixNano()), func(_ table, values []any) error {
		text, ok := values[len(values)-1].(string)
		if !ok {
			return malformedError("%v where an identity should be", values)
		}
		id = text

		return nil
	})

	return id, err
}

// SetIdentity implements ledger.NontransactionalStore. It writes until a read shows the identity, like upsertVerified.
func (s *Store) SetIdentity(ctx context.Context, id string) error {
	line := fmt.Sprintf("%s %s=%q %d", s.layout.identityMeasurement(), fieldIdentity, id, identityTime.UnixNano())
	if err := s.ensureChecked(ctx); err != nil {
		return translate("set identity", s.database, err)
	}

	api := s.client.WriteAPIBlocking(s.org, s.bucket)
	for range maxWriteAttempts {
		if err := api.WriteRecord(ctx, line); err != nil {
			return translate("set identity", s.database, err)
		}
		if found, err := s.Identity(ctx); err != nil || found == id {
			return err
		}
	}

	lost := fmt.Errorf("reads do not show the identity %s after %d attempts; retry: %w",
		id, maxWriteAttempts, ports.ErrUnavailable)

	return translate("set identity", s.database, lost)
}
