package e2e_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// sharedData is the folder of real market data; the test skips where there is none.
func sharedData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MARKETDATA_SHARED_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no folder of real market data (%v); name one in MARKETDATA_SHARED_DATA", err)
	}
	return dir
}

// TestRealFilesComeBackEqual imports every file of real bars and compares what comes back, row by row, number by number.
func TestRealFilesComeBackEqual(t *testing.T) {
	t.Parallel()
	dir := sharedData(t)
	for _, file := range []struct{ name, symbol, grid, end string }{
		{"BTC-USDT_1h_binance_2018-05.csv", "BINANCE:BTC/USDT", "1h", "2018-05-06"},
		{"BTC-USD_1d_coinbase_2014-2018.csv", "COINBASE:BTC/USD", "1d", "2018-08-14"},
		{"BTC-USD_1m_coinbase_2018-04.csv", "COINBASE:BTC/USD", "1m", "2018-04-07"},
		{"BTC-USD_1s_coinbase_2016-10.csv", "COINBASE:BTC/USD", "1s", "2016-10-10"},
	} {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, file.name)
			db := filepath.Join(t.TempDir(), "market.db")
			marketdata(t, "--db", db, "import", "--symbol", file.symbol, "--grid", file.grid, path)
			out := marketdata(t, "--db", db, "fetch", file.symbol, file.grid, "--end", file.end, "--output", "csv")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			equalRows(t, records(t, out), records(t, text))
		})
	}
}

// TestRealTradesAndQuotesAreRefused: they are recognised, and nothing of them is taken for bars.
func TestRealTradesAndQuotesAreRefused(t *testing.T) {
	t.Parallel()
	dir := sharedData(t)
	for name, want := range map[string]string{
		"XRP-ETH_trades_2019-10.csv":          "trades are not stored yet",
		"BTC-USD_quotes_coinbase_2018-04.csv": "quotes are not stored yet",
	} {
		cmd := exec.Command(binary, "--db", filepath.Join(t.TempDir(), "market.db"), "import", "--symbol", "X/Y", "--grid", "1m",
			filepath.Join(dir, name))
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s: %v, %s; want a refusal with %q", name, err, out, want)
		}
	}
}

func marketdata(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(binary, args...)
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
		t.Fatalf("%d rows came back of %d", len(got), len(want))
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
			t.Fatalf("row %d: %q came back of %q", i, got[i], want[i])
		}
	}
}
