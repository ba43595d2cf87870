package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/ports"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for want, kinds := range map[int][]error{
		exitFailed:   {errors.New("some fault"), ports.ErrInternal},
		exitInvalid:  {ports.ErrInvalid, userError{errors.New("no such file")}},
		exitNotFound: {ports.ErrNotFound},
		exitUnavailable: {
			ports.ErrUnavailable, ports.ErrOverloaded, ports.ErrTimeout, ports.ErrConflict, ports.ErrIncomplete,
		},
		exitCorrupt:     {ports.ErrCorruptData},
		exitTooLarge:    {ports.ErrTooLarge},
		exitForbidden:   {ports.ErrAuth, ports.ErrPermission, ports.ErrSchema},
		exitInterrupted: {ports.ErrCanceled},
	} {
		for _, kind := range kinds {
			if got := exitCode(fmt.Errorf("fetch: %w", kind)); got != want {
				t.Errorf("%v: exit code %d; want %d", kind, got, want)
			}
		}
	}
}

// A batch has the exit code that its failures have in common.
func TestExitCodeOfBatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs []error
		code int
		text string
	}{
		"no failure":  {[]error{nil, nil}, exitOK, ""},
		"one failure": {[]error{nil, ports.ErrNotFound, nil}, exitNotFound, "1 of 3 failed\n  not found"},
		"one exit code": {
			[]error{ports.ErrUnavailable, ports.ErrTimeout}, exitUnavailable, "2 of 2 failed\n  unavailable\n  timeout",
		},
		"different exit codes": {
			[]error{ports.ErrUnavailable, nil, ports.ErrNotFound}, exitFailed, "2 of 3 failed",
		},
		"a single symbol": {[]error{ports.ErrTooLarge}, exitTooLarge, ports.ErrTooLarge.Error()},
		"Ctrl-C after a failure": {
			[]error{ports.ErrNotFound, ports.ErrCanceled, ports.ErrCanceled},
			exitInterrupted, ports.ErrCanceled.Error(),
		},
		"errors without a kind": {
			[]error{errors.New("some fault"), errors.New("another")}, exitFailed,
			"2 of 2 failed\n  some fault\n  another",
		},
		"errors with and without a kind": {
			[]error{errors.New("some fault"), ports.ErrNotFound, errors.New("another")}, exitFailed, "3 of 3 failed",
		},
	} {
		var all []outcome[int]
		for _, err := range c.errs {
			all = append(all, outcome[int]{err: err})
		}
		err := joinFailures(all)
		if (err == nil) != (c.code == exitOK) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (exitCode(errors.Join(err, nil)) != c.code || !strings.HasPrefix(err.Error(), c.text)) {
			t.Errorf("%s: exit code %d, want %d; %v, want %q", name, exitCode(err), c.code, err, c.text)
		}
	}
}
