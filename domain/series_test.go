package domain

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSeriesHoldsItsBars(t *testing.T) {
	check(t, func(t *rapid.T) {
		key := anyKey().Draw(t, "key")
		bars := anyBars(key, anyNumber(), 12).Draw(t, "bars")
		s := must(NewSeries(key, bars...))
		sameBars(t, s, bars)
		for i, b := range s.All() {
			if !b.Equal(bars[i]) || !s.OpenTime(i).Equal(bars[i].OpenTime) {
				t.Fatalf("bar %d is %s, want %s", i, b, bars[i])
			}
		}

		from := rapid.IntRange(0, len(bars)).Draw(t, "from")
		to := rapid.IntRange(from, len(bars)).Draw(t, "to")
		part := s.Slice(from, to)
		sameBars(t, part, bars[from:to])
		for f := range Field(fieldCount) {
			floats := part.Floats(f, []float64{7})
			if len(floats) != 1+to-from || floats[0] != 7 {
				t.Fatalf("%d floats of %d bars", len(floats), to-from)
			}

			for i, got := range floats[1:] {
				b := bars[from+i]
				text := [...]Decimal{b.Open, b.High, b.Low, b.Close, b.Volume}[f].String()
				if want := must(strconv.ParseFloat(text, 64)); math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("%s %s is %v, want %v", f, text, got, want)
				}
			}
		}

		again, err := NewSeriesFromColumns(key, part.Columns())
		if err != nil || !again.Equal(part) {
			t.Fatalf("from its columns: %s, %v", again, err)
		}

		var back Series
		if err := json.Unmarshal(must(json.Marshal(part)), &back); err != nil || !back.Equal(part) {
			t.Fatalf("through JSON: %s, %v", back, err)
		}

		var without []Bar
		var gone []int
		for i, b := range bars {
			if rapid.Bool().Draw(t, "goes") {
				gone = append(gone, i)
			} else {
				without = append(without, b)
			}
		}

		sameBars(t, s.Drop(gone), without)
		sameBars(t, s, bars)
	})
}

func TestSeriesWithin(t *testing.T) {
	check(t, func(t *rapid.T) {
		bars := anyBars(minuteKey(), price(), 12).Draw(t, "bars")
		s := must(NewSeries(minuteKey(), bars...))
		at := func(label string) time.Time {
			return utc("2019-12-29T23:59:00Z").Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, label)))
		}
		r := Range{Start: at("start"), End: at("end")}
		want := slices.DeleteFunc(slices.Clone(bars), func(b Bar) bool { return !r.Contains(b.OpenTime) })
		sameBars(t, s.Clip(r), want)
		if s.Len() > 0 {
			sameBars(t, s.Clip(s.Range()), bars)
		}
	})
}

