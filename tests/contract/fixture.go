package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// start is the open time of the first bar in most laws.
var start = time.Date(2024, 2, 28, 23, 30, 0, 0, time.UTC)

// always is a range that contains every bar that the laws write.
var always = domain.Range{
	Start: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
}

// key is the series of most laws.
var key = minuteKey("BTC/USD")

func minuteKey(s domain.Symbol) domain.SeriesKey {
	return domain.SeriesKey{Symbol: s, Grid: domain.Minute1.UTC()}
}

// minutes returns the time n minutes after start.
func minutes(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

// span returns the range from minute a to minute b after start.
func span(a, b int) domain.Range { return domain.Range{Start: minutes(a), End: minutes(b)} }

// number returns n hundredths.
func number(n int) domain.Decimal {
	d, err := domain.NewDecimal(int64(n), 2)
	return must(d, err)
}

// barAt returns a bar whose numbers all differ from each other and from those of other seeds.
func barAt(t time.Time, seed int) domain.Bar {
	p := 10_000 + 7*seed
	return domain.Bar{
		OpenTime: t,
		Open:     number(p + 1), High: number(p + 5), Low: number(p), Close: number(p + 3),
		Volume: number(500 + seed), Trades: int64(seed + 1),
	}
}

// bars returns n consecutive bars of k, the first at or after from.
func bars(k domain.SeriesKey, from time.Time, n, seed int) domain.Series {
	b := domain.NewSeriesBuilder(k, n)
	at := k.Grid.Ceil(from)
	for i := range n {
		if err := b.Append(barAt(at, seed+i)); err != nil {
			panic(err)
		}
		at = k.Grid.Next(at)
	}

	return must(b.Series())
}

// series returns the given bars of k.
func series(k domain.SeriesKey, b ...domain.Bar) domain.Series {
	return must(domain.NewSeries(k, b...))
}

// must returns v, and panics on an error. It is for the suite's own fixtures.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("contract: a fixture of the suite is wrong: %v", err))
	}
	return v
}

// write writes the bars and declares coverage of their own range.
func write(ctx context.Context, s Store, b domain.Series) error {
	_, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)
	return wantNoError("WriteBatch", err)
}

// all returns a query for all bars of a key.
func all(k domain.SeriesKey) ports.BarQuery { return ports.BarQuery{Key: k, Range: always} }

// maxReads is how often a law reads beside writers before a conflict is an error.
const maxReads = 20

// read returns the bars of a query. It reads again where the data changed meanwhile, as every caller does. It also
// checks the form of the sequence, for every law.
func read(ctx context.Context, s Store, q ports.BarQuery) (bars domain.Series, err error) {
	for range maxReads {
		if bars, err = collect(q.Key, s.Bars.ReadBars(ctx, q)); !errors.Is(err, ports.ErrConflict) {
			break
		}
	}

	return bars, err
}

func collect(k domain.SeriesKey, pieces ports.Sequence[domain.Series]) (domain.Series, error) {
	result, _, err := collectState(k, pieces)
	return result, err
}

// collectState also returns the state of the read; it is nil if the store keeps no versions.
func collectState(
	k domain.SeriesKey, pieces ports.Sequence[domain.Series],
) (result domain.Series, state *domain.SeriesState, err error) {
	whole := domain.NewSeriesBuilder(k, 0)
	fail := func(format string, args ...any) (domain.Series, *domain.SeriesState, error) {
		return domain.Series{}, nil, fmt.Errorf("the read of %s got "+format, append([]any{k}, args...)...)
	}
	var failed error
	count := 0
	for piece, err := range pieces {
		count++
		switch {
		case failed != nil:
			return fail("a piece after the error, want the end of the sequence: %w", failed)
		case err != nil:
			if failed = err; piece.Rows.Len() > 0 {
				return fail("%d bars with an error, want none: %w", piece.Rows.Len(), err)
			}
		case piece.State != nil && count > 1:
			return fail("a state in piece %d, want it in the first", count)
		case piece.Rows.Len() == 0 && piece.State == nil:
			return fail("a piece with neither a bar nor a state, want none")
		case piece.Rows.Key() != k:
			return fail("a piece of %s, want its own key", piece.Rows.Key())
		default:
			if piece.State != nil {
				state = piece.State
			}
			if err := whole.AppendSeries(piece.Rows); err != nil {
				return fail("pieces that are out of order or overlap, want them ascending: %w", err)
			}
		}
	}
	if failed != nil {
		return fail("an error, want none: %w", failed)
	}

	if result, err = whole.Series(); err != nil {
		return fail("bars that are no series, want one: %w", err)
	}

	return result, state, nil
}

