package e2e_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/servers"
)

// sharedData returns the directory of real market data. Without one, the test is skipped.
func sharedData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MARKETDATA_SHARED_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no directory of real market data (%v); name one in MARKETDATA_SHARED_DATA", err)
	}

	return dir
}

// realBars are the files of real bars.
var realBars = []struct{ name, symbol, frequency, end string }{
	{"BTC-USDT_1h_binance_2018-05.csv", "BINANCE:BTC/USDT", "1h", "2018-05-06"},
	{"BTC-USD_1d_coinbase_2014-2018.csv", "COINBASE:BTC/USD", "1d", "2018-08-14"},
	{"BTC-USD_1m_coinbase_2018-04.csv", "COINBASE:BTC/USD", "1m", "2018-04-07"},
	{"BTC-USD_1s_coinbase_2016-10.csv", "COINBASE:BTC/USD", "1s", "2016-10-10"},
}

// stores are the stores that the real files are imported to. Each function returns the environment that names a fresh
// store.
var stores = map[string]func(t *testing.T) []string{
	"sqlite": func(t *testing.T) []string {
		t.Helper()
		return []string{"MARKETDATA_SQLITE_PATH=" + filepath.Join(t.TempDir(), "market.db")}
	},
	"servers": func(t *testing.T) []string {
		t.Helper()
		environment := onServers(servers.Postgres(t), servers.Influx(t))
		marketdata(t, environment, "migrate")
		return environment
	},
}

// TestRealBarsRoundTrip imports every file of real bars, fetches the bars, and compares every number.
func TestRealBarsRoundTrip(t *testing.T) {
	t.Parallel()
	dir := sharedData(t)
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			environment := open(t)
			for _, file := range realBars {
				path := filepath.Join(dir, file.name)
				marketdata(t, environment, "import", "--symbol", file.symbol, "--frequency", file.frequency, path)
				out := marketdata(t, environment,
					"fetch", file.symbol, file.frequency, "--end", file.end, "--output", "csv")
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}

				equalRows(t, records(t, out), records(t, text))
			}
		})
	}
}

// TestRealTradesRoundTrip imports the real trades, fetches them, and compares every number.
func TestRealTradesRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(sharedData(t), "XRP-ETH_trades_2019-10.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	want := records(t, text)
	for _, row := range want { // time,id,side,price,size
		row[2], row[3], row[4] = row[3], row[4], row[2]
	}
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			environment := open(t)
			marketdata(t, environment, "import", "--symbol", "XRP/ETH", path)
			out := marketdata(t, environment, "fetch", "--trades", "XRP/ETH", "--output", "csv")
			equalTicks(t, records(t, out), want)
		})
	}
}

// TestRealQuotesRoundTrip imports the real quotes, fetches them, and compares every number. The size of 23 rows has 19
// digits after the point, one more than a Decimal can have: the import refuses the file with the line of the first one,
// so they are left out.
func TestRealQuotesRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(sharedData(t), "BTC-USD_quotes_coinbase_2018-04.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	db := filepath.Join(t.TempDir(), "market.db")
	out, err := exec.Command(binary, "--db", db, "import", "--symbol", "COINBASE:BTC/USD", path).CombinedOutput()
	const refused = "_2018-04.csv:118: ask_size: decimal 0.0038217599999999996: at most 20 digits before and 18 after"
	if err == nil || !bytes.Contains(out, []byte(refused)) {
		t.Errorf("%v\n%s", err, out)
	}
	var kept bytes.Buffer
	var want [][]string
	rows := csv.NewWriter(&kept)
	for i, row := range append([][]string{{"time", "bid", "ask", "bid_size", "ask_size"}}, records(t, text)...) {
		_, bidErr := domain.ParseDecimal(row[3])
		_, askErr := domain.ParseDecimal(row[4])
		if i > 0 && (bidErr != nil || askErr != nil) {
			continue
		}
		if err := rows.Write(row); err != nil {
			t.Fatal(err)
		}

		if i > 0 {
			want = append(want, slices.Insert(row, 1, "0")) // the seq, because there is one quote per instant
		}
	}

	rows.Flush()
	path = filepath.Join(t.TempDir(), "quotes.csv")
	if err := os.WriteFile(path, kept.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			environment := open(t)
			marketdata(t, environment, "import", "--symbol", "COINBASE:BTC/USD", path)
			out := marketdata(t, environment, "fetch", "--quotes", "COINBASE:BTC/USD", "--output", "csv")
			equalTicks(t, records(t, out), want)
		})
	}
}

// equalTicks compares times, numbers and sides.
func equalTicks(t *testing.T, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d rows; want %d", len(got), len(want))
	}

	for i := range want {
		gotTime, err := time.Parse(time.RFC3339, got[i][0])
		if err != nil {
			t.Fatal(err)
		}

		wantTime, err := time.Parse(time.RFC3339, want[i][0])
		if err != nil {
			t.Fatal(err)
		}

		equal := gotTime.Equal(wantTime) && len(got[i]) == len(want[i])
		for c := 1; equal && c < len(want[i]); c++ {
			a, errA := domain.ParseDecimal(got[i][c])
			b, errB := domain.ParseDecimal(want[i][c])
			equal = errA == nil && errB == nil && a.Equal(b) || errA != nil && got[i][c] == want[i][c]
		}
		if !equal {
			t.Fatalf("row %d is %q; want %q", i, got[i], want[i])
		}
	}
}

func marketdata(t *testing.T, environment []string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("marketdata %q: %v\n%s", args, err, stderr.Bytes())
	}

	return out
}

func records(t *testing.T, text []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}

	return rows[1:]
}

// equalRows compares time, open, high, low, close and volume.
func equalRows(t *testing.T, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d rows; want %d", len(got), len(want))
	}

	for i := range want {
		gotTime, err := time.Parse(time.RFC3339, got[i][0])
		if err != nil {
			t.Fatal(err)
		}

		wantTime, err := time.Parse(time.RFC3339, want[i][0])
		if err != nil {
			t.Fatal(err)
		}

		equal := gotTime.Equal(wantTime)
		for c := 1; c <= 5; c++ {
			equal = equal && domain.MustDecimal(got[i][c]).Equal(domain.MustDecimal(want[i][c]))
		}
		if !equal {
			t.Fatalf("row %d is %q; want %q", i, got[i], want[i])
		}
	}
}
