package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// telemetryLog keeps all measurements. It requires that each End has the context that Begin returned, and that the
// context of a call derives from that of its request.
type telemetryLog struct {
	mu     sync.Mutex
	all    []measured
	strays []ports.Operation
}

type measured struct {
	op ports.Operation
	m  ports.Measurement
}

type begun struct{}

func (l *telemetryLog) Begin(ctx context.Context, op ports.Operation) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Value(begun{}) == nil && op.Store != "" && op.Name != "diagnose" {
		l.strays = append(l.strays, op)
	}

	return context.WithValue(ctx, begun{}, op)
}

func (l *telemetryLog) End(ctx context.Context, op ports.Operation, m ports.Measurement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Value(begun{}) != op {
		l.strays = append(l.strays, op)
	}
	l.all = append(l.all, measured{op, m})
}

// texts returns the measurements of requests, or of calls of stores, and forgets all.
func (l *telemetryLog) texts(isCall bool) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if (one.op.Store != "") != isCall {
			continue
		}

		outcome := "ok"
		if one.m.Kind != nil {
			outcome = one.m.Kind.Error()
		}
		if one.m.Cached {
			outcome += ", cached"
		}
		of := string(one.op.Store) + string(one.op.Frequencies)
		texts = append(texts, fmt.Sprintf("%s %s: %d %s", one.op.Name, of, one.m.Rows, outcome))
	}
	for _, op := range l.strays {
		texts = append(texts, fmt.Sprintf("%v has another context", op))
	}
	l.all = nil

	return texts
}

func (l *telemetryLog) requests() []string { return l.texts(false) }

func (l *telemetryLog) calls() []string { return l.texts(true) }

// TestCallsOfStoresAreMeasured proves that each call of a store has one measurement, with its store, its rows and the
// kind of its error.
func TestCallsOfStoresAreMeasured(t *testing.T) {
	t.Parallel()
	var measured telemetryLog
	store, md := holding(t, sound(t, -9, -4), app.Config{Telemetry: &measured})
	ctx, bars, request := t.Context(), sound(t, -3, -1), domain.DataRequest{Key: key, Start: at(-9), End: at(-5)}
	for _, c := range []struct {
		run  func() error
		want []string
	}{
		{func() error { _, err := md.Fetch(ctx, request); return err },
			[]string{"read symbols test: 1 ok", "read extents test: 1 ok", "read bars test: 4 ok"}},
		{func() error { _, err := md.Ingest(ctx, bars, bars.Range(), ports.ConflictFail); return err },
			[]string{"ingest test: 2 ok"}},
		{func() error { _, err := md.Delete(ctx, key, span(-9, -6)); return err }, []string{"delete test: 3 ok"}},
		{func() error { _, err := md.Diagnose(ctx); return err }, nil},
		{func() error {
			store.extents = func(context.Context) ([]domain.Extent, error) { return nil, ports.ErrUnavailable }
			if _, err := md.Fetch(ctx, request); !errors.Is(err, ports.ErrUnavailable) {
				return fmt.Errorf("not unavailable: %w", err)
			}

			return nil
		}, []string{"read symbols test: 1 ok", "read extents test: 0 unavailable"}},
	} {
		if err := c.run(); err != nil {
			t.Fatal(err)
		}
		if got := measured.calls(); !slices.Equal(got, c.want) {
			t.Errorf("measured %q; want %q", got, c.want)
		}
	}
}

// TestCachedRequestsAreMeasured proves that a request without a read of a store is measured as cached.
func TestCachedRequestsAreMeasured(t *testing.T) {
	t.Parallel()
	var measured telemetryLog
	store := memory.New()
	bars := sound(t, -9, -4)
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	c := clock.NewSimulated(noon)
	source, _ := cachedSource(t, app.Source{Name: "test", Bars: store, Catalog: store}, c, seriescache.Config{})
	md := over(t, c, nil, app.Config{Telemetry: &measured}, source)
	request := domain.DataRequest{Key: key, Start: at(-9), End: at(-4)}
	for range 2 {
		if _, err := md.Fetch(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	md.FetchMany(t.Context(), []domain.DataRequest{request, request})
	md.FetchMany(t.Context(), []domain.DataRequest{request, {}})
	pieces, _ := md.Stream(t.Context(), request)
	if _, err := ports.Collect(pieces); err != nil {
		t.Fatal(err)
	}

	want := []string{
		"fetch minutes: 5 ok", "fetch minutes: 5 ok, cached", "fetch many : 10 ok, cached", "fetch many : 5 invalid",
		"stream minutes: 5 ok, cached",
	}
	if got := measured.requests(); !slices.Equal(got, want) {
		t.Errorf("measured %q; want %q", got, want)
	}
}

// TestStreamsAreMeasuredWithoutTheirConsumer proves that the duration of a stream is that of the module alone.
func TestStreamsAreMeasuredWithoutTheirConsumer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var measured telemetryLog
		_, md := holding(t, sound(t, -9, -4), app.Config{Telemetry: &measured})
		pieces, _ := md.Stream(t.Context(), domain.DataRequest{Key: key})
		time.Sleep(time.Hour)
		for range pieces {
			time.Sleep(time.Minute)
		}
		if last := measured.all[len(measured.all)-1]; last.op.Name != "stream" || last.m.Duration > time.Second {
			t.Errorf("%s took %s", last.op.Name, last.m.Duration)
		}
	})
}

// TestDiagnosisHasOperations proves that a diagnosis has what was measured, its own checks too, and that JSON keeps it.
func TestDiagnosisHasOperations(t *testing.T) {
	t.Parallel()
	store := checked{Store: memory.New()}
	source := app.Source{Name: "test", Bars: store, Catalog: store, Health: store}
	md := over(t, clock.NewSimulated(noon), nil, app.Config{Telemetry: telemetry.New()}, source)
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrNotFound) {
		t.Fatal(err)
	}

	d, err := md.Diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back ports.Diagnosis
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back.Operations, d.Operations) {
		t.Errorf("%v: %s", err, text)
	}

	var got []string
	for _, o := range d.Operations {
		got = append(got, fmt.Sprintf("%s %s%s %d %d", o.Name, o.Store, o.Frequencies, o.LastMinute.Count, o.Last15.Failed()))
	}
	if want := []string{"diagnose test 1 0", "fetch minutes 1 1", "read symbols test 5 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