func TestBuilderByPiecesEqualsBarByBar(t *testing.T) {
	check(t, func(t *rapid.T) {
		key := minuteKey()
		bars := anyBars(key, anyNumber(), 16).Draw(t, "bars")
		b := NewSeriesBuilder(key, rapid.IntRange(0, 20).Draw(t, "capacity"))
		var pieces []Series
		var held [][]Bar
		for from := 0; from < len(bars); {
			to := rapid.IntRange(from+1, len(bars)).Draw(t, "to")
			if rapid.Bool().Draw(t, "bar by bar") {
				for _, bar := range bars[from:to] {
					if err := b.Append(bar); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				lead := Bar{OpenTime: bars[from].OpenTime.Add(-time.Minute), Open: anyDecimal().Draw(t, "lead")}
				piece := must(NewSeries(key, append([]Bar{lead}, bars[from:to]...)...)).Slice(1, 1+to-from)
				pieces, held = append(pieces, piece), append(held, bars[from:to])
				if err := b.AppendSeries(piece); err != nil {
					t.Fatal(err)
				}
			}

			for _, err := range []error{
				b.Append(bars[from]),
				b.Append(Bar{OpenTime: bars[to-1].OpenTime.Add(time.Minute + time.Second)}),
				b.Append(Bar{OpenTime: bars[to-1].OpenTime.Add(time.Minute), Open: anyDecimal().Draw(t, "refused"), Trades: -1}),
				b.AppendSeries(must(NewSeries(key, bars[from]))),
				b.AppendSeries(must(NewSeries(SeriesKey{Symbol: "OTHER", Grid: key.Grid}, bars[to-1]))),
			} {
				if err == nil {
					t.Fatal("accepted what must be refused")
				}
			}
			if b.Len() != to {
				t.Fatalf("holds %d bars, want %d", b.Len(), to)
			}

			from = to
		}

		s := must(b.Series())
		sameBars(t, s, bars)
		if err := b.Append(Bar{OpenTime: utc("2000-01-01T00:00:00Z"), Open: anyDecimal().Draw(t, "next")}); err != nil || b.Len() != 1 {
			t.Fatalf("the emptied builder: %v", err)
		}

		sameBars(t, s, bars)
		for i, piece := range pieces {
			sameBars(t, piece, held[i])
		}
	})
}

func TestSeriesRefuses(t *testing.T) {
	t.Parallel()
	at := utc("2018-01-01T00:00:00Z")
	one := MustDecimal("1")
	bar := func(offset time.Duration) Bar {
		return Bar{OpenTime: at.Add(offset), Open: one, High: one, Low: one, Close: one, Volume: one}
	}
	negative := bar(0)
	negative.Trades = -1
	for _, c := range []struct {
		name string
		bars []Bar
		rule Rule
	}{
		{"out of order", []Bar{bar(time.Minute), bar(0)}, RuleOutOfOrder},
		{"twice", []Bar{bar(0), bar(0)}, RuleDuplicate},
		{"off the grid", []Bar{bar(time.Second)}, RuleOffGrid},
		{"finer than a microsecond", []Bar{bar(time.Nanosecond)}, RuleOffGrid},
		{"beyond microseconds", []Bar{{OpenTime: time.Unix(1<<50, 0)}}, RuleOffGrid},
		{"the year 10000", []Bar{{OpenTime: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}, RuleTimeOutOfBounds},
		{"the year 0", []Bar{{OpenTime: time.Date(0, 12, 31, 23, 59, 0, 0, time.UTC)}}, RuleTimeOutOfBounds},
		{"the last microseconds", []Bar{{OpenTime: time.Date(294247, 1, 10, 4, 0, 0, 0, time.UTC)}}, RuleTimeOutOfBounds},
		{"negative trades", []Bar{negative}, RuleNegativeTradeCount},
	} {
		var broken *RuleError
		if _, err := NewSeries(minuteKey(), c.bars...); !errors.As(err, &broken) || broken.Rule != c.rule || broken.Key != minuteKey() {
			t.Errorf("%s: %v, want rule %s", c.name, err, c.rule)
		}
	}

	if _, err := NewSeries(SeriesKey{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestSeriesFromColumnsRefuses(t *testing.T) {
	t.Parallel()
	good := func() Columns {
		column := func() Column { return Column{Lo: []int64{1, 2}, Hi: []int64{0, 0}} }
		return Columns{
			OpenMicros: []int64{0, 60_000_000}, Trades: []int64{0, 0}, Open: column(), High: column(), Low: column(), Close: column(), Volume: column(),
		}
	}
	if s, err := NewSeriesFromColumns(minuteKey(), good()); err != nil || s.Len() != 2 {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name  string
		spoil func(*Columns)
		want  error // nil is a RuleError
	}{
		{"price scale", func(c *Columns) { c.PriceScale = MaxScale + 1 }, ErrInvalid},
		{"volume scale", func(c *Columns) { c.VolumeScale = 255 }, ErrInvalid},
		{"short column", func(c *Columns) { c.Low.Lo = c.Low.Lo[:1] }, ErrInvalid},
		{"short high words", func(c *Columns) { c.Volume.Hi = c.Volume.Hi[:1] }, ErrInvalid},
		{"no trades", func(c *Columns) { c.Trades = nil }, ErrInvalid},
		{"21 digits", func(c *Columns) { c.Open.Hi[1] = 6 }, ErrOverflow},
		{"minus 21 digits", func(c *Columns) { c.Close.Hi[1] = -7 }, ErrOverflow},
		{"smallest wide number", func(c *Columns) { c.Close.Hi[1], c.Close.Lo[1] = math.MinInt64, 0 }, ErrOverflow},
		{"order", func(c *Columns) { c.OpenMicros[1] = -60_000_000 }, nil},
		{"year 294247", func(c *Columns) { c.OpenMicros[1] = math.MaxInt64 / 60_000_000 * 60_000_000 }, nil},
		{"before year 1", func(c *Columns) { c.OpenMicros[0] = math.MinInt64 / 60_000_000 * 60_000_000 }, nil},
		{"twice", func(c *Columns) { c.OpenMicros[1] = 0 }, nil},
		{"grid", func(c *Columns) { c.OpenMicros[1]++ }, nil},
		{"first off the grid", func(c *Columns) { c.OpenMicros[0]++ }, nil},
		{"trades", func(c *Columns) { c.Trades[1] = -1 }, nil},
	} {
		columns := good()
		c.spoil(&columns)
		_, err := NewSeriesFromColumns(minuteKey(), columns)
		var broken *RuleError
		if c.want == nil && !errors.As(err, &broken) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	if _, err := NewSeriesFromColumns(SeriesKey{}, good()); !errors.Is(err, ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestSeriesPanicsBeyondItsBars(t *testing.T) {
	t.Parallel()
	s := must(NewSeries(minuteKey(), Bar{OpenTime: utc("2018-01-01T00:00:00Z")}, Bar{OpenTime: utc("2018-01-01T00:01:00Z")})).Slice(0, 1)
	for name, f := range map[string]func(){
		"At":          func() { s.At(1) },
		"At -1":       func() { s.At(-1) },
		"OpenTime":    func() { s.OpenTime(1) },
		"Slice":       func() { s.Slice(0, 2) },
		"Slice back":  func() { s.Slice(1, 0) },
		"Slice below": func() { s.Slice(-1, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s reads beyond the bars", name)
				}
			}()
			f()
		}()
	}
}

func TestSeriesWithoutBars(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Series{"zero": {}, "empty": EmptySeries(minuteKey()), "built": must(NewSeries(minuteKey()))} {
		if s.Len() != 0 || !s.Range().Equal(Range{}) || s.Clip(Range{End: time.Now()}).Len() != 0 || s.Slice(0, 0).Len() != 0 ||
			len(s.Floats(FieldOpen, nil)) != 0 || len(s.Columns().OpenMicros) != 0 || s.Drop(nil).Len() != 0 {
			t.Errorf("%s: %s", name, s)
		}
		for range s.All() {
			t.Errorf("%s has a bar", name)
		}
	}

	if got := EmptySeries(minuteKey()).String(); got != "BTC/USD 1m: no bars" {
		t.Error(got)
	}
}
