package domain

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyTicks draws ticks that Ticks can hold, several at some instants: each as draw draws it for its time and sequence
// number.
func anyTicks[T Tick](draw func(t *rapid.T, at time.Time, seq int64) T) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		var list []T
		at, seq := utc("2019-12-31T23:59:59.999998Z"), int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "ticks") {
			list = append(list, draw(t, at, seq))
			if step := rapid.Int64Range(-1, 3).Draw(t, "step"); step > 0 {
				at, seq = at.Add(time.Duration(step)*time.Microsecond), rapid.Int64Range(0, 2).Draw(t, "anew")
			} else {
				seq += 1 - step<<50
			}
		}

		return list
	})
}

// size draws numbers that are not negative.
func size(t *rapid.T, label string) Decimal {
	d := anyNumber().Draw(t, label)
	if d.Sign() < 0 {
		d = d.Neg()
	}

	return d
}

func drawTrade(t *rapid.T, at time.Time, seq int64) Trade {
	side := Side(rapid.IntRange(0, len(sides)-1).Draw(t, "side"))
	return Trade{Time: at, Seq: seq, Price: anyNumber().Draw(t, "price"), Size: size(t, "size"), Side: side}
}

func drawQuote(t *rapid.T, at time.Time, seq int64) Quote {
	return Quote{
		Time: at, Seq: seq, Bid: anyNumber().Draw(t, "bid"), Ask: anyNumber().Draw(t, "ask"),
		BidSize: size(t, "bid size"), AskSize: size(t, "ask size"),
	}
}

