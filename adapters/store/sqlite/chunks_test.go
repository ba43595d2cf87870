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
	"github.com/gal-friday/marketdata/tests/gen"
)

// storedChunk is a row of chunks.
type storedChunk struct {
	series, first, last, bars int64
	data                      string
}

// storedChunks returns the rows of chunks by id.
func storedChunks(tb testing.TB, db *sql.DB) map[int64]storedChunk {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), `SELECT id, series, first_open, last_open, bars, data FROM chunks`)
	if err != nil {
		tb.Fatal(err)
	}

	defer func() { _ = rows.Close() }()
	all := map[int64]storedChunk{}
	for rows.Next() {
		var id int64
		var c storedChunk
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

// Bars appended one by one must result in the same chunks as a bulk load, byte for byte.
func TestAppendsEqualBulkLoad(t *testing.T) {
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
	if x, y := storedChunks(t, a), storedChunks(t, b); len(x) != 3 || !reflect.DeepEqual(x, y) {
		t.Errorf("%d chunks from appends differ from %d chunks of a bulk load, want 3 equal ones", len(x), len(y))
	}
	var pages [2]float64
	for i, db := range []*sql.DB{a, b} {
		if err := db.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages[i]); err != nil {
			t.Fatal(err)
		}
	}

	if pages[0] > 1.2*pages[1] {
		t.Errorf("the file has %v pages, but %v after a bulk load", pages[0], pages[1])
	}
}

// A series that is written from its end to its start, as by a download that goes back in time, must consist of full
// chunks.
func TestPrependsFillChunks(t *testing.T) {
	t.Parallel()
	const batch, n = 1000, 3 * codec.MaxBars
	path := filepath.Join(t.TempDir(), "market.db")
	s := open(t, path)
	bars := minutes(t, 0, n, 1)
	for end := n; end > 0; end -= batch {
		write(t, s, bars.Slice(max(0, end-batch), end))
	}
	for _, c := range storedChunks(t, openRaw(t, path)) {
		if c.bars != codec.MaxBars {
			t.Errorf("a chunk of %d bars, want %d", c.bars, codec.MaxBars)
		}
	}
}

// A late bar must divide its chunk if that is full, and must not change other chunks.
func TestLateBarRewritesItsChunkOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, raw := open(t, path), openRaw(t, path)
	bars := minutes(t, 0, 3*codec.MaxBars+2, 1)
	const late = codec.MaxBars + 1000 // within the second chunk
	write(t, s, bars.Drop([]int{late, late + 1}))
	before := storedChunks(t, raw)
	write(t, s, bars.Slice(late, late+1))
	after := storedChunks(t, raw)
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
	for id, c := range storedChunks(t, raw) {
		if c != after[id] {
			changed++
		}
	}

	if changed != 1 {
		t.Errorf("another late bar changed %d chunks, want 1", changed)
	}
	if got, err := readAll(t.Context(), s, query(bars)); err != nil || !got.Equal(bars) {
		t.Errorf("got %s, %v, want %s", got, err, bars)
	}
}

// Random writes, replacements and deletions, of up to about a chunk, must have the same result as in a map of bars.
func TestChunksEqualModel(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, raw := open(t, path), openRaw(t, path)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		key := btc
		key.Symbol = domain.Symbol(fmt.Sprintf("CHECK%d/USD", run))
		model := map[int64]int64{} // from minute to seed
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			name := fmt.Sprintf("step %d ", step)
			from := rapid.IntRange(0, 20_000).Draw(rt, name+"from")
			stride := rapid.IntRange(1, 3).Draw(rt, name+"stride")
			n := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 6000)).Draw(rt, name+"bars")
			seed := int64(rapid.IntRange(0, 1).Draw(rt, name+"seed"))
			replace := rapid.Bool().Draw(rt, name+"replace")
			b := domain.NewSeriesBuilder(key, n)
			written := map[int64]int64{}
			for i := range n {
				minute := int64(from + i*stride)
				written[minute] = minute + seed
				if err := b.Append(barAt(start.Add(time.Duration(minute)*time.Minute), minute+seed)); err != nil {
					rt.Fatal(err)
				}
			}

			bars, err := b.Series()
			if err != nil {
				rt.Fatal(err)
			}

			first, end := int64(from), int64(from+n*stride+rapid.IntRange(0, 5000).Draw(rt, name+"empty minutes after"))
			r := domain.Range{
				Start: start.Add(time.Duration(first) * time.Minute), End: start.Add(time.Duration(end) * time.Minute),
			}
			var want, got ports.WriteReport
			for minute, seed := range written {
				switch stored, ok := model[minute]; {
				case !ok:
					want.Inserted++
				case stored == seed:
					want.Unchanged++
				default:
					want.Changed++
				}
			}

			if replace {
				for minute := range model {
					if _, kept := written[minute]; !kept && first <= minute && minute < end {
						delete(model, minute)
						want.Deleted++
					}
				}
				got, err = gen.ReplaceOrDelete(t.Context(), s, bars, r)
			} else {
				got, err = ports.WriteBars(t.Context(), s, bars, r, ports.ConflictReplace)
			}

			maps.Copy(model, written)
			if err != nil || got != want {
				rt.Fatalf("%+v, %v, want %+v", got, err, want)
			}
		}

		assertModel(t.Context(), rt, s, key, model)
	})
	assertValidChunks(t, raw)
}

