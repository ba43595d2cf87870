package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// migrations are the steps from an empty file to the tables of today; the number of those applied is the file's version. A step
// that was released never changes.
//
// The version is SQLite's own user_version, set in the transaction that makes the tables: it cannot say what did not happen, and two
// processes that start at once take turns. The tables that bun/migrate keeps for it, with a lock that a crash leaves behind, are
// made for servers.
var migrations = [...]string{schema1}

// symbolRow, seriesRow and extentRow are the small tables. Bars have no model: their path is constant SQL.
type symbolRow struct {
	bun.BaseModel `bun:"table:symbols"`

	Symbol string `bun:"symbol,pk"`
	Venue  string `bun:"venue"`
	Base   string `bun:"base"`
	Quote  string `bun:"quote"`
	Tick   string `bun:"tick"`
	Lot    string `bun:"lot"`
	Zone   string `bun:"zone"`
}

type seriesRow struct {
	bun.BaseModel `bun:"table:series"`

	ID     int64  `bun:"id,pk,autoincrement"`
	Symbol string `bun:"symbol"`
	Grid   string `bun:"grid"` // empty where the series is of ticks
	Kind   string `bun:"kind"` // what the price is of, or which ticks
}

type extentRow struct {
	bun.BaseModel `bun:"table:extents,alias:extents"`

	Series int64 `bun:"series,pk"`
	Start  int64 `bun:"range_start,pk"` // microseconds since 1970 UTC, as all times here
	End    int64 `bun:"range_end"`
}

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
