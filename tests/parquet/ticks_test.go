package parquet

import (
	"errors"
	"io"
	"iter"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
)

const widest = "99999999999999999999.999999999999999999"

// tickForm is trades or quotes, and what DuckDB is to make of a file of them.
type tickForm[T domain.Tick] struct {
	tick      func(at time.Time, seq int64) T
	newWriter func(io.Writer, domain.Symbol) (*parquet.TickWriter[T], error)
	read      func(io.ReaderAt, int64, parquet.TickConfig) iter.Seq2[parquet.TickBatch[T], error]
	types     map[string]string // of columns
	sums      string            // what each number adds up to, the widest rows aside
	total     func(T) domain.Decimal
	narrow    string // a select list that gives the same rows in other types and another order
	bare      string // one that leaves out what may be left out
	without   func(T) T
}

func tradeForm() tickForm[domain.Trade] {
	return tickForm[domain.Trade]{
		tick: func(at time.Time, seq int64) domain.Trade {
			t := domain.Trade{
				Time: at, Seq: seq, Price: domain.MustDecimal("7424.91"), Size: domain.MustDecimal("0.14319709"),
				Side: domain.Side(seq % 3),
			}
			if seq%10 == 9 {
				t.Price, t.Size = domain.MustDecimal("-"+widest), domain.MustDecimal("0.000000000000000001")
			}

			return t
		},
		newWriter: parquet.NewTradeWriter, read: parquet.ReadTrades,
		types: map[string]string{
			"time": "TIMESTAMP WITH TIME ZONE", "seq": "BIGINT", "price": "DECIMAL(38,18)", "size": "DECIMAL(38,18)", "side": "VARCHAR",
		},
		sums:   "sum(size)",
		total:  func(t domain.Trade) domain.Decimal { return t.Size },
		narrow: "nullif(side, 'unknown') as side, seq, size::decimal(20, 18) as size, price, time::timestamptz as time",
		bare:   "time, price, size",
		without: func(t domain.Trade) domain.Trade {
			t.Seq, t.Side = t.Seq%2, domain.SideUnknown // two an instant
			return t
		},
	}
}

func quoteForm() tickForm[domain.Quote] {
	return tickForm[domain.Quote]{
		tick: func(at time.Time, seq int64) domain.Quote {
			q := domain.Quote{
				Time: at, Seq: seq, Bid: domain.MustDecimal("7424.9"), Ask: domain.MustDecimal("7424.91"),
				BidSize: domain.MustDecimal("1.88483821"), AskSize: domain.MustDecimal("33.35399601000002"),
			}
			if seq%10 == 9 {
				q.Bid, q.Ask = domain.MustDecimal("-"+widest), domain.MustDecimal(widest)
			}

			return q
		},
		newWriter: parquet.NewQuoteWriter, read: parquet.ReadQuotes,
		types: map[string]string{
			"time": "TIMESTAMP WITH TIME ZONE", "seq": "BIGINT", "bid": "DECIMAL(38,18)", "ask": "DECIMAL(38,18)",
			"bid_size": "DECIMAL(38,18)", "ask_size": "DECIMAL(38,18)",
		},
		sums:   "sum(ask_size)",
		total:  func(q domain.Quote) domain.Decimal { return q.AskSize },
		narrow: "ask_size::decimal(16, 14) as ask_size, bid_size::decimal(18, 8) as bid_size, bid, ask, seq, time",
		bare:   "time, bid, ask, bid_size, ask_size",
		without: func(q domain.Quote) domain.Quote {
			q.Seq %= 2
			return q
		},
	}
}

// ticks is n of them, two an instant: such as come, then the widest and the finest numbers there are.
func (f tickForm[T]) ticks(t *testing.T, n int) domain.Ticks[T] {
	t.Helper()
	b := domain.NewTicksBuilder[T](key.Symbol)
	start := time.Date(2018, time.April, 4, 0, 0, 0, 123_456_000, time.UTC)
	for i := range int64(n) {
		if err := b.Append(f.tick(start.Add(time.Duration(i/2)*time.Millisecond), i)); err != nil {
			t.Fatal(err)
		}
	}

	ticks, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

func (f tickForm[T]) write(t *testing.T, ticks domain.Ticks[T]) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ticks.parquet")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}

	w, err := f.newWriter(out, ticks.Symbol())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(ticks), w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}

	return path
}

func (f tickForm[T]) readFile(t *testing.T, path string) (domain.Ticks[T], error) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}

	b := domain.NewTicksBuilder[T](key.Symbol)
	for batch, err := range f.read(in, info.Size(), parquet.TickConfig{Name: "theirs", Symbol: key.Symbol}) {
		if err == nil {
			err = b.AppendTicks(batch.Ticks)
		}
		if err != nil {
			return domain.Ticks[T]{}, err
		}
	}

	return b.Ticks()
}

// DuckDB reads our files of trades and quotes without an option: types, sums and order are those meant.
func TestDuckDBReadsOurTicks(t *testing.T) {
	t.Run("trades", func(t *testing.T) { testDuckDBReadsOurTicks(t, tradeForm()) })
	t.Run("quotes", func(t *testing.T) { testDuckDBReadsOurTicks(t, quoteForm()) })
}

