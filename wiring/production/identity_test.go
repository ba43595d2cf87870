package production_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// newDeployment returns a configuration whose databases have minutes.
func newDeployment(t *testing.T) (wiring.Config, domain.Series) {
	t.Helper()
	cfg, minute := config(t), barAt(t, domain.Minute1, "1")
	if cfg.Influx.Org != "" {
		t.Skip("on InfluxDB 2 a bucket and its mapping are created by other means")
	}
	ingest(t, open(t, cfg, production.Options{}), minute)

	return cfg, minute
}

// checkRefused opens a configuration whose InfluxDB is not the one that PostgreSQL describes.
func checkRefused(t *testing.T, cfg wiring.Config, says string) {
	t.Helper()
	_, closeAll, err := production.Open(t.Context(), cfg, production.Options{})
	if err == nil {
		closeAll()
	}
	if !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), says) {
		t.Errorf("got the error %v, want one with %q", err, says)
	}
}

// TestInfluxMadeAnew makes the database of InfluxDB anew: its coverage in PostgreSQL is not believed.
func TestInfluxMadeAnew(t *testing.T) {
	t.Parallel()
	cfg, _ := newDeployment(t)
	dropDatabase(t, cfg.Influx)
	runInfluxQL(t, cfg.Influx, "CREATE DATABASE "+cfg.Influx.Database)
	checkRefused(t, cfg, "no identity")
}

// TestAnotherInflux configures the InfluxDB of another deployment, and one that is new.
func TestAnotherInflux(t *testing.T) {
	t.Parallel()
	cfg, minute := newDeployment(t)
	other, _ := newDeployment(t)
	mixed := cfg
	mixed.Influx = other.Influx
	checkRefused(t, mixed, "configure that one")
	mixed.Influx = config(t).Influx
	checkRefused(t, mixed, "no identity")
	if got, _ := fetch(t, open(t, cfg, production.Options{}), minute); !got.Equal(minute) {
		t.Errorf("the right InfluxDB: got %s", got)
	}
}

// TestInfluxRestoredAlone restores a state of InfluxDB that has its identity and lacks bars: they are corrupt data.
func TestInfluxRestoredAlone(t *testing.T) {
	t.Parallel()
	cfg, minute := newDeployment(t)
	runInfluxQL(t, cfg.Influx, "DELETE FROM bars")
	r := minute.Range()
	request := domain.DataRequest{Key: minute.Key(), Start: r.Start, End: r.End}
	md := open(t, cfg, production.Options{})
	if got, err := md.Fetch(t.Context(), request); !errors.Is(err, ports.ErrCorruptData) {
		t.Errorf("got %s, %v", got.Series, err)
	}
}

// TestPostgresMadeAnew uses an InfluxDB with bars beside a new PostgreSQL, which describes none of them: they are bars
// that others wrote, and a write takes the InfluxDB over.
func TestPostgresMadeAnew(t *testing.T) {
	t.Parallel()
	cfg, minute := newDeployment(t)
	old := cfg
	cfg.Postgres.DSN = wiring.NewSecret(migrated.Postgres(t))
	md := open(t, cfg, production.Options{})
	coverage, err := ports.Collect(md.Coverage(t.Context(), minute.Key().Symbol))
	if err != nil || len(coverage) != 1 || !coverage[0].Inferred {
		t.Errorf("got the coverage %v, %v", coverage, err)
	}
	ingest(t, md, minute)
	for _, cfg := range []wiring.Config{cfg, old} {
		if got, _ := fetch(t, open(t, cfg, production.Options{}), minute); !got.Equal(minute) {
			t.Errorf("got %s", got)
		}
	}
}
