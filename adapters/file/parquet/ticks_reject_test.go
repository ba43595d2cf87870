package parquet_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// simpleTrade is a row of a file of trades that a test can damage.
type simpleTrade struct {
	Time  *int64  `parquet:"time,timestamp(microsecond)"`
	Seq   *int64  `parquet:"seq"`
	Price *int64  `parquet:"price,decimal(2:18)"`
	Size  int64   `parquet:"size,decimal(2:18)"`
	Side  *string `parquet:"side"`
}

func TestTickReaderRejects(t *testing.T) {
	t.Parallel()
	p := func(v int64) *int64 { return &v }
	rows := func(damage func(rows []simpleTrade)) []byte {
		var rows []simpleTrade
		for i := range int64(5) {
			side := "buy"
			rows = append(rows, simpleTrade{p(i / 2), p(i), p(100), 1, &side})
		}

		damage(rows)

		return encode(t, rows...)
	}
	type floats struct {
		Time  int64   `parquet:"time"`
		Seq   uint32  `parquet:"seq"`
		Price float64 `parquet:"price"`
		Size  float32 `parquet:"size"`
		Side  int32   `parquet:"side"`
	}
	type foreign struct {
		Timestamp int64  `parquet:"timestamp,timestamp(microsecond)"`
		Price     int64  `parquet:"price"`
		Size      int64  `parquet:"size"`
		Venue     string `parquet:"venue"`
	}
	type noTime struct {
		Price int64 `parquet:"price"`
		Size  int64 `parquet:"size"`
	}
	type local struct {
		Time  int64 `parquet:"time,timestamp(microsecond:local)"`
		Price int64 `parquet:"price"`
		Size  int64 `parquet:"size"`
	}
	type millis struct {
		Time  int64 `parquet:"time,timestamp(millisecond)"`
		Price int64 `parquet:"price"`
		Size  int64 `parquet:"size"`
	}
	type wide struct {
		Time  int64    `parquet:"time,timestamp(microsecond)"`
		Price [16]byte `parquet:"price,decimal(0:38)"`
		Size  int64    `parquet:"size"`
	}
	unknownSide := "long"
	good := trades().write(t, "BTC/USD", gen.TradeTape("BTC/USD", 3))
	for _, test := range []struct {
		name    string
		content []byte
		symbol  domain.Symbol
		want    []string
	}{
		{name: "empty", want: []string{"too short"}},
		{name: "truncated", content: good[:len(good)-9], want: []string{"truncated"}},
		{name: "no_symbol", content: rows(func([]simpleTrade) {}), want: []string{"does not name its symbol"}},
		{name: "another_symbol", content: good, symbol: "ETH/USD", want: []string{"contains BTC/USD, not ETH/USD"}},
		{name: "bad_symbol", content: good, symbol: "B,C", want: []string{"symbol"}},
		{name: "quotes", content: quotes().write(t, "BTC/USD", gen.QuoteTape("BTC/USD", 3)), want: []string{
			"those of quotes, not of trades",
		}},
		{name: "bars", content: writeBars(t, gen.MinuteKey("BTC/USD"), gen.Walk("BTC/USD", 3)), want: []string{
			"those of bars, not of trades",
		}},
		{name: "types", content: encode(t, floats{}), want: []string{
			`column "time" is`, "want TIMESTAMP", `column "seq" is`, "want INT64",
			`column "price" is`, "a float is not exact",
			`column "size" is`, `column "side" is`, "want STRING",
		}},
		{name: "names", content: encode(t, foreign{}), want: []string{
			`column "timestamp" is not one of`, `column "venue" is not one of`,
		}},
		{name: "no_time", content: encode(t, noTime{}), want: []string{`no column "time"`}},
		{name: "no_zone", content: encode(t, local{}), want: []string{"without a time zone"}},
		{name: "far_future", content: encode(t, millis{Time: math.MaxInt64}), want: []string{
			"row 1: time: ", "out of the range of microseconds",
		}},
		{name: "far_past", content: encode(t, millis{Time: math.MinInt64}), want: []string{
			"row 1: time: ", "out of the range of microseconds",
		}},
		{name: "too_many_digits", content: encode(t, wide{}, wide{Time: 1, Price: [16]byte{0x7f}}), want: []string{
			"row 2: price: more than 20 digits before the point",
		}},
		{name: "time_null", content: rows(func(r []simpleTrade) { r[3].Time = nil }), want: []string{
			"row 4: time is null",
		}},
		{name: "seq_null", content: rows(func(r []simpleTrade) { r[0].Seq = nil }), want: []string{
			"row 1: seq is null",
		}},
		{name: "price_null", content: rows(func(r []simpleTrade) { r[4].Price = nil }), want: []string{
			"row 5: price is null",
		}},
		{name: "seq_negative", content: rows(func(r []simpleTrade) { r[0].Seq = p(-1) }), want: []string{
			"row 1: seq: -1 is negative",
		}},
		{name: "size_negative", content: rows(func(r []simpleTrade) { r[2].Size = -1 }), want: []string{
			"row 3: size: -0.01 is negative",
		}},
		{name: "side", content: rows(func(r []simpleTrade) { r[1].Side = &unknownSide }), want: []string{
			`row 2: side: "long" is neither buy nor sell`,
		}},
		{name: "time_decreases", content: rows(func(r []simpleTrade) { r[2].Time = p(-7) }), want: []string{
			"row 3: time: 1969-12-31T23:59:59.999993Z comes after 1970-01-01T00:00:00Z; sort",
		}},
		{name: "seq_decreases", content: rows(func(r []simpleTrade) { r[2].Seq = p(9) }), want: []string{
			"row 4: seq: 3 comes after 9, at the same time, 1970-01-01T00:00:00.000001Z; sort",
		}},
		{name: "row_repeated", content: rows(func(r []simpleTrade) { r[3].Seq = r[2].Seq }), want: []string{
			"row 4: seq: a second row of 2 at 1970-01-01T00:00:00.000001Z",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := parquet.TickConfig{Name: "x.parquet", Symbol: test.symbol, BatchTicks: 2}
			if cfg.Symbol == "" && test.name != "no_symbol" {
				cfg.Symbol = "BTC/USD"
			}
			_, _, err := trades().collect("BTC/USD", test.content, cfg)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}

			if err != nil && strings.Count(err.Error(), "x.parquet") != 1 {
				t.Errorf("want the file name once: %v", err)
			}
			if errors.As(err, new(*parquet.RowError)) != strings.Contains(strings.Join(test.want, ""), "row ") {
				t.Errorf("want a RowError if and only if the error is about a row: %v", err)
			}
		})
	}
}
