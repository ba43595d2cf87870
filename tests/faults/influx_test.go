//go:build unix

package faults_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// scripted is a transport to an InfluxDB that fails the next requests.
type scripted struct {
	http.Transport
	failures atomic.Int64 // how many of the next requests fail
	failed   atomic.Int64 // how many have failed
	fail     func(r *http.Request) (*http.Response, error)
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.failures.Add(-1) >= 0 {
		s.failed.Add(1)
		return s.fail(r)
	}

	return s.Transport.RoundTrip(r)
}

// refuse is a server that is not there.
func refuse(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// respond returns a response without a body.
func respond(status int, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		header := http.Header{"X-Influxdb-Version": {"1.8.10"}}
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}

		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: header,
			Body: io.NopCloser(strings.NewReader("")),
		}, nil
	}
}

// openScripted opens the wiring of production on real servers, with some minutes in InfluxDB.
func openScripted(t *testing.T) (*scripted, *app.Service, domain.Series) {
	t.Helper()
	server := servers.Influx(t)
	transport := &scripted{}
	client := influxdb2.NewClientWithOptions(server.URL, server.Token,
		influxdb2.DefaultOptions().SetHTTPClient(&http.Client{Transport: transport}))
	t.Cleanup(func() {
		client.Close()
		transport.CloseIdleConnections()
	})
	cfg := pgConfig(servers.Postgres(t))
	cfg.Influx = wiring.Influx{
		URL: server.URL, Token: secret.New(server.Token), Database: server.Database, Org: server.Org, Bucket: server.Bucket,
	}
	md, closeAll, err := production.Open(t.Context(), cfg, production.Options{InfluxClient: client})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeAll)
	minutes := gen.Walk("BTC/USD", 10)
	if _, err := md.Ingest(t.Context(), minutes, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	return transport, md, minutes
}

// TestInfluxFails proves that a read of InfluxDB is tried three times where that helps, after what the server asks for.
func TestInfluxFails(t *testing.T) {
	t.Parallel()
	const always = 1 << 30
	huge := respond(503, "Retry-After", "1000000000")
	inTwoSeconds := func(r *http.Request) (*http.Response, error) {
		return respond(503, "Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))(r)
	}
	for name, c := range map[string]struct {
		fail     func(*http.Request) (*http.Response, error)
		failures int64
		kind     error // nil: the bars
		tries    int64
		least    time.Duration // what it takes at least
		most     time.Duration // and at most, on a quiet machine
		deadline time.Duration
	}{
		"I1/refused once": {fail: refuse, failures: 1, tries: 1, most: time.Second},
		"I1/refused":      {fail: refuse, failures: always, kind: ports.ErrUnavailable, tries: 3, most: time.Second},
		"I3/500": {
			fail:     respond(500, "X-Influxdb-Error", "database not found: x"),
			failures: always, kind: ports.ErrSchema, tries: 1, most: time.Second,
		},
		"I5/429 integer": {
			fail: respond(429, "Retry-After", "1"), failures: 1, tries: 1, least: time.Second, most: 2 * time.Second,
		},
		"I5/503 date": {
			fail: inTwoSeconds, failures: 1, tries: 1, least: 900 * time.Millisecond, most: 3 * time.Second,
		},
		"I5/503 absent": {fail: respond(503), failures: 2, tries: 2, most: time.Second},
		"I5/503 huge":   {fail: huge, failures: 1, tries: 1, least: 2 * time.Second, most: 3 * time.Second},
		"I5/503 deadline": {
			fail: huge, failures: always, kind: ports.ErrOverloaded, tries: 1, most: time.Second,
			deadline: 1500 * time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport, md, minutes := openScripted(t)
			ctx := t.Context()
			if c.deadline > 0 {
				limited, cancel := context.WithTimeout(ctx, c.deadline)
				defer cancel()
				ctx = limited
			}
			transport.fail = c.fail
			transport.failures.Store(c.failures)
			r := minutes.Range()
			began := time.Now()
			got, err := md.Fetch(ctx, domain.DataRequest{Key: minutes.Key(), Start: r.Start, End: r.End})
			took := time.Since(began)
			switch {
			case c.kind == nil && (err != nil || !got.Series.Equal(minutes)):
				t.Errorf("got %v, %v", got.Series, err)
			case c.kind != nil && !errors.Is(err, c.kind):
				t.Errorf("got %v, want %v", err, c.kind)
			}
			if n := transport.failed.Load(); n != c.tries {
				t.Errorf("%d requests failed, want %d", n, c.tries)
			}
			if took < c.least || took > c.most+slack {
				t.Errorf("took %s, want %s to %s", took, c.least, c.most)
			}
		})
	}
}

// TestInfluxHangs proves that reads of a server that accepts connections and answers nothing end long before the default
// deadline, and that the circuit breaker then refuses further ones at once.
func TestInfluxHangs(t *testing.T) {
	t.Parallel()
	t.Run("I1/hung", func(t *testing.T) {
		t.Parallel()
		const (
			limit = 10 * time.Second // until the response begins
			calls = 20               // that open the circuit breaker
		)
		transport, md, minutes := openScripted(t)
		transport.fail = func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}
		transport.failures.Store(1 << 30)
		r := minutes.Range()
		read := func() error {
			_, err := md.Fetch(t.Context(), domain.DataRequest{Key: minutes.Key(), Start: r.Start, End: r.End, Fresh: true})
			return err
		}
		wantWithin(t, "a read of a server that hangs", limit+grace+slack, func() {
			var running sync.WaitGroup
			for i := range calls {
				running.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond) // so that they are not one read
					if err := read(); !errors.Is(err, ports.ErrTimeout) {
						t.Errorf("read: %v", err)
					}
				})
			}
			running.Wait()
		})
		wantWithin(t, "a read that the circuit breaker refuses", grace, func() {
			from := (*ports.Error)(nil)
			if err := read(); !errors.Is(err, ports.ErrUnavailable) || !errors.As(err, &from) || from.RetryAfter == 0 {
				t.Errorf("after %d reads that ended: %v", calls, err)
			}
		})
	})
}
