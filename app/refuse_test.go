package app_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/mock/gomock"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/mocks"
)

// untouchable is an application at noon whose store and catalog fail the test when they are called at all.
func untouchable(t *testing.T, cfg app.Config) *app.Service {
	ctrl := gomock.NewController(t)
	return over(t, clock.NewSimulated(noon), nil, cfg, app.Source{
		Name: "test", Bars: mocks.NewMockStore(ctrl), Ticks: mocks.NewMockTickStore(ctrl), Catalog: mocks.NewMockSymbolCatalog(ctrl),
	})
}

func TestBadRequestsCostNoCall(t *testing.T) {
	t.Parallel()
	year := func(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }
	seconds := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()}
	for name, c := range map[string]struct {
		request domain.DataRequest
		kind    error
		says    string
	}{
		"no key":                {domain.DataRequest{}, ports.ErrInvalid, "symbol"},
		"no grid":               {domain.DataRequest{Key: domain.SeriesKey{Symbol: "BTC/USD"}}, ports.ErrInvalid, "frequency"},
		"symbol with a comma":   {domain.DataRequest{Key: domain.SeriesKey{Symbol: "BTC,USD", Grid: key.Grid}}, ports.ErrInvalid, `"BTC,USD"`},
		"hostile symbol":        {domain.DataRequest{Key: domain.SeriesKey{Symbol: "A'; DROP--", Grid: key.Grid}}, ports.ErrInvalid, "allowed"},
		"symbol of 10 MB":       {domain.DataRequest{Key: domain.SeriesKey{Symbol: domain.Symbol(strings.Repeat("A", 10<<20)), Grid: key.Grid}}, ports.ErrInvalid, "at most 64"},
		"price type unknown":    {domain.DataRequest{Key: domain.SeriesKey{Symbol: "BTC/USD", Grid: key.Grid, PriceType: 99}}, ports.ErrInvalid, "price type"},
		"ends before it starts": {domain.DataRequest{Key: key, Start: at(0), End: at(-1)}, ports.ErrInvalid, "swap"},
		"year out of bounds":    {domain.DataRequest{Key: key, Start: year(2020), End: year(12000)}, ports.ErrInvalid, "year"},
		"first below 0":         {domain.DataRequest{Key: key, First: -1}, ports.ErrInvalid, "1 or more"},
		"last below 0":          {domain.DataRequest{Key: key, Last: -1}, ports.ErrInvalid, "1 or more"},
		"first and last":        {domain.DataRequest{Key: key, First: 1, Last: 1}, ports.ErrInvalid, "not both"},
		"policy unknown":        {domain.DataRequest{Key: key, Quality: 9}, ports.ErrInvalid, "quality policy"},
		"first above MaxBars":   {domain.DataRequest{Key: key, First: 1_000_001}, ports.ErrTooLarge, "max_bars"},
		"last above MaxBars":    {domain.DataRequest{Key: key, Last: 1_000_001}, ports.ErrTooLarge, "max_bars"},
		"too many slots":        {domain.DataRequest{Key: seconds, Start: year(2000), End: year(2024)}, ports.ErrTooLarge, "max_slots"},
		"slots up to now only":  {domain.DataRequest{Key: seconds, Start: year(2000), End: year(9000)}, ports.ErrTooLarge, "max_slots"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := untouchable(t, app.Config{}).Fetch(t.Context(), c.request)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %v that says %q", err, c.kind, c.says)
			}

			if len(err.Error()) > 500 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			if e := (*ports.Error)(nil); !errors.As(err, &e) || e.Op != "fetch" || !errors.Is(e.Kind, c.kind) {
				t.Errorf("not a *ports.Error of a fetch: %#v", err)
			}
			if result.Series.Len() != 0 || result.Provenance != nil {
				t.Errorf("an error came with %v", result)
			}
		})
	}
}

func TestBadWritesCostNoCall(t *testing.T) {
	t.Parallel()
	none := domain.Range{}
	early := bar(-5)
	early.OpenTime = time.Date(1699, 12, 31, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		bars  domain.Series
		claim domain.Range
		says  string
		retry time.Time // at which a write is not early any more; zero for one that is wrong
	}{
		"no key":                {domain.Series{}, span(-9, -1), "symbol", time.Time{}},
		"nothing to write":      {domain.EmptySeries(key), none, "no bar", time.Time{}},
		"claim without an edge": {domain.EmptySeries(key), span(-1.5, -1.2), "no bar of 1m opens in", time.Time{}},
		"claim backwards":       {sound(t, -3, -2), span(-1, -9), "swap", time.Time{}},
		"claim too short":       {sound(t, -9, -2), span(-9, -5), "does not contain", time.Time{}},
		"claim starts late":     {sound(t, -9, -2), span(-8.5, -1), "does not contain", time.Time{}},
		"bar not over":          {sound(t, -3, 0), none, "closed by 2024-03-04T11:58:00Z", at(2)},
		"bar not settled":       {sound(t, -9, -1), none, "settle time 2m0s", at(1)},
		"claim beyond now":      {sound(t, -9, -5), span(-9, 1), "2024-03-04T12:01:00Z", at(3)},
		"claim of a part slot":  {sound(t, -9, -5), span(-9, -1.5), "2024-03-04T11:59:00Z", at(1)},
		"fatal rule":            {series(t, bar(-9), badBar(-8), bar(-7), badBar(-6)), none, "2 of 4 bars break a fatal rule", time.Time{}},
		"before 1700":           {series(t, early), none, "time_out_of_bounds", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := untouchable(t, app.Config{Settle: 2 * time.Minute})
			_, ingest := md.Ingest(t.Context(), c.bars, c.claim, ports.ConflictReplace)
			if c.claim == none {
				c.claim = c.bars.Range()
			}
			_, replace := md.Replace(t.Context(), c.bars, c.claim)
			for op, err := range map[string]error{"ingest": ingest, "replace": replace} {
				kind, early := ports.ErrInvalid, (*ports.NotClosedError)(nil)
				if !c.retry.IsZero() {
					kind = ports.ErrNotClosed
				}
				if !errors.Is(err, kind) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: got %v, want %v that says %q", op, err, kind, c.says)
				}
				if isEarly := errors.As(err, &early); isEarly == c.retry.IsZero() || isEarly && !early.RetryAt.Equal(c.retry) {
					t.Errorf("%s: got %v, want that it may be written at %s", op, err, c.retry)
				}
				if e := (*ports.Error)(nil); !errors.As(err, &e) || e.Op != op {
					t.Errorf("%s: not a *ports.Error of it: %#v", op, err)
				}
			}
		})
	}
}

