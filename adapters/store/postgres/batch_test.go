package postgres

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// TestBatchIsSplit proves that every statement of a batch is within its limits, and that none could take the next query
// too.
func TestBatchIsSplit(t *testing.T) {
	t.Parallel()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 500, 300_000, batchBars, 2 * batchBars})
		sizes := rapid.SliceOfN(size, 0, 3*batchQueries).Draw(t, "bars")
		queries := make([]ports.BarQuery, len(sizes))
		for i, n := range sizes {
			end := start.Add(time.Duration(n) * time.Minute)
			queries[i] = ports.BarQuery{Key: gen.MinuteKey("BTC/USD"), Range: domain.Range{Start: start, End: end}}
		}

		for from := 0; from < len(sizes); {
			n := statementLen(queries[from:])
			sum := 0
			for _, bars := range sizes[from : from+n] {
				sum += bars
			}
			if n < 1 || n > batchQueries || n > 1 && sum > batchBars {
				t.Fatalf("a statement of %d queries and %d bars", n, sum)
			}
			if next := from + n; next < len(sizes) && n < batchQueries && sum+sizes[next] <= batchBars {
				t.Fatalf("a statement of %d queries and %d bars has space for the next query of %d bars",
					n, sum, sizes[next])
			}

			from += n
		}
	})
}

func FuzzBatchDecoder(f *testing.F) {
	key := gen.MinuteKey("BTC/USD")
	columns := gen.Walk(key.Symbol, 20).Columns()
	start := time.UnixMicro(columns.OpenMicros[0]).UTC()
	queries := []ports.BarQuery{
		{Key: key, Range: domain.Range{Start: start, End: start.Add(time.Hour)}},
		{Key: gen.MinuteKey("ETH/USD"), Range: domain.Range{Start: start, End: start.Add(time.Hour)}, Last: 5},
	}
	// The input has rows in the format of COPY: each field after its length, which is 0xffffffff for NULL.
	rows := func(numbers ...int64) (b []byte) {
		for i, n := range numbers {
			b = appendInt64(appendBar(b, &columns, i), n)
		}
		return b
	}
	f.Add(rows(1, 1, 1, 2, 2))
	f.Add(rows(2, 1))
	f.Add(rows(0))
	f.Add(rows(3))
	f.Add(append(rows(1), rows(1)...))
	f.Add(slices.Repeat([]byte{0xff}, 4*len(batchTypes)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &batchDecoder{queries: queries}
		last := 0
		take := func() bool {
			piece, err := d.take()
			if err != nil {
				return false
			}
			if piece.Query < last || piece.Query > 1 || piece.Bars.Len() == 0 ||
				piece.Bars.Key() != queries[piece.Query].Key {
				t.Fatalf("a piece of query %d, %s, after one of query %d", piece.Query, piece.Bars, last)
			}

			last = piece.Query

			return true
		}
		for len(b) > 0 {
			row := make([][]byte, len(batchTypes))
			for i := range row {
				if len(b) < 4 {
					return
				}

				n := binary.BigEndian.Uint32(b)
				if b = b[4:]; n == 0xffff_ffff {
					continue
				}
				if uint64(n) > uint64(len(b)) {
					return
				}

				row[i], b = b[:n:n], b[n:]
			}

			err := d.add(row)
			if errors.Is(err, errPieceEnds) {
				if !take() {
					return
				}
				err = d.add(row)
			}
			if err != nil {
				if errors.Is(err, errPieceEnds) {
					t.Fatal("errPieceEnds for an empty piece")
				}
				return
			}
		}

		if d.len() > 0 {
			take()
		}
	})
}
