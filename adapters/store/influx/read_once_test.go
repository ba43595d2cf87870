package influx_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

// TestReadBarsOnce reads a row that lacks a field, with one request and no pause, because nobody writes it.
func TestReadBarsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := bars(barRow(1, map[int][]byte{1: mpNil}))
		requests := 0
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			requests++
			return response(r, http.StatusOK, body), nil
		})
		requests = 0
		began := time.Now()
		_, err := ports.Collect(s.ReadBarsOnce(t.Context(), recordedQuery).Rows())
		if waited := time.Since(began); !errors.Is(err, ports.ErrCorruptData) || requests != 1 || waited > 0 {
			t.Errorf("%d requests in %s: %v", requests, waited, err)
		}
	})
}
