package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// auditLog collects records.
type auditLog struct{ bytes.Buffer }

func (l *auditLog) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&l.Buffer, nil)) }

// records returns the records of one level, without their time.
func (l *auditLog) records(t *testing.T, level string) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["level"] == level {
			records = append(records, record)
		}
	}

	return records
}

// TestAudit proves that each request that reads or writes has one record, with what was requested and the outcome, and
// one measurement.
func TestAudit(t *testing.T) {
	t.Parallel()
	var log auditLog
	var measured telemetryLog
	m := setup(t, noon, app.Config{Audit: true, Logger: log.logger(), Telemetry: &measured})
	ctx, bars := t.Context(), sound(t, -9, -4)
	request := domain.DataRequest{Key: key, Start: at(-9), End: at(-4)}
	ticks := domain.TickRequest{Symbol: key.Symbol}
	for _, c := range []struct {
		op      string
		rows    float64
		outcome string
		run     func() error
	}{
		{"ingest", 5, "ok", func() error { _, err := m.Ingest(ctx, bars, bars.Range(), ports.ConflictFail); return err }},
		{"ingest", 5, "ok", func() error {
			return m.IngestBatch(ctx, []ports.BarWrite{{Bars: bars, Coverage: bars.Range()}})[0].Err
		}},
		{"replace", 5, "ok", func() error { _, err := m.Replace(ctx, bars, bars.Range()); return err }},
		{"fetch", 5, "ok", func() error { _, err := m.Fetch(ctx, request); return err }},
		{"fetch", 5, "ok", func() error { return m.FetchMany(ctx, []domain.DataRequest{request})[0].Err }},
		{"stream", 5, "ok", func() error {
			pieces, _ := m.Stream(ctx, request)
			_, err := ports.Collect(pieces)
			return err
		}},
		{"explain", 0, "ok", func() error { _, err := m.Explain(ctx, request); return err }},
		{"describe", 0, "ok", func() error { _, err := m.Describe(ctx, key.Symbol); return err }},
		{"validate symbol", 0, "not found", func() error { return m.ValidateSymbol(ctx, "NONE") }},
		{"set symbols", 0, "ok", func() error { return m.SetSymbols(ctx, domain.NewSymbolMeta("ETH/USD")) }},
		{"remove symbol", 0, "ok", func() error { return m.RemoveSymbol(ctx, "ETH/USD") }},
		{"fetch trades", 0, "invalid", func() error { _, err := m.FetchTrades(ctx, ticks); return err }},
		{"fetch quotes", 0, "invalid", func() error { _, err := m.FetchQuotes(ctx, ticks); return err }},
		{"stream trades", 0, "invalid", func() error {
			pieces, _ := m.StreamTrades(ctx, ticks)
			_, err := ports.Collect(pieces)
			return err
		}},
		{"stream quotes", 0, "invalid", func() error {
			pieces, _ := m.StreamQuotes(ctx, ticks)
			_, err := ports.Collect(pieces)
			return err
		}},
		{"delete trades", 0, "invalid", func() error { _, err := m.DeleteTrades(ctx, key.Symbol, span(-9, -4)); return err }},
		{"delete quotes", 0, "invalid", func() error { _, err := m.DeleteQuotes(ctx, key.Symbol, span(-9, -4)); return err }},
		{"touch", 0, "invalid", func() error { return m.Touch(ctx, key) }},
		{"uncover", 0, "ok", func() error { _, err := m.Uncover(ctx, key, span(-9, -8)); return err }},
		{"delete", 4, "ok", func() error { _, err := m.Delete(ctx, key, span(-9, -4)); return err }},
		{"drop partitions", 0, "ok", func() error { _, err := m.DropPartitions(ctx, noon); return err }},
	} {
		log.Reset()
		err := c.run()
		records := log.records(t, "INFO")
		if len(records) != 1 || len(log.records(t, "WARN")) != 0 {
			t.Errorf("%s: %d records: %s", c.op, len(records), log.String())
			continue
		}
		if r := records[0]; r["msg"] != "audit" || r["op"] != c.op || r["rows"] != c.rows || r["outcome"] != c.outcome ||
			(err == nil) != (c.outcome == "ok") {
			t.Errorf("%s: %v, %v; want %v rows, %s", c.op, r, err, c.rows, c.outcome)
		}
	}

	if got, want := measured.requests(), []string{
		"ingest minutes: 5 ok", "ingest batch : 5 ok", "replace minutes: 5 ok", "fetch minutes: 5 ok", "fetch many : 5 ok",
		"stream minutes: 5 ok", "explain minutes: 0 ok", "describe : 0 ok", "validate symbol : 0 not found",
		"set symbols : 0 ok", "remove symbol : 0 ok", "fetch trades ticks: 0 invalid", "fetch quotes ticks: 0 invalid",
		"stream trades ticks: 0 invalid", "stream quotes ticks: 0 invalid", "delete trades ticks: 0 invalid",
		"delete quotes ticks: 0 invalid", "touch minutes: 0 invalid", "uncover minutes: 0 ok", "delete minutes: 4 ok",
		"drop partitions : 0 ok",
	}; !slices.Equal(got, want) {
		t.Errorf("measured %q; want %q", got, want)
	}

	log.Reset()
	if _, err := m.Fetch(ctx, request); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"symbol": "BTC/USD", "frequency": "1m", "price": "trade",
		"start": "2024-03-04T11:51:00Z", "end": "2024-03-04T11:56:00Z",
	} {
		if got := log.records(t, "INFO")[0][name]; got != want {
			t.Errorf("%s is %v; want %s", name, got, want)
		}
	}
}