// wantBars fails unless the query returns exactly the bars, number by number.
func wantBars(ctx context.Context, s Store, q ports.BarQuery, want domain.Series) error {
	got, err := read(ctx, s, q)
	if err != nil {
		return err
	}
	if err := sameBars(got, want); err != nil {
		return fmt.Errorf("ReadBars %s first %d last %d of %s: %w", q.Key, q.First, q.Last, q.Range, err)
	}

	return nil
}

func sameBars(got, want domain.Series) error {
	if got.Equal(want) {
		return nil
	}
	if got.Key() != want.Key() {
		return fmt.Errorf("got a series of %s, want %s", got.Key(), want.Key())
	}

	for i := range min(got.Len(), want.Len()) {
		if g, w := got.At(i), want.At(i); !g.Equal(w) {
			return fmt.Errorf("bar %d:\n got %s\nwant %s", i, g, w)
		}
	}

	return fmt.Errorf("got %s, want %s", got, want)
}

// wantReport compares the report of a write; err is the error of the write.
func wantReport(got ports.WriteReport, err error, want ports.WriteReport) error {
	if err != nil {
		return wantNoError("the write", err)
	}
	if got != want {
		return fmt.Errorf("got report %+v, want %+v", got, want)
	}

	return nil
}

// wantConflict fails unless a write was refused because of stored rows with other values.
func wantConflict(report ports.WriteReport, err error, rows int, first time.Time) error {
	if err := wantError(err, ports.ErrConflict); err != nil {
		return err
	}
	if report != (ports.WriteReport{}) {
		return fmt.Errorf("got report %+v with the error, want the zero report: %w", report, err)
	}

	var conflict *ports.ConflictError
	if !errors.As(err, &conflict) || conflict.Rows != rows || !conflict.First.Equal(first) {
		want := &ports.ConflictError{Rows: rows, First: first}
		return fmt.Errorf("got %s, want a *ports.ConflictError with %q", errorText(err), want.Error())
	}

	return nil
}

// wantError fails unless err is of the kind.
func wantError(err, kind error) error {
	if !errors.Is(err, kind) {
		return fmt.Errorf("got %s, want an error that is %q", errorText(err), kind.Error())
	}
	return nil
}

// wantNoError returns a failure that names the call unless err is nil.
func wantNoError(call string, err error) error {
	if err == nil {
		return nil
	}

	return fmt.Errorf("%s got an error, want none: %w", call, err)
}

// errorText returns the quoted text of an error, which may be nil.
func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return "the error " + strconv.Quote(err.Error())
}

// wantExtents compares the coverage of the symbols.
func wantExtents(ctx context.Context, s Store, symbols []domain.Symbol, want ...domain.Extent) error {
	got, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: symbols}))
	if err != nil {
		return wantNoError("Extents", err)
	}

	same := func(a, b domain.Extent) bool {
		return a.Key == b.Key && a.Range.Equal(b.Range) && a.Inferred == b.Inferred
	}
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("Extents of %v:\n got %v\nwant %v", symbols, got, want)
	}

	return nil
}

// wantNothing fails if the store has a bar or coverage of the key.
func wantNothing(ctx context.Context, s Store, k domain.SeriesKey) error {
	return errors.Join(
		wantBars(ctx, s, all(k), domain.EmptySeries(k)),
		wantExtents(ctx, s, []domain.Symbol{k.Symbol}),
	)
}

// join returns one Series of ascending pieces.
func join(pieces ...domain.Series) domain.Series {
	b := domain.NewSeriesBuilder(pieces[0].Key(), 0)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			panic(err)
		}
	}

	return must(b.Series())
}

// steps runs the parts of a check in order, up to the first failure.
func steps(parts ...func() error) error {
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}

	return nil
}
