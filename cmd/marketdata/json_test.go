package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A list in JSON is [] where there is nothing, at every depth, and the value that is printed stays as it was.
func TestJSONHasNoNullLists(t *testing.T) {
	t.Parallel()
	type tree struct {
		Name     string   `json:"name"`
		Children []tree   `json:"children"`
		Parent   *tree    `json:"parent"`
		Times    []string `json:"times"`
	}
	value := tree{Name: "a", Children: []tree{{Name: "b"}}, Parent: &tree{Name: "c"}}
	kept := tree{Name: "a", Children: []tree{{Name: "b"}}, Parent: &tree{Name: "c"}}
	for _, write := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return writeJSON(b, value) },
		func(b *bytes.Buffer) error {
			return writeJSON(b, domain.Result{Series: domain.EmptySeries(minuteKey), Now: time.Now()})
		},
		func(b *bytes.Buffer) error { return writeJSON(b, domain.TickResult[domain.Trade]{Now: time.Now()}) },
		func(b *bytes.Buffer) error { return writeJSON(b, ports.QueryPlan{Key: minuteKey}) },
		func(b *bytes.Buffer) error { return exportList.print(b, formatJSON, nil) },
		func(b *bytes.Buffer) error {
			return writeNDJSON(b, func(yield func(tree) bool) { yield(value) })
		},
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}

		text := strings.ReplaceAll(out.String(), `"parent": null`, "")
		text = strings.ReplaceAll(text, `"parent":null`, "")
		if strings.Contains(text, "null") {
			t.Errorf("a list is null:\n%s", out.String())
		}
	}
	if !reflect.DeepEqual(value, kept) {
		t.Errorf("printing changed the value: %+v", value)
	}
}
