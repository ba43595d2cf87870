package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// newLogger returns a logger that writes records of the audit, warnings and errors to w as people read them: "warning:
// slow query (store postgres, took 6s)". Without the audit, it leaves suspicious requests out, because the one request
// of a command was typed by its user, who sees the error.
func newLogger(w io.Writer, hasAudit bool) *slog.Logger {
	return slog.New(&noteHandler{out: w, hasAudit: hasAudit})
}

// noteHandler writes each record as a line.
type noteHandler struct {
	out      io.Writer
	hasAudit bool
	attrs    []slog.Attr
}

// Enabled reports whether the level is that of a record of the audit, a warning or an error.
func (h *noteHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle writes the record.
func (h *noteHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "suspicious request" && !h.hasAudit {
		return nil
	}

	var details []string
	add := func(a slog.Attr) bool {
		details = append(details, fmt.Sprintf("%s %v", a.Key, a.Value.Resolve()))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)

	text := r.Message
	switch {
	case r.Level >= slog.LevelError:
		text = "error: " + text
	case r.Level >= slog.LevelWarn:
		text = "warning: " + text
	}
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	_, err := fmt.Fprintln(h.out, text)

	return err
}

// WithAttrs returns a handler that adds the attributes to each record.
func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &noteHandler{h.out, h.hasAudit, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

// WithGroup returns the handler, because a line has no groups.
func (h *noteHandler) WithGroup(string) slog.Handler { return h }
