package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Defect is something that a store's tables may hold and no Series can.
type Defect string

// The defects that the suite asks a harness to plant.
const (
	Missing   Defect = "missing"    // one of the five numbers is absent: NULL
	NotFinite Defect = "not_finite" // one of them is not a finite number: NaN, an infinity, a text that is no number
	OffGrid   Defect = "off_grid"   // a bar opens between the edges of its grid
	Duplicate Defect = "duplicate"  // there are two bars of the open time
	Trades    Defect = "trades"     // the trade count is negative
	TradeSize Defect = "trade_size" // the size of a trade is negative, or not a finite number
)

// corruptLaws say what a store does with bars that no Series can hold.
var corruptLaws = []law[Store]{
	{
		name:  "corrupt/missing",
		text:  "a bar that lacks a number is ErrCorruptData with rule and key, never a bar",
		check: corrupt(Missing, domain.RuleIncomplete),
	},
	{
		name:  "corrupt/not_finite",
		text:  "a bar with a number that is not finite is ErrCorruptData with rule and key, never a bar",
		check: corrupt(NotFinite, domain.RuleNotFinite),
	},
	{
		name:  "corrupt/off_grid",
		text:  "a bar that opens off its grid is ErrCorruptData with rule and key, never a bar",
		check: corrupt(OffGrid, domain.RuleOffGrid),
	},
	{
		name:  "corrupt/duplicate",
		text:  "two bars of one open time are ErrCorruptData with rule and key, never a bar",
		check: corrupt(Duplicate, domain.RuleDuplicate),
	},
	{
		name:  "corrupt/trades",
		text:  "a bar of a negative trade count is ErrCorruptData with rule and key, never a bar",
		check: corrupt(Trades, domain.RuleNegativeTradeCount),
	},
}

func corrupt(d Defect, rule domain.Rule) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		plant := s.Corrupt[d]
		if plant == nil {
			return notApplicableError("the harness plants no defect " + string(d))
		}

		at := minutes(5)
		if err := write(ctx, s, bars(key, start, 10, 1)); err != nil {
			return err
		}
		if err := plant(ctx, key, at); err != nil {
			return fmt.Errorf("plant %s: %w", d, err)
		}

		for _, q := range []ports.BarQuery{
			all(key), query(span(5, 6)), {Key: key, Range: always, First: 8}, {Key: key, Range: always, Last: 8},
		} {
			n, err := broken(ctx, s, q)
			if n > 5 {
				return fmt.Errorf("got %d bars, more than there are whole before the defect", n)
			}
			if err := wantError(err, ports.ErrCorruptData); err != nil {
				return err
			}

			var broken *domain.RuleError
			if !errors.As(err, &broken) || broken.Rule != rule || broken.Key != key {
				return fmt.Errorf("the error does not wrap a *domain.RuleError of rule %s and key %s: %w", rule, key, err)
			}
		}

		return nil
	}
}
