package contract

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/ports"
)

func openMemory(testing.TB) Store {
	s := memory.New()
	return Store{Bars: s, Catalog: s, Symbols: s}
}

func TestDecorator(t *testing.T) {
	t.Parallel()
	Decorator(t, openMemory, func(_ testing.TB, next Store) Store {
		next.Bars = passing{next.Bars}
		return next
	}, Profile{})
}

// passing is a decorator that forwards every call.
type passing struct{ ports.Store }

func TestLawsAreWellNamed(t *testing.T) {
	t.Parallel()
	names := lawNames()
	form := regexp.MustCompile(`^((trades|quotes)/)?[a-z]+/[a-z0-9_]+$`)
	for i, name := range names {
		if !form.MatchString(name) {
			t.Errorf("%q is no name of a law", name)
		}
		if slices.Contains(names[:i], name) {
			t.Errorf("there are two laws %q", name)
		}
	}

	for _, l := range slices.Concat(barLaws, batchLaws, stateReaderLaws, tickLaws, catalogLaws, aggregateLaws) {
		if l.text == "" || l.check == nil {
			t.Errorf("%s has no sentence or no check", l.name)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	waiver := &Waiver{Law: "range/end_is_exclusive", Reason: "the server rounds"}
	const text = "the promise"
	for name, c := range map[string]struct {
		waiver        *Waiver
		err           error
		failure, skip string // a part of each; "" means none
	}{
		"a law that holds passes":                   {nil, nil, "", ""},
		"a broken law prints its sentence":          {nil, errors.New("got 1"), "broken law: the promise\ngot 1", ""},
		"a law that does not apply says why":        {nil, notApplicableError("no harness"), "", "no harness"},
		"a waived law that fails is excused":        {waiver, errors.New("got 1"), "", "the server rounds"},
		"a waived law that holds is stale":          {waiver, nil, "stale waiver", ""},
		"a waived law that does not apply is stale": {waiver, notApplicableError("no harness"), "stale waiver", ""},
	} {
		failure, skip := verdict(text, c.waiver, c.err)
		if !strings.Contains(failure, c.failure) || !strings.Contains(skip, c.skip) ||
			(failure == "") != (c.failure == "") || (skip == "") != (c.skip == "") {
			t.Errorf("%s: got failure %q and skip %q", name, failure, skip)
		}
	}
}

func TestProfileRefusesBadWaivers(t *testing.T) {
	t.Parallel()
	const law = "write/whole_or_nothing"
	for name, c := range map[string]struct {
		waivers []Waiver
		faults  []string
	}{
		"none":               {nil, nil},
		"a good one":         {[]Waiver{{Law: law, Reason: "no transactions"}}, nil},
		"of another suite":   {[]Waiver{{Law: "catalog/limit", Reason: "none"}}, nil},
		"of no law":          {[]Waiver{{Law: "write/wholly", Reason: "none"}}, []string{`"write/wholly": there is no such law`}},
		"without a reason":   {[]Waiver{{Law: law}}, []string{"give a reason"}},
		"twice":              {[]Waiver{{Law: law, Reason: "a"}, {Law: law, Reason: "b"}}, []string{"given twice"}},
		"several ways wrong": {[]Waiver{{Law: "x"}}, []string{"no such law", "give a reason"}},
	} {
		err := Profile{Waivers: c.waivers}.validate(lawNames())
		if (err == nil) != (len(c.faults) == 0) {
			t.Errorf("%s: got %v", name, err)
		}
		for _, fault := range c.faults {
			if !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: got %v, want %q", name, err, fault)
			}
		}
	}
}
