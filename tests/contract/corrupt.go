package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Defect is malformed data that the tables of a store can contain and no Series can represent.
type Defect string

// The defects that Store.Corrupt may plant.
const (
	DefectMissing    Defect = "missing"    // one of the five numbers is missing (NULL)
	DefectNotFinite  Defect = "not_finite" // one of them is not a finite number: NaN, an infinity, a malformed text
	DefectOffGrid    Defect = "off_grid"   // a bar opens between the edges of its grid
	DefectDuplicate  Defect = "duplicate"  // two bars have the same open time
	DefectTradeCount Defect = "trades"     // the trade count is negative
	DefectTradeSize  Defect = "trade_size" // the size of a trade is negative, or not a finite number
	DefectLost       Defect = "lost"       // bars are gone, as with a dropped partition
)

// corruptLaws are the laws on stored bars that no Series can represent.
var corruptLaws = []law[Store]{
	{
		name:  "corrupt/missing",
		text:  "a bar that lacks a number is ErrCorruptData with rule and key, never a bar",
		check: corrupt(DefectMissing, domain.RuleIncomplete),
	},
	{
		name:  "corrupt/not_finite",
		text:  "a bar with a number that is not finite is ErrCorruptData with rule and key, never a bar",
		check: corrupt(DefectNotFinite, domain.RuleNotFinite),
	},
	{
		name:  "corrupt/off_grid",
		text:  "a bar that opens off its grid is ErrCorruptData with rule and key, never a bar",
		check: corrupt(DefectOffGrid, domain.RuleOffGrid),
	},
	{
		name:  "corrupt/duplicate",
		text:  "two bars of one open time are ErrCorruptData with rule and key, never a bar",
		check: corrupt(DefectDuplicate, domain.RuleDuplicate),
	},
	{
		name:  "corrupt/trades",
		text:  "a bar of a negative trade count is ErrCorruptData with rule and key, never a bar",
		check: corrupt(DefectTradeCount, domain.RuleNegativeTradeCount),
	},
	{
		name: "corrupt/within_the_deadline",
		text: "a deadline of 1 s hears that a bar lacks a number, and no timeout",
		check: func(ctx context.Context, s Store) error {
			if err := plantIn(ctx, s, DefectMissing, minutes(5)); err != nil {
				return err
			}

			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := broken(ctx, s, all(key))

			return wantError(err, ports.ErrCorruptData)
		},
	},
	{
		name: "corrupt/left_out_missing",
		text: "a read that wants to go on over a bar that lacks a number is ErrCorruptData, or has all other bars and " +
			"names this one, which First and Last count",
		check: leftOut(DefectMissing, domain.RuleIncomplete),
	},
	{
		name:  "corrupt/left_out_not_finite",
		text:  "a read that wants to go on over a bar with a number that is not finite does the same",
		check: leftOut(DefectNotFinite, domain.RuleNotFinite),
	},
	{
		name:  "corrupt/left_out_trades",
		text:  "a read that wants to go on over a bar of a negative trade count does the same",
		check: leftOut(DefectTradeCount, domain.RuleNegativeTradeCount),
	},
	{
		name: "corrupt/lost_bars_are_healed",
		text: "where bars are gone, the state counts more than there are, until a replacement or a deletion of the " +
			"whole block; then it counts exactly",
		check: checkLost,
	},
}

// checkLost loses bars of a block, and heals it by a replacement, and then by a deletion.
func checkLost(ctx context.Context, s Store) error {
	plant := s.Corrupt[DefectLost]
	if plant == nil {
		return notApplicableError("the harness plants no defect " + string(DefectLost))
	}

	f, b := barStates(), bars(key, minutes(0), 10, 1)
	whole := span(barStates().block(0, 0), barStates().block(1, 0))
	counts := func(isHealed bool, want int) error {
		rows, state, err := f.at(ctx, s, whole)
		if err != nil {
			return err
		}
		counted := 0
		for _, block := range state.Blocks {
			counted += block.Rows
		}
		if (counted == rows) != isHealed || isHealed && rows != want {
			return fmt.Errorf("ReadBars got %d bars, want the %d that its state counts, or no state; healed: %t", rows, counted, isHealed)
		}

		return nil
	}
	lose := func() error { return plant(ctx, key, minutes(5)) }

	return steps(
		func() error { return write(ctx, s, b) },
		lose,
		func() error { return counts(false, 0) },
		func() error { return second(s.Bars.ReplaceBars(ctx, b, whole)) },
		func() error { return counts(true, b.Len()) },
		lose,
		func() error { return second(s.Bars.DeleteBars(ctx, key, whole)) },
		func() error { return counts(true, 0) },
		func() error { return write(ctx, s, b) },
		func() error { return counts(true, b.Len()) },
	)
}

// plantIn writes ten bars, and plants the defect in that of the time.
func plantIn(ctx context.Context, s Store, d Defect, at time.Time) error {
	plant := s.Corrupt[d]
	if plant == nil {
		return notApplicableError("the harness plants no defect " + string(d))
	}
	if err := write(ctx, s, bars(key, start, 10, 1)); err != nil {
		return err
	}
	if err := plant(ctx, key, at); err != nil {
		return fmt.Errorf("plant %s: %w", d, err)
	}

	return nil
}

// leftOut plants the defect in the sixth of ten bars.
func leftOut(d Defect, rule domain.Rule) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		at := minutes(5)
		if err := plantIn(ctx, s, d, at); err != nil {
			return err
		}

		for _, test := range []struct {
			query ports.BarQuery
			bars  int
		}{
			{all(key), 9}, {query(span(5, 6)), 0},
			{ports.BarQuery{Key: key, Range: always, First: 8}, 7}, {ports.BarQuery{Key: key, Range: always, Last: 5}, 4},
		} {
			test.query.ReportUnreadable = true
			found, named := 0, []*domain.RuleError(nil)
			var failed error
			for piece, err := range s.Bars.ReadBars(ctx, test.query) {
				if failed = err; err == nil {
					found, named = found+piece.Rows.Len(), append(named, piece.Unreadable...)
				}
			}
			switch {
			case failed != nil:
				if err := wantError(failed, ports.ErrCorruptData); err != nil {
					return err
				}
			case len(named) != 1 || !named[0].At.Equal(at) || named[0].Rule != rule || named[0].Key != key:
				return fmt.Errorf("ReadBars got Unreadable %v, want the bar at %s, which breaks %s", named, at, rule)
			case found != test.bars:
				return fmt.Errorf("ReadBars got %d bars beside the unreadable one, want %d", found, test.bars)
			}
		}

		return nil
	}
}

func corrupt(d Defect, rule domain.Rule) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		at := minutes(5)
		if err := plantIn(ctx, s, d, at); err != nil {
			return err
		}

		for _, q := range []ports.BarQuery{
			all(key), query(span(5, 6)), {Key: key, Range: always, First: 8}, {Key: key, Range: always, Last: 8},
		} {
			n, err := broken(ctx, s, q)
			if n > 5 {
				return fmt.Errorf("ReadBars got %d bars, want at most those before the defect", n)
			}
			if err := wantError(err, ports.ErrCorruptData); err != nil {
				return err
			}

			var broken *domain.RuleError
			if !errors.As(err, &broken) || broken.Rule != rule || broken.Key != key {
				return fmt.Errorf("ReadBars got an error without a *domain.RuleError, want one of rule %s and key %s: %w", rule, key, err)
			}
		}

		return nil
	}
}
