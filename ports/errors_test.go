package ports_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gal-friday/marketdata/ports"
)

func TestSplitRemedy(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain; text")
	failed := &ports.Error{Kind: ports.ErrAuth, Op: "open", Store: "redis", Err: errors.New("refused"), Remedy: "log in"}
	for _, c := range []struct {
		err          error
		text, remedy string
	}{
		{plain, "plain; text", ""},
		{failed, "redis: open: authentication: refused", "log in"},
		{fmt.Errorf("cache: %w", failed), "cache: redis: open: authentication: refused", "log in"},
		{fmt.Errorf("%w; and more", failed), "redis: open: authentication: refused; log in; and more", ""},
	} {
		if text, remedy := ports.SplitRemedy(c.err); text != c.text || remedy != c.remedy {
			t.Errorf("%v: got %q and %q", c.err, text, remedy)
		}
	}
}
