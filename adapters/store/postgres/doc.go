// Package postgres stores bars, trades, quotes, their coverage and the symbol catalog in PostgreSQL 14 or later,
// through pgx and bun on one pool of connections. It knows no other store, and it makes no decision about the data:
// routing, validation and caching belong to the application.
//
// # Files
//
//	store.go                            Config, opening, the pool and its limits
//	query.go, testdata/sql              all SQL text; migrate.go and migrations/ the tables
//	read.go, batch.go, aggregate.go     reads of bars; binary.go and numeric.go decode the binary protocol
//	session.go, state.go                statements of one connection; the states of series
//	write.go, rows.go                   writes: their input, and how rows change
//	transaction.go, record.go           locks of series, and the coverage, blocks and versions that a transaction stores
//	relations.go                        which tables or views there are
//	series.go, blocks.go, lookups.go    series and blocks; the series and partitions that are known to exist
//	coverage.go                         listings of coverage
//	ledger.go, ledger_read.go           the state of bars that another store has, and the intents of its writes
//	ticks.go                            trades and quotes
//	catalog.go                          symbols
//	grants.go, remedy.go                the rights of roles; the remedies of errors
//	health.go                           the check, and the details of the server
//	hints.go                            hints between processes, through LISTEN and NOTIFY
//	explain.go, advice.go               plans of the server, and advice about them
//	translate.go                        errors
//
// # Roles
//
// All tables are in the schema marketdata. Three roles are enough: a migrator, who owns the tables, an importer and a
// reader. [Grants] returns what each needs. SELECT on identity is needed only for CacheKey, which every process with a
// shared cache calls, and on migrations only to tell the version.
//
// Sessions set row_security to off. A policy that would hide rows from the role makes its reads fail with
// ports.ErrPermission, because a hidden bar must not read as a bar that does not exist.
//
// # Existing tables
//
// Tables that a deployment already has are read through views that replace symbols, series, bars and coverage and have
// the columns that the store reads. Such a view of coverage spans from the first bar to the end of the last and marks
// the coverage as inferred. testdata/existing_tables.sql is a complete example. All four views are required; those of
// trades and quotes are optional, and without them there are no ticks.
//
// Rows of such tables may have times that no bar can have: infinity, or a year that is not 1 to 9999. No read has them
// in its range, and inferred coverage that contains them spans from the first to the last bar with a possible time.
// Other coverage is cut at these years. A range that is NULL or empty is none.
//
// The store looks when it is opened whether marketdata.series is a table, and then believes it; views are looked at
// again after a minute. Over views, reads yield no states, and writes are ports.ErrSchema and ports.ErrForeignSchema
// before they change anything.
package postgres
