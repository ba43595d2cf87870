package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// data is a Series, Trades or Quotes.
type data[D any] interface {
	fmt.Stringer
	Len() int
	Slice(from, to int) D
	Clip(r domain.Range) D
	Range() domain.Range
	Equal(o D) bool
}

// form describes one kind of data, so that kinds share their laws. Fixtures count in minutes after start.
type form[D data[D]] struct {
	prefix  string // prefix of the names of the laws
	one     string // the singular: "a trade"
	many    string // the plural: "trades"
	aMinute int    // rows of the fixtures per minute
	fields  int    // fields of a row that a write sets

	of      func(d D) string                                                // the symbol or key of d
	row     func(d D, i int) fmt.Stringer                                   // row i
	rows    func(symbol domain.Symbol, from, to, seed int) D                // all rows of the minutes [from, to)
	numbers func(symbol domain.Symbol, n []domain.Decimal) D                // every number once in every field that takes it, a row a minute
	field   func(i int) D                                                   // the first of rows, of seed 1, with field i alone of seed 50
	zero    func() D                                                        // the first of rows, all fields 0
	spelled func(scale uint8) D                                             // a row of 1, 2, 3 ..., each with so many digits after the point
	join    func(symbol domain.Symbol, pieces iter.Seq2[int, D]) (D, error) // one of ascending pieces

	stream  func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[D]
	put     rangeWrite[D] // under ConflictReplace
	putNew  rangeWrite[D] // under ConflictFail
	putKept rangeWrite[D] // under ConflictKeep
	putBad  rangeWrite[D] // under an unknown policy
	replace rangeWrite[D]
	remove  func(ctx context.Context, s Store, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error)
	extents func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error)
}

// rangeWrite writes the data of a range.
type rangeWrite[D any] = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error)

// extent is an extent of one kind of data.
type extent struct {
	symbol domain.Symbol
	r      domain.Range
}

// method returns the name of the port's method: "ReadTrades" for "Read".
func (f form[D]) method(verb string) string {
	return verb + strings.ToUpper(f.many[:1]) + f.many[1:]
}

// in returns a query for the data of the symbol of most laws in r.
func in(r domain.Range) ports.TickQuery { return ports.TickQuery{Symbol: key.Symbol, Range: r} }

// everything returns a query for all data of a symbol.
func everything(symbol domain.Symbol) ports.TickQuery {
	return ports.TickQuery{Symbol: symbol, Range: always}
}

// run returns rows of the symbol of most laws.
func (f form[D]) run(from, to, seed int) D { return f.rows(key.Symbol, from, to, seed) }

// none returns empty data of a symbol.
func (f form[D]) none(symbol domain.Symbol) D { return f.rows(symbol, 0, 0, 0) }

// long returns more rows than stores usually return in one piece, or write in one batch or statement.
func (f form[D]) long(symbol domain.Symbol, seed int) D {
	return f.rows(symbol, 0, manyBars/f.aMinute, seed)
}

// minutes returns the range of the whole minutes around d, which is the declared coverage of a fixture.
func (f form[D]) minutes(d D) domain.Range {
	r := d.Range()
	return domain.Range{Start: r.Start, End: r.End.Add(time.Minute - time.Microsecond).Truncate(time.Minute)}
}

// write writes d and declares coverage of its minutes.
func (f form[D]) write(ctx context.Context, s Store, d D) error {
	return wantNoError(f.method("Write"), second(f.put(ctx, s, d, f.minutes(d))))
}

// delete deletes the data of the symbol of most laws in r.
func (f form[D]) delete(ctx context.Context, s Store, r domain.Range) error {
	return second(f.remove(ctx, s, key.Symbol, r))
}

// declare declares coverage of the ranges, without data.
func (f form[D]) declare(ctx context.Context, s Store, symbol domain.Symbol, ranges ...domain.Range) error {
	for _, r := range ranges {
		if _, err := f.put(ctx, s, f.none(symbol), r); err != nil {
			return err
		}
	}

	return nil
}

