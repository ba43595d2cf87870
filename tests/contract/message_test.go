package contract

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// portMethods matches a method of a port that the suites test.
var portMethods = func() *regexp.Regexp {
	var names []string
	for _, port := range []reflect.Type{
		reflect.TypeFor[ports.Store](), reflect.TypeFor[ports.TickStore](), reflect.TypeFor[ports.SymbolCatalog](),
		reflect.TypeFor[ports.SymbolWriter](), reflect.TypeFor[ports.SymbolRemover](), reflect.TypeFor[ports.LocalCoverage](),
		reflect.TypeFor[ports.LocalCatalog](), reflect.TypeFor[ports.TradeAggregator](), reflect.TypeFor[ports.BatchReader](),
		reflect.TypeFor[ports.StateReader](), reflect.TypeFor[ports.Clock](), reflect.TypeFor[blockcache.Cache](),
		reflect.TypeFor[blockcache.SharedCache](), reflect.TypeFor[blockcache.Hints](),
		reflect.TypeFor[ports.Telemetry](), reflect.TypeFor[ports.TelemetryReporter](),
	} {
		for i := range port.NumMethod() {
			names = append(names, port.Method(i).Name)
		}
	}

	return regexp.MustCompile(`\b(` + strings.Join(names, "|") + `)\b`)
}()

// outcomes matches a text that compares: "got 3, want 2".
var outcomes = regexp.MustCompile(`\bgot\b[\s\S]*\bwant\b|\bwant\b[\s\S]*\bgot\b`)

// isNoticed reports whether a law failed for a seeded fault. It also requires that an author of a store can act on the
// text of the failure: it names a method of the port, the result and the wanted result.
func isNoticed(t *testing.T, err error) bool {
	t.Helper()
	var na notApplicableError
	if err == nil || errors.As(err, &na) {
		return err != nil
	}

	text := err.Error()
	if !portMethods.MatchString(text) {
		t.Errorf("the failure names no call of a port: %s", text)
	}
	law, _, _ := strings.Cut(text, "\nthe last calls")
	if !outcomes.MatchString(law) {
		t.Errorf("the failure does not say what came and what was wanted: %s", text)
	}

	return true
}
