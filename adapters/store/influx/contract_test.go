package influx_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/ledgertest"
	"github.com/gal-friday/marketdata/tests/servers"
)

// config returns the configuration for a new, empty database on a real server.
func config(tb testing.TB) influx.Config {
	tb.Helper()
	return configOf(servers.Influx(tb))
}

func configOf(s servers.InfluxServer) influx.Config {
	return influx.Config{URL: s.URL, Token: secret.New(s.Token), Org: s.Org, Bucket: s.Bucket, Database: s.Database}
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

// newStore returns a store on the client.
func newStore(tb testing.TB, client influxdb2.Client, cfg influx.Config) *influx.Store {
	tb.Helper()
	s, err := influx.New(tb.Context(), client, cfg)
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func open(tb testing.TB) contract.Store {
	cfg := config(tb)
	s := openStore(tb, cfg)
	return contract.Store{Bars: s, Batch: s, Catalog: s, Corrupt: plants(cfg), UnversionedBars: true}
}

const (
	noTransaction = "InfluxDB has no transactions: a write is done batch by batch, and a retry completes it"
	noCoverage    = "the relational store keeps coverage; this store infers extents from its first and last bar"
)

// atomicityWaivers are the waivers of the laws that need a transaction.
var atomicityWaivers = waivers(noTransaction,
	"write/whole_or_nothing", "write/cancelled_is_whole_or_nothing", "replace/whole_or_nothing")

func waivers(reason string, laws ...string) []contract.Waiver {
	var list []contract.Waiver
	for _, law := range laws {
		list = append(list, contract.Waiver{Law: law, Reason: reason})
	}

	return list
}

// openLedgered returns the store with a ledger in memory beside it.
func openLedgered(tb testing.TB) contract.Store {
	cfg := config(tb)
	s := ingest.WithLedger(influx.Name, "", openStore(tb, cfg), ledgertest.NewMemory())
	return contract.Store{Bars: s, Batch: s, States: s, Corrupt: plants(cfg)}
}

// TestContract runs the whole contract on the store with a ledger beside it.
func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, openLedgered, contract.Profile{Waivers: waivers(
		"a write uncovers all from the first to the last instant that it changes, and the blocks there get its version",
		"state/blocks_have_their_versions",
	)})
	contract.StateReader(t, openLedgered, contract.Profile{})
	contract.BatchReader(t, openLedgered, contract.Profile{})
}

// TestBatchContract runs the contract of batch reads on the store alone.
func TestBatchContract(t *testing.T) {
	t.Parallel()
	contract.BatchReader(t, open, contract.Profile{
		Waivers: waivers(noTransaction, "batch/no_half_of_a_write"),
	})
}

// TestContractWithoutCoverage runs the laws that do not concern coverage on the store alone.
func TestContractWithoutCoverage(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, open, contract.Profile{Waivers: append(waivers(noCoverage,
		"extents/coverage_is_stored", "extents/touching_merge", "extents/apart_stay_apart", "extents/coverage_without_bars",
		"extents/empty_coverage", "extents/by_key", "extents/behind_a_symbol", "extents/of_the_symbols_asked", "extents/bounds_are_exact",
		"delete/of_nothing", "delete/forgets_coverage", "replace/bars_lie_in_the_range", "replace/covers_its_range",
		"write/retry_completes", "write/large_batch", "write/idempotent", "ctx/cancelled_call_is_an_error",
		"concurrent/writers_of_one_series", "time/far_from_now", "history/across_1970", "symbol/hostile_is_data",
		"write/fails_on_conflict", "write/keeps_on_conflict", "write/batch_each_alone", "replace/by_nothing",
	), atomicityWaivers...)})
}

// plants writes rows with the defects that the store itself never writes.
func plants(cfg influx.Config) map[contract.Defect]contract.Plant {
	const fields = "open=1,high=4,low=1,close=2,volume=3,trades=1i,exact=\"\""
	point := func(tags, fields string, shift time.Duration, replace bool) contract.Plant {
		return func(ctx context.Context, key domain.SeriesKey, at time.Time) error {
			if replace {
				if err := deleteBar(ctx, cfg, key, at); err != nil {
					return err
				}
			}

			line := fmt.Sprintf("bars,grid=%s,kind=%s,symbol=%s%s %s %d",
				key.Grid, key.PriceType, key.Symbol, tags, fields, at.Add(shift).UnixNano())

			return writeRaw(ctx, cfg, line)
		}
	}

	return map[contract.Defect]contract.Plant{
		contract.DefectMissing:    point("", strings.Replace(fields, "low=1,", "", 1), 0, true),
		contract.DefectNotFinite:  point("", `exact="1 2 NaN 4 5"`, 0, false),
		contract.DefectOffGrid:    point("", fields, time.Second, false),
		contract.DefectDuplicate:  point(",host=b", fields, 0, false),
		contract.DefectTradeCount: point("", "trades=-1i", 0, false),
	}
}

// deleteBar deletes the bar that opens at the time.
func deleteBar(ctx context.Context, cfg influx.Config, key domain.SeriesKey, at time.Time) error {
	s, closeStore, err := influx.Open(ctx, cfg)
	if err != nil {
		return err
	}

	defer closeStore()
	_, err = s.DeleteBars(ctx, key, domain.Range{Start: at, End: at.Add(time.Microsecond)})

	return err
}

// writeRaw writes lines without the store, like another program.
func writeRaw(ctx context.Context, cfg influx.Config, lines ...string) error {
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(),
		influxdb2.DefaultOptions().SetApplicationName("test"))
	defer client.Close()
	api := client.WriteAPIBlocking(cfg.Org, cmp.Or(cfg.Bucket, cfg.Database))

	return api.WriteRecord(ctx, lines...)
}
