package influx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

// config is how a fresh, empty database on a real server is reached.
func config(tb testing.TB) influx.Config {
	tb.Helper()
	server := servers.Influx(tb)
	return influx.Config{URL: server.URL, Token: server.Username + ":" + server.Password, Database: server.Database}
}

func openStore(tb testing.TB, cfg influx.Config) *influx.Store {
	tb.Helper()
	s, closeStore, err := influx.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)
	return s
}

func open(tb testing.TB) contract.Store {
	cfg := config(tb)
	s := openStore(tb, cfg)
	return contract.Store{Bars: s, Batch: s, Catalog: s, Corrupt: plants(cfg)}
}

// keeper keeps claims in a store of bars that can, as the relational store does.
type keeper struct{ *memory.Store }

// Claim claims a range without bars.
func (k keeper) DeclareCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	_, err := k.WriteBars(ctx, domain.EmptySeries(key), r)
	return err
}

// RemoveCoverage takes a range out of what is claimed.
func (k keeper) RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	_, err := k.ReplaceBars(ctx, domain.EmptySeries(key), r)
	return err
}

const (
	noTransaction = "InfluxDB has no transaction: a write is done series by series and batch by batch, and a retry completes it"
	noClaims      = "a claim is kept by the relational store; the extents of this one are assumed from its first and last bar"
)

// atomicity is what InfluxDB cannot do.
var atomicity = waivers(noTransaction, "write/whole_or_nothing", "write/cancelled_is_whole_or_nothing", "replace/whole_or_nothing")

func waivers(reason string, laws ...string) []contract.Waiver {
	var list []contract.Waiver
	for _, law := range laws {
		list = append(list, contract.Waiver{Law: law, Reason: reason})
	}
	return list
}

// TestContract holds the store, with a keeper of its claims beside it, to everything but atomicity.
func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, func(tb testing.TB) contract.Store {
		s := open(tb)
		s.Bars = app.WithClaims(s.Bars, keeper{memory.New()})
		return s
	}, contract.Profile{Waivers: atomicity})
}

// TestBatchContract holds the reads of many series at once to theirs.
func TestBatchContract(t *testing.T) {
	t.Parallel()
	contract.BatchReader(t, open, contract.Profile{
		Waivers: waivers(noTransaction, "batch/no_half_of_a_write"),
	})
}

// TestContractAlone holds the store without a keeper of claims to all laws that do not look at claims.
func TestContractAlone(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, open, contract.Profile{Waivers: append(waivers(noClaims,
		"extents/claim_is_held", "extents/touching_merge", "extents/apart_stay_apart", "extents/claim_without_bars",
		"extents/empty_claim", "extents/by_key", "extents/of_the_symbols_asked", "extents/bounds_are_exact",
		"delete/of_nothing", "delete/forgets_claim", "replace/bars_lie_in_the_range", "replace/claims_its_range",
		"write/retry_completes", "write/large_batch", "write/idempotent", "ctx/cancelled_call_is_an_error",
		"concurrent/writers_of_one_series", "time/far_from_now", "symbol/hostile_is_data",
	), atomicity...)})
}

// plants writes what the store never would.
func plants(cfg influx.Config) map[contract.Defect]contract.Plant {
	const whole = "open=1,high=4,low=1,close=2,volume=3,trades=1i,exact=\"\""
	point := func(tags, fields string, shift time.Duration, replace bool) contract.Plant {
		return func(ctx context.Context, key domain.SeriesKey, at time.Time) error {
			if replace {
				if err := erase(ctx, cfg, key, at); err != nil {
					return err
				}
			}

			line := fmt.Sprintf("bars,grid=%s,kind=%s,symbol=%s%s %s %d", key.Grid, key.PriceType, key.Symbol, tags, fields, at.Add(shift).UnixNano())
			return writeRaw(ctx, cfg, line)
		}
	}

	return map[contract.Defect]contract.Plant{
		contract.Missing:   point("", strings.Replace(whole, "low=1,", "", 1), 0, true),
		contract.NotFinite: point("", `exact="1 2 NaN 4 5"`, 0, false),
		contract.OffGrid:   point("", whole, time.Second, false),
		contract.Duplicate: point(",host=b", whole, 0, false),
		contract.Trades:    point("", "trades=-1i", 0, false),
	}
}

func erase(ctx context.Context, cfg influx.Config, key domain.SeriesKey, at time.Time) error {
	s, closeStore, err := influx.Open(ctx, cfg)
	if err != nil {
		return err
	}

	defer closeStore()
	_, err = s.ReplaceBars(ctx, domain.EmptySeries(key), domain.Range{Start: at, End: at.Add(time.Microsecond)})
	return err
}

// writeRaw writes lines as anybody could.
func writeRaw(ctx context.Context, cfg influx.Config, lines ...string) error {
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token, influxdb2.DefaultOptions().SetApplicationName("test"))
	defer client.Close()
	return errors.Join(client.WriteAPIBlocking("", cfg.Database).WriteRecord(ctx, lines...))
}
