package sorting_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain/sorting"
)

type pair struct{ key, place int }

func byKey(a, b pair) int { return cmp.Compare(a.key, b.key) }

func TestSortsLikeSlices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 60).Draw(t, "keys")
		list := make([]pair, len(keys))
		for i, key := range keys {
			list[i] = pair{key, i}
		}

		want := slices.Clone(list)
		slices.SortStableFunc(want, byKey)

		stable := slices.Clone(list)
		if sorting.StableFunc(stable, byKey); !slices.Equal(stable, want) {
			t.Fatalf("StableFunc: %v, want %v", stable, want)
		}

		sorting.Func(list, byKey)
		if !slices.EqualFunc(list, want, func(a, b pair) bool { return a.key == b.key }) {
			t.Fatalf("Func: %v, want the keys of %v", list, want)
		}
	})
}
