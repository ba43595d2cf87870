package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// hang makes one call of the store wait until release is closed, whatever its context says.
var hang = map[string]func(s *scripted, release <-chan struct{}){
	"symbols": func(s *scripted, release <-chan struct{}) {
		s.symbols = func(context.Context) ([]domain.SymbolMeta, error) { <-release; return nil, nil }
	},
	"extents": func(s *scripted, release <-chan struct{}) {
		s.extents = func(context.Context) ([]domain.Extent, error) { <-release; return nil, nil }
	},
	"read": func(s *scripted, release <-chan struct{}) {
		s.read = func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] {
			return func(func(domain.Series, error) bool) { <-release }
		}
	},
	"between pieces": func(s *scripted, release <-chan struct{}) {
		s.read = func(_ context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
			return func(yield func(domain.Series, error) bool) {
				for piece, err := range s.Store.ReadBars(context.Background(), q).Rows() {
					if !yield(piece.Slice(0, 1), err) {
						return
					}
					<-release
				}
			}
		}
	},
}

func TestHangingStore(t *testing.T) {
	t.Parallel()
	const soon = 50 * time.Millisecond
	type outcome struct {
		cfg     app.Config
		context func(context.Context) (context.Context, context.CancelFunc)
		after   time.Duration
		kind    error
		is      error
		says    string
	}
	background := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	within := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	for name, c := range map[string]outcome{
		"defaults": {
			context: background, after: 30 * time.Second, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "our limit of 30s",
		},
		"our limit of a call": {
			cfg: app.Config{Timeout: 3 * time.Second}, context: background,
			after: 3 * time.Second, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "our limit of 3s for a call",
		},
		"our limit of a store call": {
			cfg: app.Config{StoreTimeout: 2 * time.Second}, context: background,
			after: 2 * time.Second, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "our limit of 2s for one call of a store",
		},
		"a shorter deadline of the caller": {
			context: within(time.Second),
			after:   time.Second, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "the caller's deadline passed",
		},
		"a longer deadline of the caller": {
			cfg: app.Config{StoreTimeout: time.Hour}, context: within(time.Minute),
			after: time.Minute, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "the caller's deadline passed",
		},
		"a store's limit under the caller's": {
			context: within(time.Minute),
			after:   30 * time.Second, kind: ports.ErrTimeout, is: context.DeadlineExceeded, says: "store_timeout",
		},
		"cancelled": {
			context: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
			after: time.Second, kind: ports.ErrCanceled, is: context.Canceled, says: "interrupted",
		},
	} {
		for call, script := range hang {
			t.Run(name+"/"+call, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					defer close(release)
					store, md := holding(t, sound(t, 0, 9), c.cfg)
					script(store, release)
					ctx, cancel := c.context(t.Context())
					defer cancel()
					start := time.Now()
					r, err := md.Fetch(ctx, domain.DataRequest{Key: key})
					if took := time.Since(start); took < c.after || took > c.after+soon {
						t.Errorf("returned after %s, want %s", took, c.after)
					}
					if !errors.Is(err, c.kind) || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("got %v, want %v that says %q", err, c.kind, c.says)
					}
					if e := (*ports.Error)(nil); !errors.As(err, &e) || e.Store != "test" || e.Subject != key.String() {
						t.Errorf("not a *ports.Error of the store: %#v", err)
					}
					if r.Series.Len() > 0 {
						t.Error("bars came with the error")
					}
				})
			})
		}
	}
}

func TestHangingWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		store, md := holding(t, sound(t, 0, 1), app.Config{Timeout: time.Second})
		store.write = func(context.Context) (ports.WriteReport, error) { <-release; return ports.WriteReport{}, nil }
		_, err := md.Ingest(t.Context(), sound(t, 1, 2), domain.Range{}, ports.ConflictReplace)
		if !errors.Is(err, ports.ErrTimeout) || !strings.HasPrefix(err.Error(), "test: ingest BTC/USD 1m: ") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNoCallAfterTheDeadline(t *testing.T) {
	t.Parallel()
	md := untouchable(t, app.Config{})
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := md.Fetch(ctx, domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrTimeout) {
		t.Errorf("fetch: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := md.Ingest(ctx, sound(t, -5, -1), domain.Range{}, ports.ConflictReplace); !errors.Is(err, ports.ErrCanceled) {
		t.Errorf("ingest: %v", err)
	}
}

func TestStoresOwnWordOnADeadlineIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, md := holding(t, sound(t, 0, 9), app.Config{})
		store.extents = func(ctx context.Context) ([]domain.Extent, error) {
			<-ctx.Done()
			return nil, &ports.Error{Kind: ports.ErrTimeout, Op: "read extents", Phase: ports.PhaseAcquire, Err: ctx.Err()}
		}
		_, err := md.Fetch(t.Context(), domain.DataRequest{Key: key})
		if e := (*ports.Error)(nil); !errors.As(err, &e) || !errors.Is(e.Kind, ports.ErrTimeout) || e.Phase != ports.PhaseAcquire {
			t.Errorf("got %#v", err)
		}
	})
}

func TestKindsOfAStoreAreKept(t *testing.T) {
	t.Parallel()
	for _, kind := range []error{
		ports.ErrInvalid, ports.ErrTooLarge, ports.ErrTimeout, ports.ErrCanceled, ports.ErrUnavailable, ports.ErrOverloaded,
		ports.ErrAuth, ports.ErrPermission, ports.ErrSchema, ports.ErrCorruptData, ports.ErrIncomplete, ports.ErrInternal,
	} {
		store, md := holding(t, sound(t, 0, 9), app.Config{})
		cause := io.ErrNoProgress
		for name, given := range map[string]error{
			"ours":    &ports.Error{Kind: kind, Op: "read bars", Store: "db", Phase: ports.PhaseRead, Err: cause},
			"wrapped": errors.Join(kind, cause),
		} {
			store.read = func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] {
				return func(yield func(domain.Series, error) bool) {
					if yield(sound(t, 0, 2), nil) {
						yield(domain.Series{}, given)
					}
				}
			}
			r, err := md.Fetch(t.Context(), domain.DataRequest{Key: key})
			if e := (*ports.Error)(nil); !errors.As(err, &e) || !errors.Is(e.Kind, kind) || e.Store != "test" || e.Op != "fetch" {
				t.Errorf("%v %s: got %#v", kind, name, err)
			}
			if !errors.Is(err, kind) || !errors.Is(err, cause) || r.Series.Len() > 0 {
				t.Errorf("%v %s: got %v and %s", kind, name, err, r.Series)
			}
		}
	}
}

func TestErrorWithoutAKindIsInternal(t *testing.T) {
	t.Parallel()
	store, md := holding(t, sound(t, 0, 9), app.Config{})
	store.symbols = func(context.Context) ([]domain.SymbolMeta, error) { return nil, io.ErrUnexpectedEOF }
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrInternal) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an outage of the catalog: %v", err)
	}
}

func TestPanicOfAStore(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	store, md := holding(t, sound(t, 0, 9), app.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	store.read = func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] { panic("no such column") }
	_, err := md.Fetch(t.Context(), domain.DataRequest{Key: key})
	p := (*ports.PanicError)(nil)
	if !errors.Is(err, ports.ErrInternal) || !errors.As(err, &p) || !bytes.Contains(p.Stack, []byte("TestPanicOfAStore")) {
		t.Fatalf("got %v", err)
	}

	if strings.Contains(err.Error(), "goroutine") || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("the message is %q", err)
	}
	if text := log.String(); !strings.Contains(text, "TestPanicOfAStore") || strings.Count(text, "store panicked") != 1 {
		t.Errorf("the log says %q", text)
	}
}

func TestStoreThatIgnoresCancellationIsLogged(t *testing.T) {
	t.Parallel()
	for late, logged := range map[time.Duration]bool{200 * time.Millisecond: false, time.Minute: true} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			store, md := holding(t, sound(t, 0, 9), app.Config{Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			store.extents = func(ctx context.Context) ([]domain.Extent, error) {
				<-ctx.Done()
				time.Sleep(late) // in the bubble's time
				return nil, ctx.Err()
			}
			if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrTimeout) {
				t.Errorf("got %v", err)
			}
			time.Sleep(2 * late)
			synctest.Wait()
			if got := strings.Contains(log.String(), "ignored a canceled call"); got != logged {
				t.Errorf("late by %s, and the log says %q", late, log.String())
			}
		})
	}
}