func testDuckDBReadsOurTicks[T domain.Tick](t *testing.T, f tickForm[T]) {
	const n = 70_000 // two row groups
	want := f.ticks(t, n)
	path, db := f.write(t, want), database(t)

	types := map[string]string{}
	rows := query(t, db, `select column_name, column_type from (describe from '`+path+`')`)
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}

		types[name] = kind
	}

	if err := rows.Err(); err != nil || !maps.Equal(types, f.types) {
		t.Errorf("the columns are %v, %v; want %v", types, err, f.types)
	}

	total := new(big.Int) // of 10^-18
	for _, tick := range want.All() {
		hi, lo, _ := f.total(tick).Coefficient(domain.MaxScale)
		one := new(big.Int).Lsh(big.NewInt(hi), 64)
		total.Add(total, one.Add(one, new(big.Int).SetUint64(lo)))
	}

	var sum string
	var first, last time.Time
	var held, ordered int
	err := db.QueryRow(`select `+f.sums+`::varchar, min(time), max(time), count(*) from '`+path+`'`).Scan(&sum, &first, &last, &held)
	exact, ok := new(big.Rat).SetString(sum)
	if err != nil || !ok || exact.Cmp(new(big.Rat).SetFrac(total, big.NewInt(1e18))) != 0 {
		t.Errorf("the sum is %s, %v; want %s e-18", sum, err, total)
	}
	if held != n || !first.Equal(want.Time(0)) || !last.Equal(want.Time(n-1)) {
		t.Errorf("%d rows from %s to %s; want %d of %s", held, first, last, n, want)
	}
	err = db.QueryRow(`select count(*) from (select seq, row_number() over () - 1 as place from '` + path + `') where seq = place`).Scan(&ordered)
	if err != nil || ordered != n {
		t.Errorf("%d rows in order, %v; want %d", ordered, err, n)
	}
	var symbol string
	err = db.QueryRow(`select value::varchar from parquet_kv_metadata('` + path + `') where key::varchar = '` + parquet.SymbolName + `'`).
		Scan(&symbol)
	if err != nil || symbol != string(key.Symbol) {
		t.Errorf("the symbol is %q, %v; want %q", symbol, err, key.Symbol)
	}
}

// What DuckDB writes of our ticks, narrower and in its own way, is the same ticks.
func TestWeReadDuckDBsTicks(t *testing.T) {
	t.Run("trades", func(t *testing.T) { testWeReadDuckDBsTicks(t, tradeForm()) })
	t.Run("quotes", func(t *testing.T) { testWeReadDuckDBsTicks(t, quoteForm()) })
}

func testWeReadDuckDBsTicks[T domain.Tick](t *testing.T, f tickForm[T]) {
	want := f.ticks(t, 5000)
	numberless := domain.NewTicksBuilder[T](key.Symbol)
	for _, tick := range want.All() {
		if err := numberless.Append(f.without(tick)); err != nil {
			t.Fatal(err)
		}
	}

	renumbered, err := numberless.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	from, db := f.write(t, want), database(t)
	for _, test := range []struct {
		name, columns, options string
		want                   domain.Ticks[T]
	}{
		{name: "as_it_came", columns: `*`, want: want},
		{name: "other_types", columns: f.narrow, want: want},
		{name: "bare", columns: f.bare, want: renumbered},
		{name: "version_2", columns: `*`, options: `, parquet_version v2, compression snappy, row_group_size 2048`, want: want},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.parquet")
			_, err := db.Exec(`copy (select ` + test.columns + ` from '` + from + `') to '` + path + `' (format parquet` + test.options + `)`)
			if err != nil {
				t.Fatal(err)
			}

			if got, err := f.readFile(t, path); err != nil || !got.Equal(test.want) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

// Files that say less than they should are refused with the column and what to do.
func TestWeRefuseDuckDBsVagueTicks(t *testing.T) {
	f := tradeForm()
	from, db := f.write(t, f.ticks(t, 10)), database(t)
	const wantTime = "want TIMESTAMP in UTC, like TIMESTAMP(MICROS, adjusted to UTC)"
	for _, test := range []struct{ name, columns, want string }{
		{
			"floats", "time, price::double as price, size",
			`column "price" is DOUBLE: a float is not exact; want DECIMAL(38, 18), or another DECIMAL with at most 18 digits after the point`,
		},
		{
			"no_zone", "time at time zone 'UTC' as time, price, size",
			`column "time" is TIMESTAMP(isAdjustedToUTC=false,unit=MICROS): without a time zone; ` + wantTime,
		},
		{"numbers", "epoch_ms(time) as time, price, size", `column "time" is INT(64,true): ` + wantTime},
		{"null", "time, seq, price, if(seq = 3, null, size) as size", `row 4: size is null`},
		{
			"twice", "time, seq // 2 as seq, price, size",
			`row 2: seq: a second row of 0 at 2018-04-04T00:00:00.123456Z; keep only the correct one`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.parquet")
			if _, err := db.Exec(`copy (select ` + test.columns + ` from '` + from + `') to '` + path + `'`); err != nil {
				t.Fatal(err)
			}

			if _, err := f.readFile(t, path); err == nil || err.Error() != "theirs: "+test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}
