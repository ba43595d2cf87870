package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	key   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
)

// minuteBars returns n consecutive bars.
func minuteBars(tb testing.TB, n int) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(key, n)
	for i := range n {
		if err := b.Append(domain.Bar{OpenTime: start.Add(time.Duration(i) * time.Minute)}); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// readPieces returns the pieces of the query.
func readPieces(tb testing.TB, s *memory.Store, q ports.BarQuery) []domain.Series {
	tb.Helper()
	var list []domain.Series
	for piece, err := range s.ReadBars(tb.Context(), q).Rows() {
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, piece)
	}

	return list
}

func TestAppendingBarByBarKeepsPiecesLong(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s, b := memory.New(), minuteBars(t, n)
	for i := range n {
		one := b.Slice(i, i+1)
		if _, err := ports.WriteBars(t.Context(), s, one, one.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	if got := len(readPieces(t, s, ports.BarQuery{Key: key, Range: b.Range()})); got > 3 {
		t.Errorf("%d bars that were written one by one are stored in %d pieces", n, got)
	}
}

func TestBulkLoadIsNotCopied(t *testing.T) {
	t.Parallel()
	s, b := memory.New(), minuteBars(t, 100_000)
	if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	got := readPieces(t, s, ports.BarQuery{Key: key, Range: b.Range(), Last: 200})
	if len(got) != 1 || got[0].Len() != 200 {
		t.Fatalf("got %v, want the last 200 bars in one piece", got)
	}

	if &got[0].Columns().OpenMicros[0] != &b.Columns().OpenMicros[b.Len()-200] {
		t.Error("the bars were copied")
	}
}

// TestReadsAcrossPieces reads random ranges, whole or limited, and compares them with one Series of all bars.
func TestReadsAcrossPieces(t *testing.T) {
	t.Parallel()
	const n, long = 40_000, 3000 // two such pieces have more rows than maxMergedRows
	s, b := memory.New(), minuteBars(t, n)
	b = b.Drop([]int{0, 5, long - 1, long, 2*long + 1, n - 1})
	for at := 0; at < b.Len(); at += long {
		piece := b.Slice(at, min(at+long, b.Len()))
		if _, err := ports.WriteBars(t.Context(), s, piece, piece.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	rapid.Check(t, func(t *rapid.T) {
		pieceEdge := rapid.Map(rapid.IntRange(0, n/long), func(i int) int { return i * long })
		edge := rapid.OneOf(rapid.IntRange(-2, n+2), pieceEdge)
		minute := func(name string) time.Time { return start.Add(time.Duration(edge.Draw(t, name)) * time.Minute) }
		r := domain.Range{Start: minute("start"), End: minute("end")}
		if r.End.Before(r.Start) {
			r.Start, r.End = r.End, r.Start
		}
		want, q := b.Clip(r), ports.BarQuery{Key: key, Range: r}
		limit := rapid.IntRange(1, 3*long).Draw(t, "limit")
		switch rapid.SampledFrom([]string{"all", "first", "last"}).Draw(t, "part") {
		case "first":
			q.First, want = limit, want.Slice(0, min(limit, want.Len()))
		case "last":
			q.Last, want = limit, want.Slice(max(0, want.Len()-limit), want.Len())
		}

		got := domain.NewSeriesBuilder(key, 0)
		for piece, err := range s.ReadBars(t.Context(), q).Rows() {
			if err == nil && piece.Len() == 0 {
				err = errors.New("an empty piece")
			}
			if err == nil {
				err = got.AppendSeries(piece)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if all, err := got.Series(); err != nil || !all.Equal(want) {
			t.Fatalf("%+v: got %v, want %v (%v)", q, all, want, err)
		}
	})
}

func BenchmarkReadLast200(b *testing.B) {
	s, bars := memory.New(), minuteBars(b, 1_000_000)
	if _, err := ports.WriteBars(b.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		b.Fatal(err)
	}

	q := ports.BarQuery{Key: key, Range: bars.Range(), Last: 200}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.ReadBars(b.Context(), q).Rows() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func ExampleStore() {
	ctx := context.Background()
	store := memory.New()
	day := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	bars, err := domain.NewSeries(day, domain.Bar{
		OpenTime: time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC),
		Open:     domain.MustDecimal("7424.91"), High: domain.MustDecimal("7424.91"),
		Low: domain.MustDecimal("7422"), Close: domain.MustDecimal("7422"), Volume: domain.MustDecimal("7.14319709"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	report, err := ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace)
	fmt.Println(report.Inserted, err)
	for piece, err := range store.ReadBars(ctx, ports.BarQuery{Key: day, Range: bars.Range()}).Rows() {
		fmt.Println(piece.At(0), err)
	}
	// Output:
	// 1 <nil>
	// 2018-04-04T00:00:00Z o=7424.91 h=7424.91 l=7422 c=7422 v=7.14319709 <nil>
}