// sameTicks fails the test where the ticks are not exactly the list.
func sameTicks[T Tick](t *rapid.T, got Ticks[T], want []T) {
	t.Helper()
	if got.Len() != len(want) {
		t.Fatalf("%d ticks, want %d", got.Len(), len(want))
	}

	for i, w := range want {
		row := w.row()
		if !equalRows(got.At(i).row(), row) || got.At(i).String() != w.String() {
			t.Fatalf("tick %d is %s, want %s", i, got.At(i), w)
		}
		if got.Time(i) != row.time || got.Seq(i) != row.seq {
			t.Fatalf("tick %d is of %s #%d, want %s", i, got.Time(i), got.Seq(i), w)
		}
	}

	i := 0
	for j, tick := range got.All() {
		if i != j || !equalRows(tick.row(), want[i].row()) {
			t.Fatalf("All yields %d %s, want %d %s", j, tick, i, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("All yields %d ticks, want %d", i, len(want))
	}
}

func TestTicksHoldWhatWasAppended(t *testing.T) {
	t.Parallel()
	t.Run("trades", func(t *testing.T) { check(t, func(t *rapid.T) { holdWhatWasAppended(t, drawTrade) }) })
	t.Run("quotes", func(t *testing.T) { check(t, func(t *rapid.T) { holdWhatWasAppended(t, drawQuote) }) })
}

// holdWhatWasAppended appends one by one and piece by piece, with refusals between.
func holdWhatWasAppended[T Tick](t *rapid.T, draw func(*rapid.T, time.Time, int64) T) {
	list := anyTicks(draw).Draw(t, "ticks")
	all := must(NewTicks("BTC/USD", list...))
	sameTicks(t, all, list)
	b := NewTicksBuilder[T]("BTC/USD")
	for from := 0; from < len(list); {
		to := from + rapid.IntRange(1, len(list)-from).Draw(t, "piece")
		if rapid.Bool().Draw(t, "one by one") {
			for _, tick := range list[from:to] {
				if err := b.Append(tick); err != nil {
					t.Fatal(err)
				}
			}
		} else if err := b.AppendTicks(must(NewTicks("BTC/USD", list[from:to]...))); err != nil {
			t.Fatal(err)
		}

		for _, err := range []error{
			b.Append(list[from]),
			b.Append(draw(t, list[to-1].row().time.Add(-time.Microsecond), math.MaxInt64)),
			b.Append(draw(t, list[to-1].row().time.Add(time.Nanosecond), 0)),
			b.AppendTicks(all.Slice(to-1, to)),
			b.AppendTicks(must(NewTicks("OTHER", draw(t, utc("2030-01-01T00:00:00Z"), 0)))),
		} {
			if err == nil {
				t.Fatal("accepted what must be refused")
			}
		}
		if b.Len() != to {
			t.Fatalf("holds %d ticks, want %d", b.Len(), to)
		}

		from = to
	}
	if err := b.AppendTicks(Ticks[T]{}); err != nil {
		t.Fatalf("a piece without a tick: %v", err)
	}

	built := must(b.Ticks())
	sameTicks(t, built, list)
	if !built.Equal(all) || !all.Equal(built) {
		t.Fatalf("%s and %s are not equal", built, all)
	}
	if err := b.Append(draw(t, utc("2000-01-01T00:00:00Z"), 0)); err != nil || b.Len() != 1 {
		t.Fatalf("the emptied builder: %v", err)
	}

	sameTicks(t, built, list)
}

func TestTicksParts(t *testing.T) {
	check(t, func(t *rapid.T) {
		list := anyTicks(drawTrade).Draw(t, "ticks")
		all := must(NewTicks("BTC/USD", list...))
		from := rapid.IntRange(0, len(list)).Draw(t, "from")
		to := rapid.IntRange(from, len(list)).Draw(t, "to")
		part, want := all.Slice(from, to), list[from:to]
		sameTicks(t, part, want)
		if part.Symbol() != all.Symbol() || !part.Equal(must(NewTicks("BTC/USD", want...))) {
			t.Fatalf("%s is not what it holds", part)
		}

		if len(want) > 0 {
			other := slices.Clone(want)
			i := rapid.IntRange(0, len(want)-1).Draw(t, "another")
			other[i].Side = (other[i].Side + 1) % 3
			if part.Equal(must(NewTicks("BTC/USD", other...))) {
				t.Fatalf("equal with another side at %d", i)
			}

			for j, tick := range part.All() {
				if j == i {
					other[i] = tick
					break
				}
			}

			sameTicks(t, part, other)
		}

		at := func(label string) time.Time {
			return utc("2019-12-31T23:59:59.999990Z").Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, label)) * time.Nanosecond)
		}
		r := Range{Start: at("start"), End: at("end")} // may be empty, and finer than a microsecond
		sameTicks(t, part.Clip(r), slices.DeleteFunc(slices.Clone(want), func(tick Trade) bool { return !r.Contains(tick.Time) }))
		if len(want) > 0 {
			sameTicks(t, all.Clip(part.Range()), slices.DeleteFunc(slices.Clone(list), func(tick Trade) bool {
				return tick.Time.Before(want[0].Time) || tick.Time.After(want[len(want)-1].Time)
			}))
		}

		var back struct {
			Symbol Symbol
			Ticks  []Trade
		}
		if err := json.Unmarshal(must(json.Marshal(part)), &back); err != nil || back.Symbol != "BTC/USD" || back.Ticks == nil {
			t.Fatalf("from JSON: %v, %v", back, err)
		}

		sameTicks(t, part, back.Ticks)
	})
}

