package influx_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
)

// TestPlaintextToAnotherHost opens stores that do not connect. http:// to another host is a warning of the log and of a
// diagnosis, and an error where TLS is required.
func TestPlaintextToAnotherHost(t *testing.T) {
	t.Parallel()
	for url, warns := range map[string]bool{
		"http://db.invalid:8086": true, "https://db.invalid:8086": false, "http://localhost:8086": false,
		"http://[::1]:8086": false, "http://10.1.2.3": true,
	} {
		var log bytes.Buffer
		cfg := influx.Config{URL: url, Lazy: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s, closeStore, err := influx.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}

		defer closeStore()
		problems, err := s.Problems(t.Context())
		if err != nil || len(problems) > 0 != warns || log.Len() > 0 != warns {
			t.Errorf("%s: got the problems %+v, %v; logged %s", url, problems, err, &log)
		}

		cfg.RequireTLS = true
		_, closeStore, err = influx.Open(t.Context(), cfg)
		if err == nil {
			defer closeStore()
		}
		if warns != errors.Is(err, ports.ErrInvalid) || err != nil && !strings.Contains(err.Error(), "use an https:// URL") {
			t.Errorf("%s, TLS required: got %v", url, err)
		}
	}
}
