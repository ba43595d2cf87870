package main

import (
	"os"
	"strings"
	"testing"
)

// A pager gets the output of a terminal, and none is started for another stream.
func TestPager(t *testing.T) {
	screen, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}

	t.Setenv("PAGER", "cat -n")
	for i, stream := range []*command{
		{usePager: true, out: &terminal{Writer: screen, width: 80}}, {usePager: true, out: screen}, {out: &terminal{Writer: screen}},
	} {
		if err := stream.startPager(); err != nil {
			t.Skipf("TestPager needs cat: %v", err)
		}
		if _, err := stream.out.Write([]byte{"abc"[i], '\n'}); err != nil {
			t.Fatal(err)
		}
		if err := stream.stopPager(nil); err != nil {
			t.Fatal(err)
		}
	}

	shown, err := os.ReadFile(screen.Name())
	const want = "     1\ta\nb\nc\n"
	if err != nil || string(shown) != want {
		t.Errorf("%q, %v; want %q", shown, err, want)
	}

	t.Setenv("PAGER", "/no/such/pager")
	c := &command{usePager: true, out: &terminal{Writer: screen}}
	if err := c.startPager(); err == nil || !strings.Contains(err.Error(), "set PAGER") {
		t.Errorf("a pager that does not exist: %v", err)
	}
}
