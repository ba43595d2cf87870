package influx_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// version returns n bars whose numbers all equal the number in text.
func version(tb testing.TB, key domain.SeriesKey, n int, text string, trades int64) domain.Series {
	tb.Helper()
	number, err := domain.ParseDecimal(text)
	if err != nil {
		tb.Fatal(err)
	}

	b := domain.NewSeriesBuilder(key, n)
	for i := range n {
		err := b.Append(domain.Bar{OpenTime: recordedStart.Add(time.Duration(i) * time.Minute),
			Open: number, High: number, Low: number, Close: number, Volume: number, Trades: trades})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// writeFieldByField sends a write as several requests, one for each field, in random order. The server itself writes
// field by field; the requests make that visible for longer.
func writeFieldByField(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/write") {
		return http.DefaultTransport.RoundTrip(r)
	}

	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}

	parts := map[string][]byte{}
	for line := range bytes.Lines(body) {
		head, rest, _ := bytes.Cut(line, []byte{' '})
		end := bytes.LastIndexByte(rest, ' ')
		for field := range bytes.SplitSeq(rest[:end], []byte{','}) {
			name, _, _ := strings.Cut(string(field), "=")
			parts[name] = slices.Concat(parts[name], head, []byte{' '}, field, rest[end:])
		}
	}

	var response *http.Response
	for _, part := range parts { // in random order
		if response != nil {
			_ = response.Body.Close()
		}
		request := r.Clone(r.Context())
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(part)), int64(len(part))
		response, err = http.DefaultTransport.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusNoContent {
			break
		}
	}

	return response, err
}

// TestReadWhileOverwritten overwrites bars field by field, with numbers that survive a float and with others, while
// readers of another store, as of another process, read them. What they read must be of one version, although InfluxDB
// has bars with fields of two: the ledger has uncovered the range meanwhile.
func TestReadWhileOverwritten(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	slow := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(), influxdb2.DefaultOptions().
		SetApplicationName("test").SetHTTPClient(&http.Client{Transport: roundTrip(writeFieldByField)}))
	t.Cleanup(slow.Close)
	shared := ledgertest.NewMemory()
	writer := ingest.WithLedger(influx.Name, "writer", newStore(t, slow, cfg), shared)
	reader := ingest.WithLedger(influx.Name, "reader", openStore(t, cfg), shared)
	texts := []string{"1", "2.5", "12345678901234567890.123456789012345678", "12345678901234567890.5"}
	var reads atomic.Int64
	for round := range 8 { // each round inserts new bars
		const n = 20
		key := domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("COIN%d/USD", round)), Grid: domain.Minute1.UTC()}
		var versions []domain.Series
		for i := range texts {
			versions = append(versions, version(t, key, n, texts[(round+i)%len(texts)], int64(i%3)))
		}
		write(t, writer, versions[0])
		ctx, done := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for _, c := range []struct {
			from ports.BarReader
			last int
		}{{reader, 0}, {reader, n / 2}, {inBatch{reader}, 0}, {inBatch{reader}, n / 2}} {
			q := queryOf(versions[0])
			q.Last = c.last
			readers.Go(func() {
				for ctx.Err() == nil {
					switch got, err := readVersion(ctx, c.from, q, versions); {
					case err == nil && got == cmp.Or(c.last, n):
						reads.Add(1)
					case ctx.Err() == nil && !errors.Is(err, ports.ErrConflict): // each try met another write
						t.Errorf("%d bars, %v", got, err)
					}
				}
			})
		}

		for _, v := range versions[1:] {
			report, err := ports.WriteBars(t.Context(), writer, v, v.Range(), ports.ConflictReplace)
			if err != nil || report != (ports.WriteReport{Changed: n}) {
				t.Errorf("%s: %+v, %v", v, report, err)
			}
		}

		done()
		readers.Wait()
	}

	if reads.Load() == 0 {
		t.Error("no read succeeded")
	}
}

// errNeverWritten reports a wrong result.
var errNeverWritten = errors.New("bars that were never stored together")

// readVersion returns how many bars the query has. It returns an error if they are not all of one of the versions.
func readVersion(
	ctx context.Context, s ports.BarReader, q ports.BarQuery, versions []domain.Series,
) (n int, err error) {
	for piece, err := range s.ReadBars(ctx, q).Rows() {
		if err != nil {
			return n, err
		}

		versions = slices.DeleteFunc(slices.Clone(versions), func(v domain.Series) bool {
			return !v.Clip(piece.Range()).Equal(piece)
		})
		if n += piece.Len(); len(versions) == 0 {
			return n, fmt.Errorf("%w: %s", errNeverWritten, piece)
		}
	}

	return n, nil
}

// TestConcurrentWritersOfTheSameBars overwrites the same bars from two processes. A write afterwards must succeed.
func TestConcurrentWritersOfTheSameBars(t *testing.T) {
	t.Parallel()
	const n, writes = 50, 15
	cfg := config(t)
	versions := []domain.Series{version(t, recordedKey, n, "1", 1), version(t, recordedKey, n, "2.5", 2)}
	var writers sync.WaitGroup
	for _, v := range versions {
		s := openStore(t, cfg)
		writers.Go(func() {
			for range writes {
				// The other writer may win every attempt; then the error must say so.
				_, err := ports.WriteBars(t.Context(), s, v, v.Range(), ports.ConflictReplace)
				if err != nil && !errors.Is(err, ports.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}

	writers.Wait()
	s := openStore(t, cfg)
	write(t, s, versions[0]) // repairs the bars of two writers that both failed
	if got, err := readAll(t, s, queryOf(versions[0])); err != nil || !got.Equal(versions[0]) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestReadResumesAtIncompleteBar reads bars that are incomplete at first. The bars before them must not be read again.
func TestReadResumesAtIncompleteBar(t *testing.T) {
	t.Parallel()
	complete := func(n int) []byte { return barRow(n, nil) }
	incomplete := func(n int) []byte { return barRow(n, map[int][]byte{4: mpNil}) }
	for _, c := range []struct {
		last      int
		responses [][]byte
	}{
		{0, [][]byte{
			bars(complete(0), incomplete(1), complete(2)), bars(incomplete(1)), bars(complete(1), complete(2)),
		}},
		{3, [][]byte{
			bars(complete(2), incomplete(1)), bars(complete(1), incomplete(0)), bars(complete(0)),
		}},
	} {
		t.Run(fmt.Sprintf("last_%d", c.last), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				responses := c.responses
				s := fakeStore(t, influx.Config{ChunkSize: 1}, func(r *http.Request) (*http.Response, error) {
					body := responses[0]
					responses = responses[1:]
					return response(r, http.StatusOK, body), nil
				})
				q := recordedQuery
				q.Last = c.last
				got, err := readAll(t, s, q)
				if err != nil || got.Len() != 3 || !got.OpenTime(0).Equal(recordedStart) || len(responses) != 0 {
					t.Errorf("%s, %v, %d responses not requested", got, err, len(responses))
				}
			})
		})
	}
}

// TestIncompleteBarIsCorrupt reads a bar that stays incomplete. The read must fail within a second, and at once when
// the context is done.
func TestIncompleteBarIsCorrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := storeReturning(t, bars(barRow(0, map[int][]byte{4: mpNil})))
		began := time.Now()
		_, err := readAll(t, s, recordedQuery)
		if !errors.Is(err, ports.ErrCorruptData) || time.Since(began) > time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		began = time.Now()
		for _, err := range s.ReadBars(ctx, recordedQuery).Rows() {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}

		if took := time.Since(began); took != 20*time.Millisecond {
			t.Errorf("after %s", took)
		}
	})
}
