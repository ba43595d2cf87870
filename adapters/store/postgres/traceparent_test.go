package postgres

import (
	"context"
	"strings"
	"testing"
)

const aTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A text that is no traceparent is never sent, because it may come from a stranger.
func TestInvalidTraces(t *testing.T) {
	t.Parallel()
	sent := func(trace string) string {
		s := &Store{cfg: Config{TraceConnections: true, Traceparent: func(context.Context) string { return trace }}}
		return s.traceOf(t.Context())
	}
	for name, trace := range map[string]string{
		"empty": "", "a version of the future": aTrace + "-00", "the forbidden version": "ff" + aTrace[2:],
		"no trace": "00-" + strings.Repeat("0", 32) + aTrace[35:], "no parent": aTrace[:36] + strings.Repeat("0", 16) + "-01",
		"upper case": strings.ToUpper(aTrace), "short": aTrace[:54], "a line end": aTrace + "\n",
		"a quote": "00-0af7651916cd43dd8448eb211c80319c'b7ad6b7169203331-01",
	} {
		if got := sent(trace); got != "" {
			t.Errorf("%s: %q is sent", name, got)
		}
	}
	if got := sent(aTrace); got != aTrace {
		t.Errorf("%q is sent, not %q", got, aTrace)
	}

	off := &Store{cfg: Config{Traceparent: func(context.Context) string { panic("traces are off") }}}
	if got := off.traceOf(t.Context()); got != "" {
		t.Errorf("%q is sent, and traces are off", got)
	}
}
