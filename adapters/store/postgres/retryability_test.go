package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestRetryability(t *testing.T) {
	t.Parallel()
	wantRetryable := func(name string, err error, isRetryable bool, after time.Duration) {
		t.Helper()
		e := (*ports.Error)(nil)
		if !errors.As(translate(t.Context(), "read bars", "", err), &e) ||
			e.Retryable != isRetryable || e.RetryAfter != after {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	for _, code := range []string{
		"08000", "08006", "57P01", "57P02", "57P03", "40001", "40P01", "25P03",
	} {
		wantRetryable(code, &pgconn.PgError{Code: code}, true, 0)
	}
	wantRetryable("53300", &pgconn.PgError{Code: "53300"}, true, 100*time.Millisecond)
	for _, code := range []string{
		"28P01", "28000", "3D000", "42P01", "42501", "22003", "25006", "53100", "53200", "55P03", "57014", "57P04",
		"23505", "XX000", "XX001",
	} {
		wantRetryable(code, &pgconn.PgError{Code: code}, false, 0)
	}

	for name, err := range map[string]error{
		"refused": &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"reset":   &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"ended":   io.ErrUnexpectedEOF, "closed": pgconn.ErrConnClosed,
	} {
		wantRetryable(name, err, true, 0)
	}
	for name, err := range map[string]error{
		"certificate": x509.UnknownAuthorityError{}, "invalid": domain.ErrInvalid, "corrupt": &domain.RuleError{},
		"pool":    &limitError{ports.ErrOverloaded, ports.PhaseAcquire, errors.New("all in use")},
		"connect": &limitError{ports.ErrTimeout, ports.PhaseConnect, context.DeadlineExceeded},
	} {
		wantRetryable(name, err, false, 0)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if e := (*ports.Error)(nil); !errors.As(translate(ended, "read bars", "", io.ErrUnexpectedEOF), &e) || e.Retryable {
		t.Errorf("after the caller gave up: got %+v", e)
	}
}
