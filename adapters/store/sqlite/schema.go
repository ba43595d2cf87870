package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// migrations are the steps from an empty file to the current tables. The version of a file is the number of steps
// applied to it. A released step must never change.
//
// The version is SQLite's user_version, which the transaction that creates the tables sets: it cannot claim a step that
// was not applied, and two processes that open a new file at once take turns. A table of migrations with a lock, as
// servers use, would remain locked after a crash.
var migrations = [...]string{schema1}

// symbolRow is a row of symbols.
type symbolRow struct {
	Symbol, Venue, Base, Quote, Tick, Lot, Zone string
}

// args returns the values of symbolColumns.
func (r *symbolRow) args() []any {
	return []any{r.Symbol, r.Venue, r.Base, r.Quote, r.Tick, r.Lot, r.Zone}
}

// targets returns the pointers to scan symbolColumns into.
func (r *symbolRow) targets() []any {
	return []any{&r.Symbol, &r.Venue, &r.Base, &r.Quote, &r.Tick, &r.Lot, &r.Zone}
}

func newSymbolRow(m domain.SymbolMeta) symbolRow {
	return symbolRow{
		Symbol: string(m.Symbol), Venue: m.Venue, Base: m.Base, Quote: m.Quote,
		Tick: m.Tick.String(), Lot: m.Lot.String(), Zone: m.Zone,
	}
}

// meta returns the metadata of the row, or an error if this package cannot have written it.
func (r symbolRow) meta() (domain.SymbolMeta, error) {
	m := domain.SymbolMeta{Symbol: domain.Symbol(r.Symbol), Venue: r.Venue, Base: r.Base, Quote: r.Quote, Zone: r.Zone}
	var err error
	if m.Tick, err = domain.ParseDecimal(r.Tick); err != nil {
		return m, err
	}
	if m.Lot, err = domain.ParseDecimal(r.Lot); err != nil {
		return m, err
	}

	return m, m.Validate()
}

// seriesRow is a row of series, without its id.
type seriesRow struct {
	Symbol string
	Grid   string // empty for a series of ticks
	Kind   string // the price type of bars, or the kind of ticks
}

func newSeriesRow(key domain.SeriesKey) seriesRow {
	return seriesRow{Symbol: string(key.Symbol), Grid: key.Grid.String(), Kind: key.PriceType.String()}
}

func newTickSeriesRow(symbol domain.Symbol, kind domain.TickKind) seriesRow {
	return seriesRow{Symbol: string(symbol), Kind: string(kind)}
}

// key returns the key of a series of bars, or an error if this package cannot have written the row.
func (r seriesRow) key() (domain.SeriesKey, error) {
	grid, err := domain.ParseGrid(r.Grid)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	price, err := domain.ParsePriceType(r.Kind)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	return domain.NewSeriesKey(domain.Symbol(r.Symbol), grid, price)
}

// extentRow is the range of an extent.
type extentRow struct{ Start, End domain.Micros }

// targets returns the pointers to scan range_start and range_end into.
func (r *extentRow) targets() []any { return []any{&r.Start, &r.End} }

func (r extentRow) timeRange() domain.Range {
	return domain.Range{Start: r.Start.Time(), End: r.End.Time()}
}

// migrate applies the steps that the file lacks. It returns an error if the file is not one of this package, or newer.
func migrate(ctx context.Context, db *sql.DB) error {
	// Reading the version needs no lock, so that a current file can be opened while another process writes.
	version, err := fileVersion(ctx, db)
	if err != nil || version == len(migrations) {
		return err
	}

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}

	defer func() { _ = tx.Rollback() }() // no effect after a commit
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

// fileVersion returns the number of migrations applied to the file.
func fileVersion(ctx context.Context, db querier) (int, error) {
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
		return 0, fmt.Errorf("%w: the file has version %d, but this program supports versions up to %d; "+
			"use a newer marketdata or another file", ports.ErrSchema, version, len(migrations))
	}

	return version, nil
}
