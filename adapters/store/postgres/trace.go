package postgres

import (
	"context"
	"errors"
	"regexp"
	"strings"
)

// errNoTraceparent reports traces that nobody tells.
var errNoTraceparent = errors.New("trace_connections: this program does not tell the traceparent of a call; " +
	"remove the setting, or set Traceparent of production.Options or postgres.Config")

// traceparent matches the header of W3C Trace Context: version, trace, parent and flags.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// traceOf returns the traceparent of a call, "" without a valid one, because the text may come from a stranger.
func (s *Store) traceOf(ctx context.Context) string {
	if !s.cfg.TraceConnections {
		return ""
	}

	trace := s.cfg.Traceparent(ctx)
	isZero := func(digits string) bool { return strings.Trim(digits, "0") == "" }
	parts := traceparent.FindStringSubmatch(trace)
	if parts == nil || strings.HasPrefix(trace, "ff") || isZero(parts[1]) || isZero(parts[2]) {
		return ""
	}

	return trace
}
