package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cancelingReader is a file of minute bars. It cancels the import when row at is read.
type cancelingReader struct {
	row, at int
	cancel  context.CancelFunc
	rest    []byte
}

func (r *cancelingReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.row == 0 {
			r.rest = []byte("time,open,high,low,close,volume\n")
		} else {
			open := time.Unix(int64(r.row)*60, 0).UTC()
			r.rest = fmt.Appendf(nil, "%s,1,1,1,1,1\n", open.Format(time.RFC3339))
		}

		r.row++
		if r.row == r.at {
			r.cancel()
		}
	}

	n := copy(p, r.rest)
	r.rest = r.rest[n:]

	return n, nil
}

func TestInterruptedImportReportsStoredRows(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	db := filepath.Join(t.TempDir(), "market.db")
	endless := &cancelingReader{at: 25_000, cancel: cancel}
	var out, errs bytes.Buffer
	args := []string{"--db", db, "import", "--symbol", "BTC/USD", "--frequency", "1m", "-"}
	code := run(ctx, args, endless, &out, &errs)
	if code != exitInterrupted {
		t.Errorf("exit code %d; want %d\n%s", code, exitInterrupted, &errs)
	}
	const summary = "stored: 20000 bars of BTC/USD 1m, up to 1970-01-14T21:21:00Z; " +
		"run the same command again to continue"
	if !strings.Contains(errs.String(), summary) {
		t.Errorf("standard error is\n%s\nwant it to say %q", &errs, summary)
	}
	out.Reset()
	code = run(t.Context(), []string{"--db", db, "coverage"}, strings.NewReader(""), &out, io.Discard)
	if code != exitOK {
		t.Fatalf("coverage: exit code %d", code)
	}

	if want := "1970-01-01T00:01:00Z,1970-01-14T21:21:00Z"; !strings.Contains(out.String(), want) {
		t.Errorf("coverage is\n%s\nwant %s", &out, want)
	}
}