func TestTicksRefuse(t *testing.T) {
	t.Parallel()
	minus := MustDecimal("-0.01")
	trade := func(change func(*Trade)) []Trade {
		o := aTrade()
		change(&o)
		return []Trade{o}
	}
	for name, c := range map[string]struct {
		trades []Trade
		rule   Rule
	}{
		"twice":                    {[]Trade{aTrade(), aTrade()}, RuleDuplicate},
		"seq back":                 {append([]Trade{aTrade()}, trade(func(o *Trade) { o.Seq-- })...), RuleOutOfOrder},
		"time back, seq on":        {append([]Trade{aTrade()}, trade(func(o *Trade) { o.Time, o.Seq = o.Time.Add(-time.Hour), o.Seq+1 })...), RuleOutOfOrder},
		"negative seq":             {trade(func(o *Trade) { o.Seq = -1 }), RuleOutOfOrder},
		"finer than a microsecond": {trade(func(o *Trade) { o.Time = o.Time.Add(time.Nanosecond) }), RuleTimeOutOfBounds},
		"beyond microseconds":      {trade(func(o *Trade) { o.Time = time.Unix(1<<50, 0) }), RuleTimeOutOfBounds},
		"negative size":            {trade(func(o *Trade) { o.Size = minus }), RuleNegativeVolume},
	} {
		var broken *TickError
		if _, err := NewTicks("BTC/USD", c.trades...); !errors.As(err, &broken) || broken.Rule != c.rule || broken.Symbol != "BTC/USD" {
			t.Errorf("%s: %v, want rule %s", name, err, c.rule)
		}
	}

	if _, err := NewTicks("BTC/USD", trade(func(o *Trade) { o.Side = 3 })...); !errors.Is(err, ErrInvalid) {
		t.Errorf("no side: %v", err)
	}
	if _, err := NewTicks("BTC/USD", trade(func(o *Trade) { o.Price = minus })...); err != nil {
		t.Errorf("a negative price: %v", err)
	}
	bidSize, askSize, prices := aQuote(), aQuote(), aQuote()
	bidSize.BidSize, askSize.AskSize = minus, minus
	prices.Bid, prices.Ask = minus, minus
	for _, q := range []Quote{bidSize, askSize} {
		var broken *TickError
		if _, err := NewTicks("BTC/USD", q); !errors.As(err, &broken) || broken.Rule != RuleNegativeVolume {
			t.Errorf("%s: %v", q, err)
		}
	}

	if _, err := NewTicks("BTC/USD", prices); err != nil {
		t.Errorf("negative prices: %v", err)
	}
	if _, err := NewTicks[Trade]("BTC,USD"); !errors.Is(err, ErrInvalid) {
		t.Errorf("no symbol: %v", err)
	}
}

func TestTicksWithoutTicks(t *testing.T) {
	t.Parallel()
	for name, ticks := range map[string]Trades{"zero": {}, "built": must(NewTicks[Trade]("A"))} {
		if ticks.Len() != 0 || !ticks.Range().Equal(Range{}) || ticks.Clip(Range{End: time.Now()}).Len() != 0 || ticks.Slice(0, 0).Len() != 0 {
			t.Errorf("%s: %s", name, ticks)
		}
		for range ticks.All() {
			t.Errorf("%s has a tick", name)
		}
	}

	if (Trades{}).Equal(must(NewTicks[Trade]("A"))) {
		t.Error("none of no symbol equal none of one")
	}
	if got := must(NewTicks[Quote]("A")).String(); got != "A: no ticks" {
		t.Error(got)
	}
	if got := must(NewTicks("A", aQuote())).String(); got != "A: 1 ticks [2018-04-04T00:01:00Z, 2018-04-04T00:01:00.000001Z)" {
		t.Error(got)
	}
	if got := string(must(json.Marshal(must(NewTicks[Quote]("A"))))); got != `{"symbol":"A","ticks":[]}` {
		t.Error(got)
	}
}

func TestTicksPanicBeyondTheirEnd(t *testing.T) {
	t.Parallel()
	first, next := aTrade(), aTrade()
	next.Seq++
	ticks := must(NewTicks("A", first, next)).Slice(0, 1)
	for name, f := range map[string]func(){
		"At":          func() { ticks.At(1) },
		"At -1":       func() { ticks.At(-1) },
		"Time":        func() { ticks.Time(1) },
		"Seq":         func() { ticks.Seq(1) },
		"Slice":       func() { ticks.Slice(0, 2) },
		"Slice back":  func() { ticks.Slice(1, 0) },
		"Slice below": func() { ticks.Slice(-1, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s reads beyond the ticks", name)
				}
			}()
			f()
		}()
	}
}
