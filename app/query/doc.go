// Package query answers requests for bars, trades and quotes from the configured stores, clamped to one instant of the
// clock.
//
// A request for bars is made of three values. A query is the request, validated and clamped: it never changes. A route
// says where the bars come from: it is chosen from the coverage of the stores by package plan, or directly where the
// preferred store covers everything. A result collects what was read. One pipeline reads a route for Fetch, Stream and
// FetchMany alike; First and Last are a limit on it:
//
//	query.go       validate and clamp                  newQuery
//	route.go       choose stores                       router.route
//	store_read.go  one query of one store or cache     reader.readStore
//	pipeline.go    legs into bars, filter, fill        reader.pieces
//	limited.go     First and Last                      reader.readLimited
//	fill.go        slots without a bar                 gapFiller.add
//	unreadable.go  stored bars that no Series can have
//	result.go      quality, provenance, Next           result.finish
//	states.go      one state of each series            task.checkState
//	checkpoint.go  whether earlier pages still hold    task.checkPages
//
// Adapters, SQL and cache policy must not be known here.
package query
