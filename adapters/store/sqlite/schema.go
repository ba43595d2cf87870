package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// migrations are the steps from an empty file to the tables of today; the number of those applied is the file's version. A step
// that was released never changes.
//
// The version is SQLite's own user_version, set in the transaction that makes the tables: it cannot say what did not happen, and two
// processes that start at once take turns. A table of migrations with a lock, which a crash
// would leave behind, is made for servers.
var migrations = [...]string{schema1}

// symbolRow is a row of symbols.
type symbolRow struct {
	Symbol, Venue, Base, Quote, Tick, Lot, Zone string
}

// args returns the values of symbolColumns.
func (r *symbolRow) args() []any {
	return []any{r.Symbol, r.Venue, r.Base, r.Quote, r.Tick, r.Lot, r.Zone}
}

// into returns where symbolColumns are scanned to.
func (r *symbolRow) into() []any {
	return []any{&r.Symbol, &r.Venue, &r.Base, &r.Quote, &r.Tick, &r.Lot, &r.Zone}
}

// seriesRow is a row of series, without its id.
type seriesRow struct {
	Symbol string
	Grid   string // empty where the series is of ticks
	Kind   string // what the price is of, or which ticks
}

// extentRow is a range of one series, in microseconds since 1970 UTC, as all times here.
type extentRow struct{ Start, End int64 }

// into returns where the columns of selectExtents are scanned to.
func (r *extentRow) into() []any { return []any{&r.Start, &r.End} }

func newSeriesRow(key domain.SeriesKey) seriesRow {
	return seriesRow{Symbol: string(key.Symbol), Grid: key.Grid.String(), Kind: key.PriceType.String()}
}

// migrate brings the file to the version of this program, and refuses one that is not ours or newer.
func migrate(ctx context.Context, db *sql.DB) error {
	// Looking needs no lock; a file that is up to date opens while another process writes.
	version, err := fileVersion(ctx, db)
	if err != nil || version == len(migrations) {
		return err
	}

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}

	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if version, err = fileVersion(ctx, tx); err != nil {
		return err
	}

	for _, step := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, setVersion(len(migrations))); err != nil {
		return err
	}

	return tx.Commit()
}

// fileVersion is how many migrations the file has seen.
func fileVersion(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (int, error) {
	var application, version, tables int
	if err := db.QueryRowContext(ctx, selectVersion).Scan(&application, &version, &tables); err != nil {
		return 0, err
	}

	switch {
	case application == 0 && version == 0 && tables == 0: // empty
		return 0, nil
	case application != applicationID:
		return 0, fmt.Errorf("%w: a SQLite database, but not one of marketdata; give another path", ports.ErrSchema)
	case version > len(migrations):
		return 0, fmt.Errorf("%w: the file has version %d, this program knows up to %d; use a newer marketdata or another file",
			ports.ErrSchema, version, len(migrations))
	}

	return version, nil
}
