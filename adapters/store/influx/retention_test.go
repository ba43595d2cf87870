package influx_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// hourlyBars returns a bar for each hour from the start.
func hourlyBars(tb testing.TB, start time.Time, n int) domain.Series {
	tb.Helper()
	all := make([]domain.Bar, n)
	for i := range all {
		all[i] = domain.Bar{OpenTime: start.Add(time.Duration(i) * time.Hour), Trades: 1}
	}

	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	s, err := domain.NewSeries(key, all...)
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// TestBarsBeyondRetention writes bars of which the retention policy does not keep the first. The server itself accepts
// such a bar if it has a shard for the time, and drops it later.
func TestBarsBeyondRetention(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	s := openStore(t, configOf(server))
	start := time.Now().UTC().Truncate(time.Hour).Add(-48 * time.Hour)
	all := hourlyBars(t, start, 48)
	server.SetRetention(t, 24*time.Hour)
	if got, err := s.Retention(t.Context()); err != nil || got != 24*time.Hour {
		t.Errorf("retention: got %s, %v", got, err)
	}

	_, writeErr := ports.WriteBars(t.Context(), s, all, all.Range(), ports.ConflictReplace)
	_, replaceErr := s.ReplaceBars(t.Context(), all, all.Range())
	for _, err := range []error{writeErr, replaceErr} {
		if !errors.Is(err, ports.ErrInvalid) {
			t.Fatalf("got %v", err)
		}

		for _, part := range []string{"24h0m0s", start.Format(time.RFC3339), "write newer bars only"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not contain %q", err, part)
			}
		}
	}
	if got, err := readAll(t, s, queryOf(all)); err != nil || got.Len() != 0 {
		t.Errorf("a refused write: got %s, %v", got, err)
	}

	newer := all.Slice(30, 48)
	write(t, s, newer)
	if got, err := readAll(t, s, queryOf(all)); err != nil || !got.Equal(newer) {
		t.Errorf("newer bars: got %s, %v", got, err)
	}
	if _, err := s.ReplaceBars(t.Context(), newer, all.Range()); err != nil {
		t.Errorf("newer bars for an older range: %v", err)
	}

	server.SetRetention(t, 0)
	if got, err := s.Retention(t.Context()); err != nil || got != 0 {
		t.Errorf("infinite retention: got %s, %v", got, err)
	}
	write(t, s, all)
	if got, err := readAll(t, s, queryOf(all)); err != nil || !got.Equal(all) {
		t.Errorf("infinite retention: got %s, %v", got, err)
	}
}

// policies encodes the result of SHOW RETENTION POLICIES: one policy of each name with its duration, the first of them
// the default.
func policies(namesAndDurations ...string) []byte {
	var rows [][]byte
	for i := 0; i < len(namesAndDurations); i += 2 {
		isDefault := mpFalse
		if i == 0 {
			isDefault = mpTrue
		}
		name, duration := mpText(namesAndDurations[i]), mpText(namesAndDurations[i+1])
		rows = append(rows, mpArray(name, duration, mpText("168h0m0s"), mpInt(1), isDefault))
	}
	columns := []string{"name", "duration", "shardGroupDuration", "replicaN", "default"}

	return document(result(0, false, mpMap(mpText("columns"), mpTexts(columns), mpText("values"), mpArray(rows...))))
}

// TestRetentionPolicyIsChosen writes an old bar on servers with several retention policies.
func TestRetentionPolicyIsChosen(t *testing.T) {
	t.Parallel()
	old, recent := minuteBars(t, recordedKey, 1), hourlyBars(t, time.Now().UTC().Truncate(time.Hour), 1)
	for name, c := range map[string]struct {
		policy string
		body   []byte
		kind   error // of the write of the old bar
		says   string
	}{
		"default":      {"", policies("forever", "0s", "month", "720h0m0s"), ports.ErrUnavailable, "do not show"},
		"short":        {"", policies("month", "720h0m0s", "forever", "0s"), ports.ErrInvalid, "month keeps bars for 720h"},
		"named":        {"month", policies("forever", "0s", "month", "720h0m0s"), ports.ErrInvalid, "policy month"},
		"none":         {"", document(result(0, false)), ports.ErrUnavailable, "do not show"},
		"malformed":    {"", policies("forever", "a month"), ports.ErrIncomplete, "duration"},
		"error":        {"", document(errorDocument("user requires READ")), ports.ErrPermission, "READ"},
		"not_complete": {"", policies("forever", "0s")[:50], ports.ErrIncomplete, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policyReads, writes := 0, 0
			cfg := influx.Config{RetentionPolicy: c.policy}
			s := fakeStore(t, cfg, func(r *http.Request) (*http.Response, error) {
				if err := r.ParseForm(); err != nil {
					return nil, err
				}

				switch {
				case r.PostForm.Get("q") == "SHOW RETENTION POLICIES":
					policyReads++
					return response(r, http.StatusOK, c.body), nil
				case r.URL.Path != "/query":
					writes++
				}

				return response(r, http.StatusOK, document(result(0, false))), nil
			})
			_, err := ports.WriteBars(t.Context(), s, old, old.Range(), ports.ConflictReplace)
			isWritten := errors.Is(c.kind, ports.ErrUnavailable) // because no read of this server shows a write
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || (writes > 0) != isWritten {
				t.Errorf("got %v after %d writes, want %v with %q", err, writes, c.kind, c.says)
			}
			if policyReads != 1 {
				t.Errorf("the policy was read %d times", policyReads)
			}

			_, _ = ports.WriteBars(t.Context(), s, recent, recent.Range(), ports.ConflictReplace)
			if policyReads != 1 {
				t.Error("the write of a recent bar read the policy")
			}
		})
	}
}

// TestBucketRetention reads the retention rules of buckets on 2.x.
func TestBucketRetention(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   time.Duration
		kind   error
	}{
		"finite":       {200, `{"buckets":[{"name":"b","retentionRules":[{"everySeconds":7200}]}]}`, 2 * time.Hour, nil},
		"infinite":     {200, `{"buckets":[{"name":"b","retentionRules":[]}]}`, 0, nil},
		"zero":         {200, `{"buckets":[{"name":"b","retentionRules":[{"everySeconds":0}]}]}`, 0, nil},
		"not_readable": {200, `{"buckets":[]}`, 0, nil},
		"no_api":       {404, ``, 0, nil},
		"unauthorized": {401, `{"code":"unauthorized","message":"unauthorized access"}`, 0, ports.ErrAuth},
		"cut":          {200, `{"buckets":[`, 0, ports.ErrIncomplete},
		"busy":         {503, ``, 0, ports.ErrOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := influx.Config{Org: "desk", Bucket: "b"}
			s := fakeStore(t, cfg, func(r *http.Request) (*http.Response, error) {
				if got := fmt.Sprint(r.URL.Path, "?", r.URL.RawQuery); got != "/api/v2/buckets?name=b&org=desk" {
					t.Errorf("requested %s", got)
				}
				return response(r, c.status, []byte(c.body)), nil
			})
			if got, err := s.Retention(t.Context()); got != c.want || !errors.Is(err, c.kind) {
				t.Errorf("got %s, %v; want %s, %v", got, err, c.want, c.kind)
			}
		})
	}
}
