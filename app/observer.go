package app

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// observer tells the audit and the telemetry of each request. It is safe for concurrent use.
type observer struct {
	audit     *audit
	telemetry ports.Telemetry // nil for none
	epoch     time.Time       // of the readings of the clock
}

// request is what the audit and the telemetry are told of a request.
type request struct {
	op          string               // as errors name it
	frequencies ports.FrequencyClass // "" if the request has none
	key         domain.SeriesKey     // of trades, quotes and symbols only the symbol
	asked       domain.Range         // as requested; zero for an open end
}

// barRequest returns the description of a request of a series.
func barRequest(op string, key domain.SeriesKey, asked domain.Range) request {
	return request{op, ports.ClassOf(key.Grid.Frequency()), key, asked}
}

// tickRequest returns the description of a request of trades or quotes.
func tickRequest(op string, symbol domain.Symbol, asked domain.Range) request {
	return request{op, ports.FrequencyTicks, domain.SeriesKey{Symbol: symbol}, asked}
}

// symbolRequest returns the description of a request of a symbol.
func symbolRequest(op string, symbol domain.Symbol) request {
	return request{op: op, key: domain.SeriesKey{Symbol: symbol}}
}

// operation names the request for the telemetry.
func (r *request) operation() ports.Operation {
	return ports.Operation{Name: r.op, Frequencies: r.frequencies}
}

// observation is one request under way. It is for one goroutine.
type observation struct {
	observer *observer
	request  request
	start    time.Time // later by the time of a stream's consumer; zero without telemetry

	rows     int
	isCached bool // see ports.Measurement.Cached
	err      error
}

// begin begins the observation of a request, and returns the context for it. Without telemetry it does not read the
// clock.
func (o *observer) begin(ctx context.Context, r request) (context.Context, observation) {
	observed := observation{observer: o, request: r}
	if o.telemetry != nil {
		observed.start = observed.now()
		ctx = o.telemetry.Begin(ctx, r.operation())
	}

	return ctx, observed
}

// end tells of the outcome of the request.
func (o *observation) end(ctx context.Context, rows int, err error) {
	o.rows, o.err = rows, err
	o.observer.audit.finish(ctx, o.request, rows, err)
	o.measure(ctx)
}

// endPart records the outcome of one of the requests of a batch, which has a record of its own in the audit. measure
// ends the batch.
func (o *observation) endPart(ctx context.Context, r request, rows int, err error) {
	o.observer.audit.finish(ctx, r, rows, err)
	o.rows += rows
	if o.err == nil {
		o.err = err
	}
}

// measure tells the telemetry of the outcome.
func (o *observation) measure(ctx context.Context) {
	if o.observer.telemetry == nil {
		return
	}

	m := ports.Measurement{Start: o.start, Duration: time.Since(o.start), Rows: o.rows, Cached: o.isCached}
	if o.err != nil {
		m.Kind = access.KindOf(o.err)
	}
	o.observer.telemetry.End(ctx, o.request.operation(), m)
}

// isCached reports whether all bars of a result came from caches.
func isCached(origins []domain.Origin) bool {
	return len(origins) > 0 && !slices.ContainsFunc(origins, func(o domain.Origin) bool { return !o.Cached })
}

// neverCached says that trades and quotes are not cached.
func neverCached() bool { return false }

// observePieces yields the pieces of a stream, and ends its observation with them. The time that the consumer takes
// between two pieces does not count. isCached reports at the end whether all rows came from caches.
func observePieces[P access.Piece](
	ctx context.Context, o observation, pieces iter.Seq2[P, error], isCached func() bool,
) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		o := o
		o.start = o.now()
		rows := 0
		var failed error
		defer func() {
			o.isCached = isCached()
			o.end(ctx, rows, failed)
		}()
		for piece, err := range pieces {
			rows, failed = rows+piece.Len(), err
			pause := o.now()
			isMore := yield(piece, err)
			o.start = o.start.Add(o.now().Sub(pause))
			if !isMore {
				return
			}
		}
	}
}

// now returns the time; zero without telemetry, which spares the reading. It reads the monotonic clock alone, in half
// the time of time.Now.
func (o *observation) now() time.Time {
	if o.observer.telemetry == nil {
		return time.Time{}
	}

	epoch := o.observer.epoch

	return epoch.Add(time.Since(epoch))
}