// read returns the data of a query. It also checks the form of the sequence, for every law.
func (f form[D]) read(ctx context.Context, s Store, q ports.TickQuery) (D, error) {
	fail := func(format string, args ...any) (D, error) {
		var none D
		return none, fmt.Errorf("%s of %s got "+format, append([]any{f.method("Read"), q.Symbol}, args...)...)
	}
	var pieces []D
	var failed error
	first := true
	for p, err := range f.stream(ctx, s, q) {
		piece, isState := p.Rows, first && p.State != nil
		if !first && p.State != nil {
			return fail("a state behind the first piece, want it in the first")
		}

		first = false
		switch {
		case failed != nil:
			return fail("a piece after the error, want the end of the sequence: %w", failed)
		case err != nil:
			if failed = err; piece.Len() > 0 {
				return fail("%d %s with an error, want none: %w", piece.Len(), f.many, err)
			}
		case piece.Len() == 0 && !isState:
			return fail("a piece with neither a row nor a state, want none")
		case f.of(piece) != f.of(f.none(q.Symbol)):
			return fail("a piece of %s, want its own symbol", f.of(piece))
		default:
			pieces = append(pieces, piece)
		}
	}
	if failed != nil {
		return fail("an error, want none: %w", failed)
	}

	whole, err := f.join(q.Symbol, slices.All(pieces))
	if err != nil {
		return fail("pieces that are out of order or overlap, want them ascending: %w", err)
	}

	return whole, nil
}

// count reads and stops at the first error, which it returns with the number of rows before it.
func (f form[D]) count(ctx context.Context, s Store, q ports.TickQuery) (n int, err error) {
	for piece, err := range f.stream(ctx, s, q).Rows() {
		if err != nil {
			return n, err
		}
		n += piece.Len()
	}

	return n, nil
}

// joined joins ascending pieces of the symbol of most laws.
func (f form[D]) joined(pieces ...D) D { return must(f.join(key.Symbol, slices.All(pieces))) }

// want fails unless the query returns exactly d, number by number.
func (f form[D]) want(ctx context.Context, s Store, q ports.TickQuery, want D) error {
	got, err := f.read(ctx, s, q)
	if err != nil {
		return err
	}
	if err := f.same(got, want); err != nil {
		return fmt.Errorf("%s of %s first %d last %d of %s: %w", f.method("Read"), q.Symbol, q.First, q.Last, q.Range, err)
	}

	return nil
}

// wantAll fails unless the symbol of most laws has exactly d.
func (f form[D]) wantAll(ctx context.Context, s Store, d D) error {
	return f.want(ctx, s, in(always), d)
}

func (f form[D]) same(got, want D) error {
	if got.Equal(want) {
		return nil
	}

	for i := range min(got.Len(), want.Len()) {
		if !got.Slice(i, i+1).Equal(want.Slice(i, i+1)) {
			return fmt.Errorf("number %d of %s:\n got %s\nwant %s", i, f.many, f.row(got, i), f.row(want, i))
		}
	}

	return fmt.Errorf("got %s, want %s", got, want)
}

// oneOf fails unless the result is one of the versions.
func (f form[D]) oneOf(got D, versions []D) error {
	if slices.ContainsFunc(versions, got.Equal) {
		return nil
	}
	return fmt.Errorf("%s beside writes got %s, want one of the versions whole", f.method("Read"), got)
}

// wantExtents compares the coverage of the symbols, or of every symbol.
func (f form[D]) wantExtents(ctx context.Context, s Store, symbols []domain.Symbol, want ...extent) error {
	return f.wantExtentsOf(ctx, s, ports.ExtentQuery{Symbols: symbols}, want...)
}

// wantExtentsOf compares the coverage that the query selects.
func (f form[D]) wantExtentsOf(ctx context.Context, s Store, q ports.ExtentQuery, want ...extent) error {
	got, err := f.extents(ctx, s, q)
	if err != nil {
		return err
	}

	same := func(a, b extent) bool { return a.symbol == b.symbol && a.r.Equal(b.r) }
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("extents of %s of %+v:\n got %v\nwant %v", f.many, q, got, want)
	}

	return nil
}

// wantCoverage fails unless exactly these ranges are covered, for the symbol of most laws only.
func (f form[D]) wantCoverage(ctx context.Context, s Store, ranges ...domain.Range) error {
	var want []extent
	for _, r := range ranges {
		want = append(want, extent{key.Symbol, r})
	}

	return f.wantExtents(ctx, s, nil, want...)
}

// wantNothing fails if the store has data or coverage of the symbol.
func (f form[D]) wantNothing(ctx context.Context, s Store, symbol domain.Symbol) error {
	return errors.Join(
		f.want(ctx, s, everything(symbol), f.none(symbol)),
		f.wantExtents(ctx, s, []domain.Symbol{symbol}),
	)
}

// named adds the prefix of the form to the name of every law.
func (f form[D]) named(lists ...[]law[Store]) []law[Store] {
	laws := slices.Concat(lists...)
	for i := range laws {
		laws[i].name = f.prefix + laws[i].name
	}

	return laws
}
