package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// relations is what the schema marketdata has in place of the tables that reads need. It is never changed.
type relations struct {
	names    []string
	areViews bool      // marketdata.series is not a table, so that others write the rows and there are no versions
	readAt   time.Time // from the server
}

// viewsLife is how long views are believed, because others may add more of them. Tables are believed for ever.
const viewsLife = time.Minute

const opReadTables = "read tables"

// relations returns what the database has, or nil where it has no marketdata.series: that may be created later.
func (s *Store) relations(ctx context.Context) (*relations, error) {
	if known := s.known.Load(); known != nil && (!known.areViews || time.Since(known.readAt) < viewsLife) {
		return known, nil
	}

	found := &relations{readAt: time.Now()}
	err := s.withConn(ctx, opReadTables, func(db session) error {
		return db.queryRow(ctx, selectRelations, nil, &found.names, &found.areViews)
	})
	if err != nil || !slices.Contains(found.names, "series") {
		return nil, err
	}

	s.known.Store(found)

	return found, nil
}

// isVersioned reports whether there are tables, which keep versions. Views in their place keep none.
func (r *relations) isVersioned() bool { return r != nil && !r.areViews }

// lacks reports whether there are views, and none of the name of an optional one. Any other that is missing is an error
// of the server, which names it.
func (r *relations) lacks(optional string) bool {
	return optional != "" && r != nil && r.areViews && !slices.Contains(r.names, optional)
}

// KeepsVersions reports whether reads yield states. They yield none where views stand in place of the tables; tables
// that do not exist yet will keep versions.
func (s *Store) KeepsVersions(ctx context.Context) (bool, error) {
	found, err := s.relations(ctx)

	return err == nil && (found == nil || found.isVersioned()), translate(ctx, opReadTables, "", err)
}

// requireVersions returns an error for views in place of the tables. Where there are no tables, the server refuses the
// statements that follow.
func (s *Store) requireVersions(ctx context.Context) error {
	found, err := s.relations(ctx)
	if err == nil && found != nil && found.areViews {
		readOnly := errors.New("the store is read-only, because marketdata.series is a view")
		err = &viewError{readOnly, "; write to another store"}
	}

	return err
}

// viewError is an error about views that stand in place of the tables: no migration helps.
type viewError struct {
	err    error
	remedy string
}

// Error returns the text of the cause and the remedy.
func (e *viewError) Error() string { return e.err.Error() + e.remedy }

// Unwrap returns ports.ErrForeignSchema and the cause.
func (e *viewError) Unwrap() []error { return []error{ports.ErrForeignSchema, e.err} }
