package influx

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/ports"
)

// Check asks for the measurement's fields, which needs the connection, the credentials and the database: the client's own Ping and
// Health pass with wrong credentials. A measurement with fields of other types than ours is ErrSchema; one without fields is fine,
// except that an existing layout must be there.
func (s *Store) Check(ctx context.Context) error {
	return translate("check", s.database, s.check(ctx))
}

func (s *Store) check(ctx context.Context) error {
	types := map[string]string{}
	err := s.rowsOf(ctx, s.layout.fieldKeys(), func(_ table, values []any) error {
		if len(values) != 2 {
			return malformed("%v where a field and its type should be", values)
		}

		field, _ := values[0].(string)
		kind, _ := values[1].(string)
		if want, ours := s.layout.types[field]; ours && kind != want {
			return fmt.Errorf("measurement %s: field %s is of the type %s, not %s: %w",
				s.layout.measurement, field, kind, want, ports.ErrSchema)
		}

		types[field] = kind
		return nil
	})
	if err != nil {
		return err
	}
	if len(types) == 0 && s.layout.existing == nil {
		return nil
	}

	for _, field := range s.layout.fields {
		if types[field] == "" {
			return fmt.Errorf("measurement %s has no field %s: %w", s.layout.measurement, field, ports.ErrSchema)
		}
	}

	return nil
}
