package main

import (
	"strings"
	"testing"
)

func TestPrintTableShowsEveryDigit(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	rows := [][]string{{"é", "123456789.000000001"}, {"long name", "1"}}
	if err := printTable(&out, []column{{name: "name"}, {name: "count", kind: number}}, rows); err != nil {
		t.Fatal(err)
	}

	const want = "NAME                     COUNT\n" +
		"é          123456789.000000001\n" +
		"long name                    1\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