func TestBadTicksCostNoCall(t *testing.T) {
	t.Parallel()
	md := untouchable(t, app.Config{Settle: time.Minute})
	for name, r := range map[string]domain.TickRequest{
		"no symbol":      {},
		"first and last": {Symbol: key.Symbol, First: 1, Last: 1},
		"backwards":      {Symbol: key.Symbol, Start: at(0), End: at(-1)},
		"too many":       {Symbol: key.Symbol, Last: 1_000_001},
	} {
		_, trades := md.FetchTrades(t.Context(), r)
		_, quotes := md.FetchQuotes(t.Context(), r)
		for op, err := range map[string]error{"fetch trades": trades, "fetch quotes": quotes} {
			if e := (*ports.Error)(nil); !errors.As(err, &e) || e.Op != op || !errors.Is(err, ports.ErrInvalid) && !errors.Is(err, ports.ErrTooLarge) {
				t.Errorf("%s: %s: got %v", name, op, err)
			}
		}
	}

	trades, err := domain.NewTicks(key.Symbol, trade(at(-0.5), 0)) // not settled
	if err != nil {
		t.Fatal(err)
	}

	quotes, err := domain.NewTicks(key.Symbol, domain.Quote{Time: at(-0.5)})
	if err != nil {
		t.Fatal(err)
	}

	for op, err := range map[string]error{
		"ingest trades":  second(md.IngestTrades(t.Context(), trades, domain.Range{}, ports.ConflictReplace)),
		"ingest quotes":  second(md.IngestQuotes(t.Context(), quotes, domain.Range{}, ports.ConflictReplace)),
		"replace trades": second(md.ReplaceTrades(t.Context(), trades, span(-5, 0))),
		"replace quotes": second(md.ReplaceQuotes(t.Context(), quotes, span(-5, 0))),
		"nothing":        second(md.ReplaceQuotes(t.Context(), quotes.Slice(0, 0), domain.Range{})),
	} {
		kind := ports.ErrNotClosed
		if op == "nothing" {
			kind = ports.ErrInvalid
		}
		if !errors.Is(err, kind) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", op, err)
		}
	}
}

func second(_ ports.WriteReport, err error) error { return err }

func TestBadQuestionsOfTheCatalogCostNoCall(t *testing.T) {
	t.Parallel()
	md := untouchable(t, app.Config{})
	if _, err := ports.Collect(md.Symbols(t.Context(), ports.SymbolQuery{Symbols: []domain.Symbol{"BTC/USD", "B,C"}})); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("symbols: %v", err)
	}
	if _, err := ports.Collect(md.Symbols(t.Context(), ports.SymbolQuery{Limit: -1})); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("limit: %v", err)
	}
	if _, err := ports.Collect(md.Coverage(t.Context(), "B,C", "")); !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "empty") {
		t.Errorf("coverage: %v", err)
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	t.Parallel()
	bad := app.Config{Timeout: -1, StoreTimeout: -1, MaxBars: new(-1), MaxSlots: new(int64(-1)), MaxReads: new(-1), Settle: -1, SymbolTTL: -1}
	err := bad.Validate()
	for _, name := range []string{"timeout", "store_timeout", "max_bars", "max_slots", "max_reads", "settle", "symbol_ttl"} {
		if err == nil || !strings.Contains(err.Error(), name+" ") {
			t.Errorf("%s is not reported in: %v", name, err)
		}
	}

	if _, err := app.New([]app.Source{{Name: "test", Bars: memory.New(), Catalog: memory.New()}}, clock.NewSimulated(noon), nil, bad); err == nil {
		t.Error("an application of a bad Config")
	}
	filled := app.Config{MaxBars: new(0)}.WithDefaults()
	if filled.Timeout != 30*time.Second || filled.StoreTimeout != 30*time.Second || *filled.MaxBars != 0 || *filled.MaxSlots != 100_000_000 ||
		*filled.MaxReads != 1000 {
		t.Errorf("defaults are %+v", filled)
	}
}
