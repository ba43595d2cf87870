package redis_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
)

// TestPlaintextToAnotherHost opens caches that do not connect. redis:// to another host is a warning of the log and of a
// diagnosis, and an error where TLS is required.
func TestPlaintextToAnotherHost(t *testing.T) {
	t.Parallel()
	for url, warns := range map[string]bool{
		"redis://u:secret@cache.invalid": true, "rediss://u:secret@cache.invalid": false, "redis://localhost": false,
		"redis://[::1]:6379/1": false, "redis://10.1.2.3:6379": true,
	} {
		var log bytes.Buffer
		cfg := redis.Config{URL: secret.New(url), Key: []byte(macKey), Logger: slog.New(slog.NewTextHandler(&log, nil))}
		c, closeCache, err := redis.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}

		defer closeCache()
		problems, err := c.Problems(t.Context())
		if err != nil || len(problems) > 0 != warns || log.Len() > 0 != warns || strings.Contains(log.String(), "secret") {
			t.Errorf("%s: got the problems %+v, %v; logged %s", url, problems, err, &log)
		}

		cfg.RequireTLS = true
		_, closeCache, err = redis.Open(cfg)
		if err == nil {
			defer closeCache()
		}
		if warns != errors.Is(err, domain.ErrInvalid) || err != nil && !strings.Contains(err.Error(), "use a rediss:// URL") {
			t.Errorf("%s, TLS required: got %v", url, err)
		}
	}
}