func TestAuditIsOff(t *testing.T) {
	t.Parallel()
	var log auditLog
	m := setup(t, noon, app.Config{Logger: log.logger()})
	bars := sound(t, -9, -4)
	if _, err := m.Ingest(t.Context(), bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fetch(t.Context(), domain.DataRequest{Key: key}); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateSymbol(t.Context(), "NONE"); !errors.Is(err, ports.ErrNotFound) || log.Len() > 0 {
		t.Errorf("%v; logged %s", err, log.String())
	}
}

// TestSuspiciousRequests proves that requests that look like an attack are counted by their kind and recorded, without
// the audit, and that no text of theirs can harm the log.
func TestSuspiciousRequests(t *testing.T) {
	t.Parallel()
	var log auditLog
	m := setup(t, noon, app.Config{Logger: log.logger()})
	ctx := t.Context()
	hostile := "A'; DROP\x1b[2J\u202e\n\xff--" + strings.Repeat("x", 10<<20)
	year := func(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }
	named := func(symbol string) domain.SeriesKey {
		return domain.SeriesKey{Symbol: domain.Symbol(symbol), Grid: key.Grid}
	}
	_, symbol := m.Fetch(ctx, domain.DataRequest{Key: named(hostile)})
	metas := m.SetSymbols(ctx, domain.NewSymbolMeta(domain.Symbol(hostile)))
	_, reversed := m.Fetch(ctx, domain.DataRequest{Key: key, Start: at(0), End: at(-1)})
	_, far := m.Delete(ctx, key, domain.Range{Start: year(2020), End: year(12000)})
	_, huge := m.Fetch(ctx, domain.DataRequest{Key: key, Last: 1 << 40})
	_, first := m.Fetch(ctx, domain.DataRequest{Key: key, First: -1})
	for _, err := range []error{symbol, metas, reversed, far, huge, first} {
		if err == nil {
			t.Fatal("a request is not refused")
		}
	}

	diagnosis, err := m.Diagnose(ctx)
	if want := (ports.SuspiciousRequests{RefusedSymbols: 2, RefusedRanges: 3}); err != nil || diagnosis.Suspicious != want {
		t.Errorf("counted %+v, %v; want %+v", diagnosis.Suspicious, err, want)
	}
	records := log.records(t, "WARN")
	var got []string
	for _, r := range records {
		got = append(got, r["op"].(string)+": "+r["kind"].(string))
		for name, value := range r {
			text, _ := value.(string)
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\u202e\n") || len(text) > 300 {
				t.Errorf("%s of %d bytes: %.300q", name, len(text), text)
			}
		}
	}
	want := "fetch: refused symbol, set symbols: refused symbol, fetch: refused range, delete: refused range, fetch: refused range"
	if all := strings.Join(got, ", "); all != want {
		t.Errorf("recorded %s; want %s", all, want)
	}
}

// An error of a store that denies is counted.
func TestDeniedRequests(t *testing.T) {
	t.Parallel()
	var log auditLog
	s, md := holding(t, sound(t, 0, 5), app.Config{Logger: log.logger()})
	s.extents = func(context.Context) ([]domain.Extent, error) {
		return nil, &ports.Error{Kind: ports.ErrPermission, Op: "extents", Store: "test", Err: errors.New("the password is PLANTED")}
	}
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrPermission) {
		t.Fatal(err)
	}

	diagnosis, err := md.Diagnose(t.Context())
	if want := (ports.SuspiciousRequests{Denied: 1}); err != nil || diagnosis.Suspicious != want {
		t.Errorf("counted %+v, %v", diagnosis.Suspicious, err)
	}
	if r := log.records(t, "WARN"); len(r) != 1 || r[0]["kind"] != "permission" || r[0]["store"] != "test" ||
		r[0]["outcome"] != "permission" || strings.Contains(log.String(), "PLANTED") {
		t.Errorf("recorded %v", log.String())
	}
}

// TestAttackDoesNotFloodTheLog proves that the records of an attack are few, and the counter exact. With the audit, each
// request has its record.
func TestAttackDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, isOn := range []bool{false, true} {
			var log auditLog
			m := setup(t, noon, app.Config{Logger: log.logger(), Audit: isOn})
			attack := func(n int) {
				for range n {
					_ = m.ValidateSymbol(t.Context(), "'")
				}
			}
			attack(1000)
			if n := len(log.records(t, "WARN")); n != 20 {
				t.Errorf("%d records of a burst, not 20", n)
			}
			time.Sleep(3 * time.Second)
			attack(1000)
			warned, all := log.records(t, "WARN"), len(log.records(t, "INFO"))+len(log.records(t, "WARN"))
			if len(warned) != 23 || warned[22]["count"] != 1003. {
				t.Errorf("%d records after three more seconds, the last %v; not 23", len(warned), warned[len(warned)-1])
			}
			if isOn && all != 2000 || !isOn && all != 23 {
				t.Errorf("audit %t: %d records", isOn, all)
			}
			if d, err := m.Diagnose(t.Context()); err != nil || d.Suspicious.RefusedSymbols != 2000 {
				t.Errorf("counted %+v, %v", d.Suspicious, err)
			}
		}
	})
}
