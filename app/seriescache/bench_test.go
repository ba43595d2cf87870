package seriescache_test

import "testing"

// go test -bench . ./app/seriescache: a cached read of bars that lie in one block, and in three.
func BenchmarkCached(b *testing.B) {
	for name, r := range map[string][2]int{"one block of 4,000 bars": {50, 4_050}, "three blocks of 10,000 bars": {100, 10_100}} {
		b.Run(name, func(b *testing.B) {
			s := setup(b, options{})
			s.put(b, makeBars(b, 0, 20_000, 1))
			q := query(minutes(r[0], r[1]))
			s.same(b, q)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range s.ReadBars(b.Context(), q).Rows() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
