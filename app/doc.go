// Package app is the application over a list of sources: Service, made by New, answers requests, writes, lists symbols
// and coverage, and diagnoses the stores. It only puts the services of its packages together:
//
//	query        requests for bars, trades and quotes; streams, batches, query plans
//	describe     metadata and statistics of a symbol
//	ingest       writes; copies between stores, and comparisons
//	symbols      catalogs, similar names, coverage
//	health       diagnosis
//	seriescache  the cache of bars in front of a store
//	plan         which stored rows bars are made of
//	replay       a simulated clock driven through many series
//	record       the requests of a run and summaries of their results
//
// The packages know ports and domain alone. Adapters, drivers, SQL and configuration files must not be named here, and
// there are no globals: stores, clock, caches and logger are passed in.
package app
