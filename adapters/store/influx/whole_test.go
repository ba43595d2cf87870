package influx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// version is n bars whose numbers all tell the version.
func version(tb testing.TB, n int, text string, trades int64) domain.Series {
	tb.Helper()
	number, err := domain.ParseDecimal(text)
	if err != nil {
		tb.Fatal(err)
	}
	b := domain.NewSeriesBuilder(recordedKey, n)
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

// TestOverwrittenWhileRead overwrites bars again and again, with numbers that survive a float and with others, while readers of
// another store, as of another process, read them: every bar they get is one of the versions.
func TestOverwrittenWhileRead(t *testing.T) {
	t.Parallel()
	const n, writes = 300, 40
	cfg := config(t)
	writer := openStore(t, cfg)
	versions := []domain.Series{
		version(t, n, "1", 1), version(t, n, "2.5", 2), version(t, n, "12345678901234567890.123456789012345678", 3),
		version(t, n, "12345678901234567890.5", 1),
	}
	write(t, writer, versions[0])
	ctx, done := context.WithCancel(t.Context())
	defer done()
	var readers sync.WaitGroup
	for r := range 3 {
		reader := openStore(t, cfg)
		q := queryOf(versions[0])
		q.Last = r * n / 2 // all, the later half, all of them backwards
		readers.Go(func() {
			for ctx.Err() == nil {
				got := 0
				for piece, err := range reader.ReadBars(ctx, q) {
					if err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
					got += piece.Len()
					for _, bar := range piece.All() {
						if !oneOf(versions, bar) {
							t.Errorf("a bar that was never written: %s", bar)
							return
						}
					}
				}
				if want := max(q.Last, n*(1-min(q.Last, 1))); ctx.Err() == nil && got != want {
					t.Errorf("%d bars of %d", got, want)
				}
			}
		})
	}
	for i := range writes {
		if t.Failed() {
			break
		}
		v := versions[(i+1)%len(versions)]
		report, err := writer.WriteBars(t.Context(), v, v.Range())
		if err != nil || report != (ports.WriteReport{Changed: n}) {
			t.Errorf("write %d: %+v, %v", i, report, err)
		}
	}
	done()
	readers.Wait()
}

func oneOf(versions []domain.Series, bar domain.Bar) bool {
	for _, v := range versions {
		if bar.Equal(v.At(int(bar.OpenTime.Sub(recordedStart) / time.Minute))) {
			return true
		}
	}
	return false
}

// TestWritersOfTheSameBars has two processes overwrite the same bars: in the end they are one's or the other's, none half.
func TestWritersOfTheSameBars(t *testing.T) {
	t.Parallel()
	const n, writes = 50, 15
	cfg := config(t)
	versions := []domain.Series{version(t, n, "1", 1), version(t, n, "2.5", 2)}
	var writers sync.WaitGroup
	for _, v := range versions {
		s := openStore(t, cfg)
		writers.Go(func() {
			for range writes {
				// The other one may win every time; to be told so is right.
				if _, err := s.WriteBars(t.Context(), v, v.Range()); err != nil && !errors.Is(err, ports.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	s := openStore(t, cfg)
	write(t, s, versions[0]) // mends what two that gave up may have left
	if got, err := readAll(t, s, queryOf(versions[0])); err != nil || !got.Equal(versions[0]) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestReadsOnFromAnUnsettledBar has bars that are half there the first time: what came before is not read again.
func TestReadsOnFromAnUnsettledBar(t *testing.T) {
	t.Parallel()
	half := map[int][]byte{4: mpNil}
	for _, c := range []struct {
		last    int
		answers [][]byte
	}{
		{0, [][]byte{bars(barRow(0, nil), barRow(1, half), barRow(2, nil)), bars(barRow(1, half)), bars(barRow(1, nil), barRow(2, nil))}},
		{3, [][]byte{bars(barRow(2, nil), barRow(1, half)), bars(barRow(1, nil), barRow(0, half)), bars(barRow(0, nil))}},
	} {
		t.Run(fmt.Sprintf("last_%d", c.last), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := c.answers
				s := fakeStore(t, influx.Config{ChunkSize: 1}, func(r *http.Request) (*http.Response, error) {
					body := answers[0]
					answers = answers[1:]
					return response(r, http.StatusOK, body), nil
				})
				q := recordedQuery
				q.Last = c.last
				got, err := readAll(t, s, q)
				if err != nil || got.Len() != 3 || !got.OpenTime(0).Equal(recordedStart) || len(answers) != 0 {
					t.Errorf("%s, %v, %d answers left", got, err, len(answers))
				}
			})
		})
	}
}

// TestUnsettledForGood gives up in time, and at once when the caller does.
func TestUnsettledForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := answering(t, bars(barRow(0, map[int][]byte{4: mpNil})))
		began := time.Now()
		if _, err := readAll(t, s, recordedQuery); !errors.Is(err, ports.ErrCorruptData) || time.Since(began) > time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began = time.Now()
		for _, err := range s.ReadBars(ctx, recordedQuery) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 20*time.Millisecond {
			t.Errorf("after %s", took)
		}
	})
}
