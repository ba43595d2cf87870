package app_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// checked is a store whose check answers after a while.
type checked struct {
	*memory.Store
	after     time.Duration
	err       error
	retention time.Duration
}

func (c checked) Retention(context.Context) (time.Duration, error) { return c.retention, nil }

func (c checked) Check(ctx context.Context) error {
	select {
	case <-time.After(c.after):
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := errors.New("password=hunter2")
		cases := []struct {
			name   string
			check  checked
			use    *ports.PoolStats
			state  ports.Health
			reason string
		}{
			{"fine", checked{}, &ports.PoolStats{InUse: 1, Max: 2}, ports.HealthOK, ""},
			{"slow", checked{after: 300 * time.Millisecond}, nil, ports.HealthDegraded, "slow: the check took 300ms"},
			{"full", checked{}, &ports.PoolStats{InUse: 2, Max: 2}, ports.HealthDegraded, "every connection of the pool is in use (2)"},
			{"overloaded", checked{err: &ports.Error{Kind: ports.ErrOverloaded, Err: secret}}, nil, ports.HealthDegraded, "overloaded"},
			{"refused", checked{err: &ports.Error{Kind: ports.ErrAuth, Err: secret}}, nil, ports.HealthDown, "authentication"},
			{"unknown", checked{err: secret}, nil, ports.HealthDown, "internal"},
			{"retention", checked{retention: 720 * time.Hour}, nil, ports.HealthDegraded,
				"the retention policy drops bars older than 720h0m0s; blocks with such bars read as not covered"},
			{"hanging", checked{after: time.Hour}, nil, ports.HealthDown, "timeout"},
		}
		var sources []app.Source
		for _, c := range cases {
			c.check.Store = memory.New()
			s := app.Source{Name: domain.StoreName(c.name), Bars: c.check, Catalog: c.check, Health: c.check}
			if c.use != nil {
				s.Pool = func() ports.PoolStats { return *c.use }
			}
			sources = append(sources, s)
		}

		md := over(t, clock.NewSimulated(at(60)), nil, app.Config{}, sources...)
		if _, err := md.Ingest(t.Context(), sound(t, 0, 9), domain.Range{}, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
		if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); err != nil {
			t.Fatal(err)
		}

		began := time.Now()
		d, err := md.Diagnose(t.Context())
		if took := time.Since(began); err != nil || took > 550*time.Millisecond {
			t.Fatalf("took %s: %v", took, err)
		}

		for i, c := range cases {
			got := d.Stores[i]
			if string(got.Store) != c.name || got.State != c.state || got.Reason != c.reason || (got.Pool == nil) != (c.use == nil) {
				t.Errorf("got %+v, want %s because of %q", got, c.state, c.reason)
			}
			if got.Retention != c.check.retention {
				t.Errorf("%s: got the retention %s", c.name, got.Retention)
			}
			if strings.Contains(got.Reason, "hunter2") {
				t.Errorf("%s: the text of a driver in %q", c.name, got.Reason)
			}
			if len(got.Problems) > 0 != (c.state != ports.HealthOK) || len(got.Problems) > 0 && got.Problems[0].Reason != c.reason {
				t.Errorf("%s: got the problems %+v", c.name, got.Problems)
			}
		}

		if first := d.Stores[0]; first.Requests != 4 || first.Errors != 0 || first.Rows != 18 {
			t.Errorf("counted %+v, want a write and three reads of 9 bars each way", first)
		}
		if d.State() != ports.HealthDown || !d.At.Equal(at(60)) {
			t.Errorf("%s at %s", d.State(), d.At)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := md.Diagnose(ctx); !errors.Is(err, ports.ErrCanceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// described is a store with an error, and details that its check finds out.
type described struct {
	err     error
	version *string
}

func (d described) Check(context.Context) error { *d.version = "15"; return d.err }

func (d described) Details() ports.StoreDetails { return ports.StoreDetails{Version: *d.version} }

// A diagnosis has the whole error and its remedy, and the details that the check found out. A store without which
// requests are served is degraded at most, and does not serve requests.
func TestDiagnosisTellsErrors(t *testing.T) {
	t.Parallel()
	failure := &ports.Error{
		Kind: ports.ErrPermission, Op: "check", Store: "broken", Err: errors.New("no right"), Remedy: "grant it",
	}
	source := func(name domain.StoreName, err error) app.Source {
		return app.Source{Name: name, Health: described{err, new(string)}}
	}
	optional := source("optional", &ports.Error{Kind: ports.ErrPermission, Op: "check", Store: "optional"})
	optional.Optional = true
	d, err := app.Diagnose(t.Context(), clock.NewSimulated(at(60)), source("fine", nil), source("broken", failure), optional,
		app.FailedSource("closed", ports.ErrOverloaded, ports.StoreDetails{Address: "db:1"}))
	if err != nil || len(d.Stores) != 4 || d.State() != ports.HealthDown {
		t.Fatalf("got %+v, %v", d, err)
	}
	if fine := d.Stores[0]; fine.State != ports.HealthOK || fine.Problems != nil || fine.Details.Version != "15" {
		t.Errorf("got %+v", fine)
	}
	broken := d.Stores[1].Problems[0]
	if broken.State != ports.HealthDown || broken.Reason != "permission" || broken.Detail != "broken: diagnose: permission: no right" ||
		broken.Remedy != "grant it" || !errors.Is(broken.Err, ports.ErrPermission) || d.Stores[1].Details.Version != "15" {
		t.Errorf("got %+v", broken)
	}
	if got := d.Stores[2]; got.State != ports.HealthDegraded || got.Reason != "permission; requests are served without it" {
		t.Errorf("got %+v", got)
	}
	if got := d.Stores[3]; got.State != ports.HealthDown || got.Details.Address != "db:1" || !errors.Is(got.Problems[0].Err, ports.ErrOverloaded) {
		t.Errorf("got %+v", got)
	}

	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{}, app.Source{Name: "bars", Bars: memory.New(), Catalog: memory.New()}, optional)
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := app.New([]app.Source{source("nothing", nil)}, clock.NewSimulated(at(60)), nil, app.Config{}); err == nil {
		t.Error("a source with nothing but Health is not optional")
	}
}

// StoreDetails tells the details without a check, of the stores that keep data.
func TestStoreDetails(t *testing.T) {
	t.Parallel()
	version := "15"
	kept := app.Source{Name: "kept", Bars: memory.New(), Catalog: memory.New(), Health: described{nil, &version}}
	plain := app.Source{Name: "plain", Bars: memory.New()}
	cache := app.Source{Name: "cache", Health: described{nil, new(string)}, Optional: true}
	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{}, kept, plain, cache)

	got := maps.Collect(md.StoreDetails())
	if want := map[domain.StoreName]ports.StoreDetails{"kept": {Version: "15"}, "plain": {}}; !maps.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// limited is a store that responds and has problems.
type limited struct {
	described
	problems []ports.Problem
	err      error
}

func (l limited) Problems(context.Context) ([]ports.Problem, error) { return l.problems, l.err }

// The problems of a store that responds are in its diagnosis, and the worst of them is its state. A warning changes no
// state.
func TestDiagnosisTellsProblems(t *testing.T) {
	t.Parallel()
	odd := ports.Problem{State: ports.HealthDegraded, Reason: "odd"}
	lost := ports.Problem{State: ports.HealthDown, Reason: "lost"}
	warning := ports.Problem{State: ports.HealthOK, Reason: "warning"}
	for _, c := range []struct {
		health ports.HealthChecker
		want   []string
		state  ports.Health
	}{
		{limited{described: described{version: new(string)}}, nil, ports.HealthOK},
		{limited{described: described{version: new(string)}, problems: []ports.Problem{odd}}, []string{"odd"}, ports.HealthDegraded},
		{limited{described: described{version: new(string)}, problems: []ports.Problem{warning, odd, lost}}, []string{"lost", "odd", "warning"}, ports.HealthDown},
		{limited{described: described{version: new(string)}, problems: []ports.Problem{warning}}, []string{"warning"}, ports.HealthOK},
		{limited{described: described{version: new(string)}, err: ports.ErrTimeout}, []string{"timeout"}, ports.HealthDown},
		{limited{described: described{ports.ErrAuth, new(string)}, problems: []ports.Problem{odd}}, []string{"authentication"}, ports.HealthDown},
	} {
		d, err := app.Diagnose(t.Context(), clock.NewSimulated(at(60)), app.Source{Name: "store", Health: c.health})
		if err != nil || d.Stores[0].State != c.state || (d.Stores[0].Reason != "") != (c.state != ports.HealthOK) {
			t.Fatalf("got %+v, %v", d, err)
		}

		var got []string
		for _, p := range d.Stores[0].Problems {
			got = append(got, p.Reason)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

// A store that fails because it needs another one is not down for that: the row of the other one has the error.
func TestDiagnosisBlamesTheStoreThatFails(t *testing.T) {
	t.Parallel()
	failure := &ports.Error{Kind: ports.ErrUnavailable, Op: "read ledger", Store: "ledger"}
	bars := app.Source{Name: "bars", Health: described{failure, new(string)}}
	ledger := app.Source{Name: "ledger", Health: described{failure, new(string)}}
	for _, c := range []struct {
		sources []app.Source
		want    ports.Health
	}{
		{[]app.Source{bars, ledger}, ports.HealthOK},
		{[]app.Source{bars}, ports.HealthDown}, // nobody else says it
	} {
		d, err := app.Diagnose(t.Context(), clock.NewSimulated(at(60)), c.sources...)
		if err != nil || d.Stores[0].State != c.want || d.State() != ports.HealthDown {
			t.Errorf("got %+v, %v; want %s", d.Stores, err, c.want)
		}
	}
}

// What a store fails is counted, what the caller got wrong is not.
func TestErrorsAreCounted(t *testing.T) {
	t.Parallel()
	store, md := holding(t, sound(t, 0, 9), app.Config{MaxBars: new(3)})
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrTooLarge) {
		t.Fatal(err)
	}

	store.extents = func(context.Context) ([]domain.Extent, error) { return nil, ports.ErrUnavailable }
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrUnavailable) {
		t.Fatal(err)
	}

	d, err := md.Diagnose(t.Context())
	if err != nil || d.Stores[0].Errors != 1 || d.Stores[0].Requests != 5 || d.Stores[0].State != ports.HealthOK {
		t.Errorf("got %+v, %v", d, err)
	}
}
