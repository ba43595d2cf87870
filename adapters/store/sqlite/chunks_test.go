package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// chunk is a row of the table as it is.
type chunk struct {
	series, first, last, bars int64
	data                      string
}

// chunksOf is the table by id.
func chunksOf(tb testing.TB, db *sql.DB) map[int64]chunk {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), `SELECT id, series, first_open, last_open, bars, data FROM chunks`)
	if err != nil {
		tb.Fatal(err)
	}

	defer func() { _ = rows.Close() }()
	all := map[int64]chunk{}
	for rows.Next() {
		var id int64
		var c chunk
		if err := rows.Scan(&id, &c.series, &c.first, &c.last, &c.bars, &c.data); err != nil {
			tb.Fatal(err)
		}

		all[id] = c
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}

	return all
}

// TestAppendsLeaveWhatABulkLoadLeaves appends bar by bar across the end of a chunk: the chunks are the same, to the byte.
func TestAppendsLeaveWhatABulkLoadLeaves(t *testing.T) {
	t.Parallel()
	const bulk, n = 2*codec.MaxBars - 40, 2*codec.MaxBars + 40
	bars := minutes(t, 0, n, 1)
	appended, loaded := filepath.Join(t.TempDir(), "appended.db"), filepath.Join(t.TempDir(), "loaded.db")
	s := open(t, appended)
	write(t, s, bars.Slice(0, bulk))
	for i := bulk; i < n; i++ {
		write(t, s, bars.Slice(i, i+1))
	}
	write(t, open(t, loaded), bars)
	a, b := openRaw(t, appended), openRaw(t, loaded)
	if x, y := chunksOf(t, a), chunksOf(t, b); len(x) != 3 || !reflect.DeepEqual(x, y) {
		t.Errorf("%d chunks were appended, %d loaded", len(x), len(y))
	}
	var pages [2]float64
	for i, db := range []*sql.DB{a, b} {
		if err := db.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages[i]); err != nil {
			t.Fatal(err)
		}
	}

	if pages[0] > 1.2*pages[1] {
		t.Errorf("the file has %v pages, one loaded in bulk %v", pages[0], pages[1])
	}
}

// TestPrependsLeaveFullChunks writes a series from its end to its start, as a download that goes back in time does.
func TestPrependsLeaveFullChunks(t *testing.T) {
	t.Parallel()
	const batch, n = 1000, 3 * codec.MaxBars
	path := filepath.Join(t.TempDir(), "market.db")
	s := open(t, path)
	bars := minutes(t, 0, n, 1)
	for end := n; end > 0; end -= batch {
		write(t, s, bars.Slice(max(0, end-batch), end))
	}
	for _, c := range chunksOf(t, openRaw(t, path)) {
		if c.bars != codec.MaxBars {
			t.Errorf("a chunk of %d bars", c.bars)
		}
	}
}

// TestLateBarResealsItsChunkOnly cuts the chunk where it was full, and leaves the others as they are.
func TestLateBarResealsItsChunkOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, raw := open(t, path), openRaw(t, path)
	bars := minutes(t, 0, 3*codec.MaxBars+2, 1)
	const late = codec.MaxBars + 1000 // within the second chunk
	write(t, s, bars.Drop([]int{late, late + 1}))
	before := chunksOf(t, raw)
	write(t, s, bars.Slice(late, late+1))
	after := chunksOf(t, raw)
	var counts []int64
	for id, c := range after {
		if c != before[id] {
			counts = append(counts, c.bars)
		}
	}

	slices.Sort(counts)
	if want := []int64{codec.MaxBars / 2, codec.MaxBars/2 + 1}; !slices.Equal(counts, want) {
		t.Fatalf("chunks written: %v bars, want %v", counts, want)
	}

	write(t, s, bars.Slice(late+1, late+2))
	changed := 0
	for id, c := range chunksOf(t, raw) {
		if c != after[id] {
			changed++
		}
	}

	if changed != 1 {
		t.Errorf("another late bar wrote %d chunks", changed)
	}
	if got, err := readAll(t.Context(), s, query(bars)); err != nil || !got.Equal(bars) {
		t.Errorf("got %s, %v, want %s", got, err, bars)
	}
}

