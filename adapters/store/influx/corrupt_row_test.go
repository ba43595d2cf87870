package influx_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

// TestCorruptRowWithinTheDeadline reads a row that stays corrupt: the caller hears of it within the deadline, and at once where another
// read cannot find anything else.
func TestCorruptRowWithinTheDeadline(t *testing.T) {
	t.Parallel()
	checksum := influx.Checksum([5]float64{math.NaN(), 2.5, 1.25, 2, 100}, 7, nil)
	for name, c := range map[string]struct {
		row      map[int][]byte
		deadline time.Duration
		atOnce   bool
	}{
		"another checksum":                   {map[int][]byte{8: mpInt(1)}, time.Second, false},
		"another checksum, a short deadline": {map[int][]byte{8: mpInt(1)}, 100 * time.Millisecond, false},
		"a field is missing":                 {map[int][]byte{1: mpNil}, 30 * time.Millisecond, false},
		"no number, by its own checksum":     {map[int][]byte{1: mpFloat(math.NaN()), 8: mpInt(checksum)}, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body := bars(barRow(1, c.row))
				requests := 0
				s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
					requests++
					time.Sleep(time.Millisecond) // of the network
					return response(r, http.StatusOK, body), nil
				})
				requests = 0
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				var err error
				for _, pieceErr := range s.ReadBars(ctx, recordedQuery).Rows() {
					err = pieceErr
				}
				if elapsed := time.Since(began); !errors.Is(err, ports.ErrCorruptData) || elapsed >= c.deadline || c.atOnce && requests > 1 {
					t.Errorf("%d requests in %s: %v", requests, elapsed, err)
				}
			})
		})
	}
}
