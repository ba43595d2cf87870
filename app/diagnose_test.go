package app_test

import (
	"context"
	"errors"
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
			{"fine", checked{}, &ports.PoolStats{InUse: 1, Max: 2}, ports.Healthy, ""},
			{"slow", checked{after: 300 * time.Millisecond}, nil, ports.Degraded, "slow: the check took 300ms"},
			{"full", checked{}, &ports.PoolStats{InUse: 2, Max: 2}, ports.Degraded, "every connection of the pool is in use (2)"},
			{"overloaded", checked{err: &ports.Error{Kind: ports.ErrOverloaded, Err: secret}}, nil, ports.Degraded, "overloaded"},
			{"refused", checked{err: &ports.Error{Kind: ports.ErrAuth, Err: secret}}, nil, ports.Down, "authentication"},
			{"unknown", checked{err: secret}, nil, ports.Down, "internal"},
			{"retention", checked{retention: 720 * time.Hour}, nil, ports.Degraded,
				"the retention policy drops bars older than 720h0m0s; blocks with such bars read as not covered"},
			{"hanging", checked{after: time.Hour}, nil, ports.Down, "timeout"},
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
		if _, err := md.Ingest(t.Context(), sound(t, 0, 9), domain.Range{}, ports.ReplaceOnConflict); err != nil {
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
				t.Errorf("%s: a secret in %q", c.name, got.Reason)
			}
		}

		if first := d.Stores[0]; first.Requests != 4 || first.Errors != 0 || first.Rows != 18 {
			t.Errorf("counted %+v, want a write and three reads of 9 bars each way", first)
		}
		if d.State() != ports.Down || !d.At.Equal(at(60)) {
			t.Errorf("%s at %s", d.State(), d.At)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := md.Diagnose(ctx); !errors.Is(err, ports.ErrCanceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
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
	if err != nil || d.Stores[0].Errors != 1 || d.Stores[0].Requests != 5 || d.Stores[0].State != ports.Healthy {
		t.Errorf("got %+v, %v", d, err)
	}
}
