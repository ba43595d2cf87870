package barfile

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// Batches have all bars, and their ranges make up the coverage, also where nothing traded.
func TestBatchesKeepTheCoverage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(folder, "bars")
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}

		defer w.Discard()
		var ranges []domain.Range
		want := domain.NewSeriesBuilder(key("BTC/USD"), 0)
		for at := range rapid.IntRange(1, 5).Draw(t, "ranges") {
			from := 100_000*at + rapid.IntRange(0, 9).Draw(t, "from")
			n := rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(codec.MaxBars, 5*codec.MaxBars)).Draw(t, "bars")
			bars := series("BTC/USD", from, n)
			r := minutes(from-rapid.IntRange(0, 9).Draw(t, "before"), from+n+rapid.IntRange(1, 9).Draw(t, "behind"))
			if err := errors.Join(w.Write(bars, r), want.AppendSeries(bars)); err != nil {
				t.Fatal(err)
			}
			ranges = append(ranges, r)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}

		f, closeFile, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}

		defer closeFile()
		got := domain.NewSeriesBuilder(key("BTC/USD"), 0)
		var covered []domain.Range
		for b, err := range f.Batches(key("BTC/USD")) {
			if err != nil || !b.Range.Covers(b.Bars.Range()) || b.Bars.Len() > maxBatchBars {
				t.Fatalf("%v in %v, %v", b.Bars, b.Range, err)
			}
			if err := got.AppendSeries(b.Bars); err != nil {
				t.Fatal(err)
			}
			covered = append(covered, b.Range)
		}

		all, err := got.Series()
		expected, wantErr := want.Series()
		if err := errors.Join(err, wantErr); err != nil || !all.Equal(expected) {
			t.Fatalf("read %v, %v; want %v", all, err, expected)
		}
		if covered = domain.MergeRanges(covered); !slices.EqualFunc(covered, ranges, domain.Range.Equal) {
			t.Fatalf("covered %v; want %v", covered, ranges)
		}
	})
}

// Coverage that a bar contradicts is an error before the first batch; so is coverage that no writer declares.
func TestContradictoryCoverageIsCorrupt(t *testing.T) {
	t.Parallel()
	const covered = `{"start":0,"end":1200000000}`
	for _, test := range []struct{ forged, want string }{
		{`{"start":60000000,"end":1200000000}`, "coverage: the bar of 1970-01-01T00:00:00Z is not in a range that the file covers"},
		{`{"start":0,"end":1140000000}`, "coverage: the bar of 1970-01-01T00:19:00Z is not"},
		{`{"start":0,"end":600000000},{"start":660000000,"end":1200000000}`, "coverage: the bar of 1970-01-01T00:10:00Z is not"},
		{`{"start":30000000,"end":1200000000}`, "index: invalid coverage from 30000000 to 1200000000"},
		{`{"start":0,"end":1200000001}`, "index: invalid coverage"},
		{`{"start":1200000000,"end":0}`, "index: invalid coverage"},
		{`{"start":0,"end":1200000000},{"start":600000000,"end":1260000000}`, "index: invalid coverage"},
		{`{"start":0,"end":9223372036854775807}`, "index: invalid coverage"},
	} {
		found := false
		b := reindex(goldenBytes(t), func(encoded []byte) []byte {
			found = bytes.Contains(encoded, []byte(covered))
			return bytes.Replace(encoded, []byte(covered), []byte(test.forged), 1)
		})
		f, err := NewFile("forged.bars", bytes.NewReader(b), int64(len(b)))
		if err == nil {
			for batch, batchErr := range f.Batches(key("BTC/USD")) {
				if err = batchErr; err == nil {
					t.Fatalf("%s: the batch %v came before the error", test.forged, batch)
				}
			}
		}
		if !found || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), "forged.bars") {
			t.Errorf("%s: %v (found %v); want %s", test.forged, err, found, test.want)
		}
	}
}

// A file whose coverage cuts a bar cannot be written, because none can be read.
func TestWriteRejectsCoverageWithinABar(t *testing.T) {
	t.Parallel()
	w, err := Create(filepath.Join(t.TempDir(), "bars"))
	if err != nil {
		t.Fatal(err)
	}

	defer w.Discard()
	r := minutes(0, 3)
	r.End = r.End.Add(1)
	if err := w.Write(series("BTC/USD", 0, 3), r); !errors.Is(err, domain.ErrInvalid) {
		t.Error(err)
	}
}
