package asynclog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/wiring/internal/asynclog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHandler proves that the handler gets what a caller logged.
func TestHandler(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var closeLogger func()
	slogtest.Run(t, func(*testing.T) slog.Handler {
		log.Reset()
		logger, f := asynclog.New(slog.New(slog.NewJSONHandler(&log, nil)))
		closeLogger = f

		return logger.Handler()
	}, func(t *testing.T) map[string]any {
		closeLogger()
		m := map[string]any{}
		if err := json.Unmarshal(log.Bytes(), &m); err != nil {
			t.Fatal(err)
		}

		return m
	})
}

// gate is a handler that blocks until it is opened, and panics on request.
type gate struct {
	slog.Handler
	opened chan struct{}
}

func (g gate) Handle(ctx context.Context, r slog.Record) error {
	<-g.opened
	if r.Message == "panic" {
		panic(r.Message)
	}

	return g.Handler.Handle(ctx, r)
}

// TestBlockedHandler proves that no caller waits for a handler that blocks, that the messages it could not take are
// counted, and that closing does not wait for it.
func TestBlockedHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := gate{slog.NewTextHandler(&log, nil), make(chan struct{})}
		logger, closeLogger := asynclog.New(slog.New(g))
		began := time.Now()
		for range 2000 {
			logger.Warn("slow query")
			synctest.Wait()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("logging took %s", took)
		}

		closeLogger()
		if took := time.Since(began); took != 250*time.Millisecond {
			t.Errorf("closing took %s, want 250ms", took)
		}

		close(g.opened)
		synctest.Wait()
		if got := strings.Count(log.String(), "slow query"); got != 1025 { // one with the handler, the others waited
			t.Errorf("%d messages were logged, want 1025", got)
		}
		if !strings.Contains(log.String(), "messages=975") {
			t.Error("no message tells how many were discarded")
		}
	})
}

// TestPanickingHandler proves that a handler that panics ends neither the program nor the logging.
func TestPanickingHandler(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := gate{slog.NewTextHandler(&log, nil), make(chan struct{})}
	close(g.opened)
	logger, closeLogger := asynclog.New(slog.New(g))
	logger.Warn("panic")
	logger.Warn("after it")
	closeLogger()
	if got := log.String(); !strings.Contains(got, "messages=1") || !strings.Contains(got, "after it") {
		t.Errorf("logged %q", got)
	}
}

// TestNoLogger proves that no logger stays none.
func TestNoLogger(t *testing.T) {
	t.Parallel()
	logger, closeLogger := asynclog.New(nil)
	defer closeLogger()
	if logger != nil {
		t.Errorf("got %v, want nil", logger)
	}
}