// TestChunksAgainstBars holds random writes, replacements and deletions, each about the size of a chunk, to the bars one by one.
func TestChunksAgainstBars(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, raw := open(t, path), openRaw(t, path)
	check := 0
	rapid.Check(t, func(rt *rapid.T) {
		check++
		key := btc
		key.Symbol = domain.Symbol(fmt.Sprintf("CHECK%d/USD", check))
		model := map[int64]int64{} // minute: seed
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			name := fmt.Sprintf("step %d ", step)
			from := rapid.IntRange(0, 20_000).Draw(rt, name+"from")
			stride := rapid.IntRange(1, 3).Draw(rt, name+"stride")
			n := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 6000)).Draw(rt, name+"bars")
			seed := int64(rapid.IntRange(0, 1).Draw(rt, name+"seed"))
			replace := rapid.Bool().Draw(rt, name+"replace")
			b := domain.NewSeriesBuilder(key, n)
			fresh := map[int64]int64{}
			for i := range n {
				minute := int64(from + i*stride)
				fresh[minute] = minute + seed
				if err := b.Append(barAt(start.Add(time.Duration(minute)*time.Minute), minute+seed)); err != nil {
					rt.Fatal(err)
				}
			}

			bars, err := b.Series()
			if err != nil {
				rt.Fatal(err)
			}

			first, end := int64(from), int64(from+n*stride+rapid.IntRange(0, 5000).Draw(rt, name+"room"))
			r := domain.Range{Start: start.Add(time.Duration(first) * time.Minute), End: start.Add(time.Duration(end) * time.Minute)}
			var want, got ports.WriteReport
			for minute, seed := range fresh {
				switch held, ok := model[minute]; {
				case !ok:
					want.Inserted++
				case held == seed:
					want.Unchanged++
				default:
					want.Changed++
				}
			}

			if replace {
				for minute := range model {
					if _, stays := fresh[minute]; !stays && first <= minute && minute < end {
						delete(model, minute)
						want.Deleted++
					}
				}
				got, err = s.ReplaceBars(t.Context(), bars, r)
			} else {
				got, err = s.WriteBars(t.Context(), bars, r)
			}

			maps.Copy(model, fresh)
			if err != nil || got != want {
				rt.Fatalf("%+v, %v, want %+v", got, err, want)
			}
		}

		checkModel(rt, t.Context(), s, key, model)
	})
	checkChunks(t, raw)
}

// checkModel reads what the model says, whole, and from both ends.
func checkModel(rt *rapid.T, ctx context.Context, s *sqlite.Store, key domain.SeriesKey, model map[int64]int64) {
	minutes := slices.Sorted(maps.Keys(model))
	n := rapid.IntRange(1, 10_000).Draw(rt, "limit")
	all := domain.Range{Start: start, End: start.AddDate(10, 0, 0)}
	for _, test := range []struct {
		q    ports.BarQuery
		want []int64
	}{
		{ports.BarQuery{Key: key, Range: all}, minutes},
		{ports.BarQuery{Key: key, Range: all, First: n}, minutes[:min(n, len(minutes))]},
		{ports.BarQuery{Key: key, Range: all, Last: n}, minutes[max(0, len(minutes)-n):]},
	} {
		got, err := readAll(ctx, s, test.q)
		if err != nil || got.Len() != len(test.want) {
			rt.Fatalf("%+v: %s, %v, want %d bars", test.q, got, err, len(test.want))
		}

		for i, bar := range got.All() {
			if want := barAt(start.Add(time.Duration(test.want[i])*time.Minute), model[test.want[i]]); !bar.Equal(want) {
				rt.Fatalf("%+v: %s, want %s", test.q, bar, want)
			}
		}
	}
}