// assertModel fails the test unless reads of all, the first and the last bars equal the model.
func assertModel(ctx context.Context, rt *rapid.T, s *sqlite.Store, key domain.SeriesKey, model map[int64]int64) {
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
			minute := test.want[i]
			if want := barAt(start.Add(time.Duration(minute)*time.Minute), model[minute]); !bar.Equal(want) {
				rt.Fatalf("%+v: %s, want %s", test.q, bar, want)
			}
		}
	}
}

// assertValidChunks fails the test unless the columns of every row agree with its chunk, and the chunks of a series are
// disjoint.
func assertValidChunks(t *testing.T, db *sql.DB) {
	t.Helper()
	all := slices.SortedFunc(maps.Values(storedChunks(t, db)), func(a, b storedChunk) int {
		if a.series != b.series {
			return int(a.series - b.series)
		}
		return int((a.first - b.first) / 1_000_000)
	})
	for i, c := range all {
		chunk, err := codec.Open([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		if first, last := chunk.Bounds(); int64(first) != c.first || int64(last) != c.last || int64(chunk.Len()) != c.bars {
			t.Fatalf("chunk of %d bars from %d to %d, but its row says %d from %d to %d",
				chunk.Len(), first, last, c.bars, c.first, c.last)
		}
		if i > 0 && all[i-1].series == c.series && all[i-1].last >= c.first {
			t.Fatalf("chunks overlap: one ends at %d, but the next begins at %d", all[i-1].last, c.first)
		}
	}
}

// The store must not read bars of a damaged chunk or write into it, but must accept a replacement of all its bars.
func TestDamagedChunk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, damage, want string }{
		{"flipped bit", `UPDATE chunks SET data = CAST(substr(data, 1, 5000) ||
			char((unicode(substr(data, 5001, 1)) + 1) % 128) || substr(data, 5002) AS BLOB) WHERE id = 2`, "checksum"},
		{"cut short", `UPDATE chunks SET data = substr(data, 1, length(data) - 1) WHERE id = 2`, "checksum"},
		{"empty", `UPDATE chunks SET data = x'' WHERE id = 2`, "without the header of a chunk"},
		{"foreign bytes", `UPDATE chunks SET data = randomblob(40000) WHERE id = 2`, "without the header of a chunk"},
		{"null", `UPDATE chunks SET data = NULL WHERE id = 2`, "without the header of a chunk"},
		{"newer codec", `UPDATE chunks SET data = CAST(substr(data, 1, 3) || x'ff' || substr(data, 5) AS BLOB)
			WHERE id = 2`, "version 255"},
		{"data of another chunk", `UPDATE chunks SET data = (SELECT data FROM chunks WHERE id = 1)
			WHERE id = 2`, "its row says"},
		{"count", `UPDATE chunks SET bars = bars - 1 WHERE id = 2`, "its row says"},
		{"no count", `UPDATE chunks SET bars = NULL WHERE id = 2`, "its row says"},
		{"first", `UPDATE chunks SET first_open = first_open + 1 WHERE id = 2`, "its row says"},
		{"last", `UPDATE chunks SET last_open = last_open - 1 WHERE id = 2`, "its row says"},
		{"overlap", `INSERT INTO chunks SELECT 9, series, first_open + 60000000, last_open, bars, data
			FROM chunks WHERE id = 2`, "chunk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "market.db")
			s, raw := open(t, path), openRaw(t, path)
			bars := minutes(t, 0, 3*codec.MaxBars, 1)
			write(t, s, bars)
			for _, statement := range []string{ // the first three allow NULL, as another version of the table may do
				`PRAGMA writable_schema = ON`,
				`UPDATE sqlite_schema SET sql = replace(replace(sql, 'BLOB NOT NULL', 'BLOB'),
					'bars       INTEGER NOT NULL', 'bars INTEGER') WHERE name = 'chunks'`,
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
				for part, e := range s.ReadBars(t.Context(), q).Rows() {
					n += part.Clip(middle.Range()).Len()
					err = e
				}
				if n > 0 || !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("%+v: %d bars of the chunk, %v, want ErrCorruptData with %q", q, n, err, test.want)
				}
			}

			before := bars.Slice(0, codec.MaxBars)
			if got, err := readAll(t.Context(), s, query(before)); err != nil || !got.Equal(before) {
				t.Errorf("the chunk before: %s, %v", got, err)
			}
			one := middle.Slice(100, 101)
			if _, err := ports.WriteBars(t.Context(), s, one, one.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrCorruptData) ||
				!strings.Contains(err.Error(), "to repair it, replace the bars from") {
				t.Errorf("a write into the chunk: %v", err)
			}
			if _, err := s.ReplaceBars(t.Context(), middle, middle.Range()); err != nil {
				t.Fatal(err)
			}

			if got, err := readAll(t.Context(), s, query(bars)); err != nil || !got.Equal(bars) {
				t.Errorf("after the replacement: %s, %v", got, err)
			}
		})
	}
}
