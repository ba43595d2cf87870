package influx

import (
	"context"
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/ports"
)

// Check reads the fields of the measurement, because that needs the connection, the credentials and the database; the
// client's Ping and Health succeed with wrong credentials. It returns ErrSchema if a field has an unexpected type or if
// an existing layout lacks a field. A measurement of our own without any field is healthy: nothing has been written
// yet.
func (s *Store) Check(ctx context.Context) error {
	return translate("check", s.database, s.checkSchema(ctx))
}

var (
	_ ports.DetailReporter  = (*Store)(nil)
	_ ports.ProblemReporter = (*Store)(nil)
)

// Details implements ports.DetailReporter. The version is known after the first response.
func (s *Store) Details() ports.StoreDetails {
	d := ports.StoreDetails{Address: strings.TrimSuffix(s.queryURL, "/query"), Database: s.database, User: s.user}
	if version := s.version.Load(); version != nil {
		d.Version = *version
	}

	return d
}

// userOf returns the user in a token for 1.8. A token of 2.x has none.
func userOf(cfg Config) string {
	user, _, isUser := strings.Cut(cfg.Token.Reveal(), ":")
	if !isUser || cfg.Org != "" {
		return ""
	}

	return user
}

// ensureChecked checks the schema once.
func (s *Store) ensureChecked(ctx context.Context) error {
	if s.isChecked.Load() {
		return nil
	}

	return s.checkSchema(ctx)
}

func (s *Store) checkSchema(ctx context.Context) error {
	err := s.checkFields(ctx)
	if err == nil {
		s.isChecked.Store(true)
	}

	return err
}

func (s *Store) checkFields(ctx context.Context) error {
	types := map[string]string{}
	err := s.runUnchecked(ctx, s.layout.showFieldKeys(), &valueHandler{row: func(_ table, values []any) error {
		if len(values) != 2 {
			return malformedError("%v where a field and its type should be", values)
		}

		field, _ := values[0].(string)
		got, _ := values[1].(string)
		if want, ours := s.layout.types[field]; ours && got != want {
			return fmt.Errorf("measurement %s: field %s has the type %s, not %s: %w",
				s.layout.measurement, field, got, want, ports.ErrSchema)
		}

		types[field] = got

		return nil
	}})
	if err != nil {
		return err
	}
	if len(types) == 0 && s.layout.existing == nil {
		return nil
	}

	for _, field := range s.layout.fields {
		if types[field] == "" {
			return fmt.Errorf("measurement %s: no field %s: %w", s.layout.measurement, field, ports.ErrSchema)
		}
	}

	return nil
}
