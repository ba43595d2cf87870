package main

import (
	"testing"

	"github.com/gal-friday/marketdata/ports"
)

// A server is one under every name of its host; the same name in another database, port or folder is another store.
func TestIsSameStore(t *testing.T) {
	t.Parallel()
	local := ports.StoreDetails{Address: "127.0.0.1:5432", Database: "market", User: "importer"}
	influx := ports.StoreDetails{Address: "http://127.0.0.1:8086", Database: "market"}
	for _, c := range []struct {
		a, b ports.StoreDetails
		want bool
	}{
		{local, ports.StoreDetails{Address: "127.0.0.1:5432", Database: "market", User: "reader"}, true},
		{local, ports.StoreDetails{Address: "localhost:5432", Database: "market"}, true},
		{local, ports.StoreDetails{Address: "localhost:5432", Database: "other"}, false},
		{local, ports.StoreDetails{Address: "localhost:5433", Database: "market"}, false},
		{local, ports.StoreDetails{Address: "127.0.0.2:5432", Database: "market"}, false},
		{local, ports.StoreDetails{Database: "market"}, false},
		{influx, ports.StoreDetails{Address: "http://localhost:8086", Database: "market"}, true},
		{influx, ports.StoreDetails{Address: "http://localhost:8086/proxied", Database: "market"}, false},
		{
			ports.StoreDetails{Address: "/run/postgresql:5432", Database: "market"},
			ports.StoreDetails{Address: "/run/other:5432", Database: "market"}, false,
		},
	} {
		if got := isSameStore(t.Context(), c.a, c.b); got != c.want {
			t.Errorf("%+v and %+v: got %t", c.a, c.b, got)
		}
	}
}
