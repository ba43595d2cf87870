package main

import (
	"testing"
)

func TestPadFraction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		number string
		digits int
		want   string
	}{{"1", 0, "1"}, {"1", 2, "1.00"}, {"-1.5", 2, "-1.50"}, {"1.25", 2, "1.25"}} {
		if got := padFraction(test.number, test.digits); got != test.want {
			t.Errorf("padFraction(%s, %d) is %s; want %s", test.number, test.digits, got, test.want)
		}
	}
}
