package parquet

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
)

var key = domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: domain.Minute1.UTC()}

// bars is n bars: such as trade, then the widest and the finest numbers there are.
func bars(t *testing.T, n int) domain.Series {
	t.Helper()
	b := domain.NewSeriesBuilder(key, n)
	start := time.Date(2018, time.April, 4, 0, 0, 0, 0, time.UTC)
	for i := range n {
		price, err := domain.NewDecimal(742_491+int64(i%997), 2)
		if err != nil {
			t.Fatal(err)
		}

		bar := domain.Bar{
			OpenTime: start.Add(time.Duration(i) * time.Minute), Open: price, High: price, Low: price.Neg(), Close: price,
			Volume: domain.MustDecimal("7.14319709"), Trades: int64(i),
		}
		if i%10 == 9 {
			bar.High = domain.MustDecimal("99999999999999999999.999999999999999999")
			bar.Low = bar.High.Neg()
			bar.Volume = domain.MustDecimal("0.000000000000000001")
		}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func database(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})

	return db
}

// write makes a file of the bars.
func write(t *testing.T, s domain.Series) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bars.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}

	w, err := parquet.NewBarWriter(f, s.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(s), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}

	return path
}

// DuckDB reads the file without an option: the types are those meant, and every value is ours to the digit.
func TestDuckDBReadsOurFile(t *testing.T) {
	want := bars(t, 70_000) // two row groups
	path, db := write(t, want), database(t)

	types := map[string]string{}
	for rows := query(t, db, `select column_name, column_type from (describe from '`+path+`')`); rows.Next(); {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}

		types[name] = kind
	}

	for name, kind := range map[string]string{
		"time": "TIMESTAMP WITH TIME ZONE", "open": "DECIMAL(38,18)", "volume": "DECIMAL(38,18)", "trades": "BIGINT",
	} {
		if types[name] != kind {
			t.Errorf("column %s is %s, want %s", name, types[name], kind)
		}
	}

	rows := query(t, db, `select time, open::varchar, high::varchar, low::varchar, close::varchar, volume::varchar, trades
		from '`+path+`'`)
	i := 0
	for ; rows.Next(); i++ {
		var got domain.Bar
		var numbers [5]string
		var trades sql.NullInt64
		if err := rows.Scan(&got.OpenTime, &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4], &trades); err != nil {
			t.Fatal(err)
		}

		got.Trades = trades.Int64 // null where the count is unknown
		for n, d := range []*domain.Decimal{&got.Open, &got.High, &got.Low, &got.Close, &got.Volume} {
			var err error
			if *d, err = domain.ParseDecimal(numbers[n]); err != nil {
				t.Fatal(err)
			}
		}
		if i < want.Len() && !got.Equal(want.At(i)) {
			t.Fatalf("row %d is %v, want %v", i, got, want.At(i))
		}
	}

	if err := rows.Err(); err != nil || i != want.Len() {
		t.Errorf("%d rows, %v; want %d", i, err, want.Len())
	}

	var text string
	err := db.QueryRow(`select (first(time order by time) at time zone 'UTC')::varchar || ' ' || first(volume order by time)::varchar ||
		' ' || first(high order by high desc)::varchar from '` + path + `'`).Scan(&text)
	const first = "2018-04-04 00:00:00 7.143197090000000000 99999999999999999999.999999999999999999"
	if err != nil || text != first {
		t.Errorf("%q, %v; want %q", text, err, first)
	}
	var held string
	err = db.QueryRow(`select value::varchar from parquet_kv_metadata('` + path + `') where key::varchar = '` + parquet.KeyName + `'`).Scan(&held)
	if err != nil || held != key.String() {
		t.Errorf("the key is %q, %v; want %q", held, err, key)
	}
}

// What DuckDB writes of our bars, narrower and in its own way, is the same bars.
func TestWeReadDuckDBsFile(t *testing.T) {
	want := bars(t, 5000)
	from, db := write(t, want), database(t)
	for _, test := range []struct{ name, columns string }{
		{"as_it_came", `*`},
		{"other_types", `trades::integer as trades, volume, open::decimal(18, 2) as open, high, low::decimal(38, 18) as low,
			close::decimal(9, 2) as close, time::timestamptz as time`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.parquet")
			if _, err := db.Exec(`copy (select ` + test.columns + ` from '` + from + `' order by time) to '` + path + `'`); err != nil {
				t.Fatal(err)
			}

			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}

			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}

			got := domain.NewSeriesBuilder(key, 0)
			for b, err := range parquet.ReadBars(f, info.Size(), parquet.Config{Key: key}) {
				if err != nil {
					t.Fatal(err)
				}
				if err := got.AppendSeries(b.Bars); err != nil {
					t.Fatal(err)
				}
			}

			if s, err := got.Series(); err != nil || !s.Equal(want) {
				t.Errorf("got %v, %v; want %v", s, err, want)
			}
		})
	}
}

func query(t *testing.T, db *sql.DB, text string) *sql.Rows {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = rows.Close() })
	return rows
}