// checkChunks wants every chunk as its row says it, and those of a series disjoint.
func checkChunks(t *testing.T, db *sql.DB) {
	t.Helper()
	all := slices.SortedFunc(maps.Values(chunksOf(t, db)), func(a, b chunk) int {
		if a.series != b.series {
			return int(a.series - b.series)
		}
		return int((a.first - b.first) / 1_000_000)
	})
	for i, c := range all {
		held, err := codec.Open([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		if first, last := held.Bounds(); first != c.first || last != c.last || int64(held.Len()) != c.bars {
			t.Fatalf("chunk of %d bars from %d to %d, its row says %d from %d to %d", held.Len(), first, last, c.bars, c.first, c.last)
		}
		if i > 0 && all[i-1].series == c.series && all[i-1].last >= c.first {
			t.Fatalf("chunks overlap: one ends at %d, the next begins at %d", all[i-1].last, c.first)
		}
	}
}

// TestDamagedChunk reads no bar of a chunk that is not as it was written, refuses to write into it, and takes its replacement.
func TestDamagedChunk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, damage, says string }{
		{"flipped bit", `UPDATE chunks SET data = CAST(substr(data, 1, 5000) || char((unicode(substr(data, 5001, 1)) + 1) % 128) ||
			substr(data, 5002) AS BLOB) WHERE id = 2`, "checksum"},
		{"cut short", `UPDATE chunks SET data = substr(data, 1, length(data) - 1) WHERE id = 2`, "checksum"},
		{"empty", `UPDATE chunks SET data = x'' WHERE id = 2`, "do not begin as a chunk does"},
		{"foreign bytes", `UPDATE chunks SET data = randomblob(40000) WHERE id = 2`, "do not begin as a chunk does"},
		{"null", `UPDATE chunks SET data = NULL WHERE id = 2`, "do not begin as a chunk does"},
		{"newer codec", `UPDATE chunks SET data = CAST(substr(data, 1, 3) || x'ff' || substr(data, 5) AS BLOB) WHERE id = 2`, "version 255"},
		{"another's chunk", `UPDATE chunks SET data = (SELECT data FROM chunks WHERE id = 1) WHERE id = 2`, "its row says"},
		{"count", `UPDATE chunks SET bars = bars - 1 WHERE id = 2`, "its row says"},
		{"no count", `UPDATE chunks SET bars = NULL WHERE id = 2`, "its row says"},
		{"first", `UPDATE chunks SET first_open = first_open + 1 WHERE id = 2`, "its row says"},
		{"last", `UPDATE chunks SET last_open = last_open - 1 WHERE id = 2`, "its row says"},
		{"overlap", `INSERT INTO chunks SELECT 9, series, first_open + 60000000, last_open, bars, data FROM chunks WHERE id = 2`, "chunk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "market.db")
			s, raw := open(t, path), openRaw(t, path)
			bars := minutes(t, 0, 3*codec.MaxBars, 1)
			write(t, s, bars)
			for _, statement := range []string{ // as another version of the table might be
				`PRAGMA writable_schema = ON`,
				`UPDATE sqlite_schema SET sql = replace(replace(sql, 'BLOB NOT NULL', 'BLOB'), 'bars       INTEGER NOT NULL', 'bars INTEGER')
					WHERE name = 'chunks'`,
				`PRAGMA writable_schema = RESET`,
				test.damage,
			} {
				if _, err := raw.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}

			middle := bars.Slice(codec.MaxBars, 2*codec.MaxBars)
			for _, q := range []ports.BarQuery{query(bars), query(middle), {Key: btc, Range: middle.Range(), Last: 4}} {
				n := 0
				var err error
				for piece, e := range s.ReadBars(t.Context(), q) {
					n += piece.Clip(middle.Range()).Len()
					err = e
				}
				if n > 0 || !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("%+v: %d bars of the chunk, %v, want corrupt data saying %q", q, n, err, test.says)
				}
			}

			if got, err := readAll(t.Context(), s, query(bars.Slice(0, codec.MaxBars))); err != nil || got.Len() != codec.MaxBars {
				t.Errorf("the chunk before: %s, %v", got, err)
			}
			one := middle.Slice(100, 101)
			if _, err := s.WriteBars(t.Context(), one, one.Range()); !errors.Is(err, ports.ErrCorruptData) ||
				!strings.Contains(err.Error(), "to mend it, replace the bars from") {
				t.Errorf("a write into the chunk: %v", err)
			}
			if _, err := s.ReplaceBars(t.Context(), middle, middle.Range()); err != nil {
				t.Fatal(err)
			}

			if got, err := readAll(t.Context(), s, query(bars)); err != nil || !got.Equal(bars) {
				t.Errorf("mended: %s, %v", got, err)
			}
		})
	}
}
