package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestExitCodeOfSeveral(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs []error
		code int
		says string
	}{
		"none failed":                  {[]error{nil, nil}, exitOK, ""},
		"one failed":                   {[]error{nil, ports.ErrNotFound, nil}, exitNotFound, "1 of 3 failed\n  not found"},
		"all for one reason":           {[]error{ports.ErrUnavailable, ports.ErrTimeout}, exitUnavailable, "2 of 2 failed\n  unavailable\n  timeout"},
		"for different reasons":        {[]error{ports.ErrUnavailable, nil, ports.ErrNotFound}, exitFailed, "2 of 3 failed"},
		"the only one":                 {[]error{ports.ErrTooLarge}, exitTooLarge, ports.ErrTooLarge.Error()},
		"Ctrl-C behind a fault":        {[]error{ports.ErrNotFound, ports.ErrCanceled, ports.ErrCanceled}, exitInterrupted, ports.ErrCanceled.Error()},
		"no reason of its own":         {[]error{errors.New("some fault"), errors.New("another")}, exitFailed, "2 of 2 failed\n  some fault\n  another"},
		"one for no reason of its own": {[]error{errors.New("some fault"), ports.ErrNotFound, errors.New("another")}, exitFailed, "3 of 3 failed"},
	} {
		var all []ofEach[int]
		for _, err := range c.errs {
			all = append(all, ofEach[int]{err: err})
		}
		err := failures(all)
		if (err == nil) != (c.code == exitOK) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (exitCode(errors.Join(err, nil)) != c.code || !strings.HasPrefix(err.Error(), c.says)) {
			t.Errorf("%s: exit code %d, want %d; %v, want %q", name, exitCode(err), c.code, err, c.says)
		}
	}
}

// Patterns stand for the symbols they match, sorted, in their place; each symbol is there once.
func TestNamed(t *testing.T) {
	t.Parallel()
	md := openFile(t, "symbols.db")
	for _, symbol := range []domain.Symbol{"B/USD", "A/USD", "A/EUR", "C/USD"} {
		key := domain.SeriesKey{Symbol: symbol, Grid: minuteKey.Grid}
		if _, err := md.Ingest(t.Context(), domain.EmptySeries(key), domain.Range{Start: minute(0), End: minute(1)}); err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct{ names, want, unmatched []string }{
		{names: []string{"C/USD", "NOBODY", "C/USD"}, want: []string{"C/USD", "NOBODY"}},
		{names: []string{"*"}, want: []string{"A/EUR", "A/USD", "B/USD", "C/USD"}},
		{names: []string{"B/USD", "*/USD", "A*"}, want: []string{"B/USD", "A/USD", "C/USD", "A/EUR"}},
		{names: []string{"X*", "A/?UR", "X*"}, want: []string{"X*", "A/EUR"}, unmatched: []string{"X*"}},
	} {
		all, err := named(t.Context(), md, c.names)
		if err != nil {
			t.Fatal(err)
		}

		var got, unmatched []string
		for _, a := range all {
			got = append(got, a.name)
			if a.err != nil {
				unmatched = append(unmatched, a.name)
			}
		}

		if !slices.Equal(got, c.want) || !slices.Equal(unmatched, c.unmatched) {
			t.Errorf("%q: %q, unmatched %q; want %q, %q", c.names, got, unmatched, c.want, c.unmatched)
		}
	}
}

// What the bars do not show is told, of one of several behind its name.
func TestTell(t *testing.T) {
	t.Parallel()
	r := domain.Range{Start: minute(0), End: minute(2)}
	result := domain.Result{
		Uncovered: []domain.Range{r}, Now: minute(9), Next: minute(2),
		Provenance: []domain.Origin{
			{Store: "postgres", Grid: minuteKey.Grid, Range: r, Bars: 2, Cached: true}, {Store: "influx", Ticks: domain.TickTrades, Range: r, Bars: 1},
		},
	}
	var out strings.Builder
	(&command{err: &out}).tell("A/B: ", result, true)
	const want = `note: A/B: nobody holds [2018-04-04T00:00:00Z, 2018-04-04T00:02:00Z)
note: A/B: postgres served 2 bars of 1m in [2018-04-04T00:00:00Z, 2018-04-04T00:02:00Z), out of a cache
note: A/B: influx served 1 bars of trades in [2018-04-04T00:00:00Z, 2018-04-04T00:02:00Z)
note: A/B: as of 2018-04-04T00:09:00Z; go on from --start 2018-04-04T00:02:00Z
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}
