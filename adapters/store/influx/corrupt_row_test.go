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

// TestCorruptRowWithinTheDeadline reads a row that stays corrupt: the caller hears of it within the deadline.
func TestCorruptRowWithinTheDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row      map[int][]byte
		deadline time.Duration
	}{
		"no number":                            {map[int][]byte{1: mpFloat(math.NaN())}, time.Second},
		"a field is missing":                   {map[int][]byte{1: mpNil}, 100 * time.Millisecond},
		"a field is missing, a short deadline": {map[int][]byte{1: mpNil}, 30 * time.Millisecond},
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
				if elapsed := time.Since(began); !errors.Is(err, ports.ErrCorruptData) || elapsed >= c.deadline {
					t.Errorf("%d requests in %s: %v", requests, elapsed, err)
				}
			})
		})
	}
}
