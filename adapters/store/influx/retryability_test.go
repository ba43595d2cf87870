package influx

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestRetryability(t *testing.T) {
	t.Parallel()
	network := func(op string, cause error) error {
		return &url.Error{Op: "Post", URL: "http://influx.test", Err: &net.OpError{Op: op, Net: "tcp", Err: cause}}
	}
	for name, c := range map[string]struct {
		err   error
		retry bool
		after time.Duration
		phase ports.Phase
	}{
		"refused":      {err: network("dial", syscall.ECONNREFUSED), retry: true, phase: ports.PhaseConnect},
		"reset":        {err: network("read", syscall.ECONNRESET), retry: true},
		"ended":        {err: &url.Error{Op: "Post", Err: io.EOF}, retry: true},
		"cut":          {err: &readError{io.ErrUnexpectedEOF}, retry: true},
		"too many":     {err: &ServerError{Status: 429, RetryAfter: time.Second}, retry: true, after: time.Second},
		"busy":         {err: &ServerError{Status: 503}, retry: true},
		"bad gateway":  {err: &ServerError{Status: 502}, retry: true},
		"500 of 2.x":   {err: &ServerError{Status: 500, Version: "v2.7.1"}, retry: true},
		"queries":      {err: &ServerError{Status: 500, Version: "1.8.10", Message: "max-concurrent-queries"}, retry: true},
		"500 of 1.8":   {err: &ServerError{Status: 500, Version: "1.8.10"}},
		"no database":  {err: &ServerError{Status: 500, Version: "1.8.10", Message: "database not found: x"}},
		"may not read": {err: &ServerError{Status: 500, Version: "1.8.10", Message: "user requires READ"}},
		"credentials":  {err: &ServerError{Status: 401}},
		"redirect":     {err: &ServerError{Status: 307}},
		"elsewhere":    {err: fmt.Errorf("the server redirects: %w", ports.ErrUnavailable)},
		"not shown":    {err: fmt.Errorf("reads do not show it: %w", ports.ErrUnavailable)},
		"malformed":    {err: malformedError("no map")},
		"corrupt":      {err: &domain.RuleError{}},
		"invalid":      {err: domain.ErrInvalid},
		"timeout":      {err: network("dial", syscall.ETIMEDOUT), phase: ports.PhaseConnect},
		"anything":     {err: errors.New("anything")},
		"peer gone":    {err: &readError{syscall.ETIMEDOUT}, retry: true},
	} {
		e := (*ports.Error)(nil)
		if !errors.As(translate("read bars", "", c.err), &e) ||
			e.Retryable != c.retry || e.RetryAfter != c.after || e.Phase != c.phase {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}
