package influx

import "context"

// Migrate creates the database on a 1.8 server, unless it exists. It needs the privileges of an administrator.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.runUnchecked(ctx, createDatabase(s.database), &valueHandler{row: ignoreRow})
	return translate("migrate", s.database, err)
}
