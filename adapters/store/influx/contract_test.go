package influx_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
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
	s := openStore(tb, config(tb))
	return contract.Store{Bars: s, Catalog: s}
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, open, contract.Profile{})
}
