package parquet_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

var coverageKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}

// at returns the range of the minutes [from, to) of a day.
func at(from, to int) domain.Range {
	day := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: day.Add(time.Duration(from) * time.Minute), End: day.Add(time.Duration(to) * time.Minute)}
}

// writeCovered returns a file of the bars in the ranges, which it declares covered.
func writeCovered(t tester, bars domain.Series, ranges ...domain.Range) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := parquet.NewBarWriter(&file, bars.Key())
	if err != nil {
		t.Fatalf("NewBarWriter: %v", err)
	}

	for _, r := range ranges {
		if err := w.WriteCovered(bars.Clip(r), r); err != nil {
			t.Fatalf("WriteCovered: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	return file.Bytes()
}

// readCovered returns the bars and the coverage of a file. late reports whether a batch came before an error.
func readCovered(file []byte, cfg parquet.Config) (bars domain.Series, ranges []domain.Range, late bool, err error) {
	var pieces []domain.Series
	for b, err := range parquet.ReadBars(bytes.NewReader(file), int64(len(file)), cfg) {
		if err != nil {
			return bars, ranges, len(pieces) > 0, err
		}
		pieces, ranges = append(pieces, b.Bars), append(ranges, b.Range)
	}
	bars, err = domain.ConcatSeries(domain.EmptySeries(coverageKey), pieces)

	return bars, domain.MergeRanges(ranges), false, err
}

// A file gives the same bars and the same coverage, however small the batches are, also without any bar.
func TestFileKeepsTheCoverage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ranges []domain.Range
		var pieces []domain.Series
		for from := rapid.IntRange(0, 5).Draw(t, "from"); from < 40; from += rapid.IntRange(1, 9).Draw(t, "gap") {
			to := from + rapid.IntRange(1, 9).Draw(t, "minutes")
			ranges = append(ranges, at(from, to))
			pieces = append(pieces, gen.Bars(coverageKey, at(from, to), 9).Draw(t, "bars"))
			from = to
		}
		want, err := domain.ConcatSeries(domain.EmptySeries(coverageKey), pieces)
		if err != nil {
			t.Fatal(err)
		}

		cfg := parquet.Config{BatchBars: rapid.IntRange(1, 7).Draw(t, "batch")}
		bars, covered, _, err := readCovered(writeCovered(t, want, ranges...), cfg)
		if err != nil || !bars.Equal(want) || !slices.EqualFunc(covered, ranges, domain.Range.Equal) {
			t.Fatalf("read %v covering %v, %v; want %v covering %v", bars, covered, err, want, ranges)
		}
	})
}

// setCoverage writes the bars of minutes 2 to 5 as a file with the coverage.
func setCoverage(t *testing.T, coverage string) []byte {
	t.Helper()
	bars := gen.FlatBars(coverageKey, at(2, 6).Start, 4)
	f, err := pq.OpenFile(bytes.NewReader(writeBars(t, bars.Key(), bars)), int64(len(writeBars(t, bars.Key(), bars))))
	if err != nil {
		t.Fatal(err)
	}

	var file bytes.Buffer
	w := pq.NewWriter(&file, f.Schema(), pq.KeyValueMetadata(parquet.KeyName, bars.Key().String()),
		pq.KeyValueMetadata(parquet.CoverageName, coverage))
	for _, group := range f.RowGroups() {
		if _, err := w.WriteRowGroup(group); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return file.Bytes()
}

// Coverage that is invalid, of another file or contradicted by the rows is an error before the first batch.
func TestContradictoryCoverageIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ coverage, want string }{
		{"", "unexpected end of JSON"},
		{`{"version":2,"rows":4,"ranges":[]}`, "version 2 is not supported"},
		{`{"version":1,"rows":4,"ranges":[]}`, "no ranges"},
		{`{"version":1,"rows":3,"ranges":[{"start":"2018-04-04T00:00:00Z","end":"2018-04-04T00:09:00Z"}]}`,
			"it is of 3 rows, and the file has 4"},
		{`{"version":1,"rows":4,"ranges":[{"start":"2018-04-04T00:09:00Z","end":"2018-04-04T00:00:00Z"}]}`,
			"ends before it starts"},
		{`{"version":1,"rows":4,"ranges":[{"start":"2018-04-04T00:00:00Z","end":"2018-04-04T00:05:00Z"}]}`,
			"the row of 2018-04-04T00:05:00Z is not in a range"},
		{`{"version":1,"rows":4,"ranges":[{"start":"2018-04-04T00:03:00Z","end":"2018-04-04T00:09:00Z"}]}`,
			"the row of 2018-04-04T00:02:00Z is not in a range"},
		{`{"version":1,"rows":4,"ranges":[{"start":"2018-04-04T00:02:00Z","end":"2018-04-04T00:03:00Z"},` +
			`{"start":"2018-04-04T00:04:00Z","end":"2018-04-04T00:09:00Z"}]}`,
			"the row of 2018-04-04T00:03:00Z is not in a range"},
		{`{"version":1,"rows":4,"ranges":[{"start":"2018-04-04T00:02:00Z","end":"2018-04-04T00:08:30Z"}]}`,
			"begins or ends within a bar of 1m"},
	} {
		_, _, late, err := readCovered(setCoverage(t, test.coverage), parquet.Config{Name: "x.parquet", BatchBars: 1})
		if late || !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), test.want) ||
			strings.Count(err.Error(), "x.parquet") != 1 {
			t.Errorf("%s: %v, after a batch %v; want %q", test.coverage, err, late, test.want)
		}
	}
}

// A writer declares coverage for all rows or for none.
func TestWriterRefusesInvalidCoverage(t *testing.T) {
	t.Parallel()
	bars := gen.FlatBars(coverageKey, at(2, 6).Start, 4)
	var file bytes.Buffer
	w, err := parquet.NewBarWriter(&file, bars.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteCovered(bars, at(0, 7)); err != nil {
		t.Fatal(err)
	}

	next := gen.FlatBars(coverageKey, at(8, 9).Start, 1)
	for name, write := range map[string]func() error{
		"bars outside": func() error { return w.WriteCovered(next, at(7, 8)) },
		"reversed": func() error {
			return w.WriteCovered(next.Slice(0, 0), domain.Range{Start: at(9, 9).End, End: at(0, 0).End})
		},
		"within a bar": func() error {
			return w.WriteCovered(next, domain.Range{Start: at(7, 7).End, End: at(9, 9).End.Add(1e6)})
		},
		"none":           func() error { return w.Write(next) },
		"bars too early": func() error { return w.WriteCovered(bars, at(0, 7)) },
	} {
		if err := write(); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(w.WriteCovered(next, at(7, 9)), w.Close()); err != nil {
		t.Error(err)
	}

	if got, covered, _, err := readCovered(file.Bytes(), parquet.Config{}); err != nil || got.Len() != 5 ||
		len(covered) != 1 || !covered[0].Equal(at(0, 9)) {
		t.Errorf("%v covering %v, %v", got, covered, err)
	}

	bare, err := parquet.NewBarWriter(io.Discard, bars.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Write(bars); err != nil {
		t.Fatal(err)
	}
	if err := bare.WriteCovered(next, at(7, 9)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("coverage after rows without it: %v", err)
	}

	many, err := parquet.NewBarWriter(io.Discard, bars.Key())
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1<<18 + 1 {
		if err := many.WriteCovered(bars.Slice(0, 0), at(2*n, 2*n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := many.Close(); err == nil || !strings.Contains(err.Error(), "at most 262144") {
		t.Errorf("too many ranges: %v", err)
	}
}

// Ticks keep their coverage as bars do.
func TestTicksKeepTheCoverage(t *testing.T) {
	t.Parallel()
	keepTickCoverage(t, "trades_coverage.parquet", trades())
	keepTickCoverage(t, "quotes_coverage.parquet", quotes())
}

// keepTickCoverage tests a file of the program, and the golden one of that name.
func keepTickCoverage[T domain.Tick](t *testing.T, name string, k tickKind[T]) {
	t.Helper()
	all := k.tape("A/B", 30)
	whole := all.Range()
	cut := all.Time(10)
	ranges := []domain.Range{
		{Start: whole.Start.Add(-time.Hour), End: whole.Start.Add(-time.Minute)},
		{Start: whole.Start, End: cut},
		{Start: cut.Add(time.Microsecond), End: whole.End.Add(time.Hour)},
	}
	written := k.writeCovered(t, all, ranges)
	for _, file := range [][]byte{written, golden(t, name, func() []byte { return written })} {
		var got, want []domain.Ticks[T]
		var covered []domain.Range
		for b, err := range k.read(file, parquet.TickConfig{BatchTicks: 4}) {
			if err != nil {
				t.Fatal(err)
			}
			got, covered = append(got, b.Ticks), append(covered, b.Range)
		}
		for _, r := range ranges {
			want = append(want, all.Clip(r))
		}

		rows, err := domain.ConcatTicks(all, got)
		expected, wantErr := domain.ConcatTicks(all, want)
		covered = domain.MergeRanges(covered)
		if err != nil || wantErr != nil || !rows.Equal(expected) || !slices.EqualFunc(covered, ranges, domain.Range.Equal) {
			t.Errorf("read %d ticks covering %v, %v; want %d covering %v", rows.Len(), covered, err, expected.Len(), ranges)
		}
	}
}

// writeCovered returns a file of the ticks in the ranges, which it declares covered.
func (k tickKind[T]) writeCovered(t *testing.T, ticks domain.Ticks[T], ranges []domain.Range) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := k.newWriter(&file, ticks.Symbol())
	if err != nil {
		t.Fatal(err)
	}

	for _, r := range ranges {
		if err := w.WriteCovered(ticks.Clip(r), r); err != nil {
			t.Fatal(err)
		}
	}
	last := len(ranges) - 1
	if err := w.WriteCovered(ticks.Clip(ranges[last]), ranges[last-1]); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("ticks outside: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return file.Bytes()
}

func TestGoldenCoverage(t *testing.T) {
	t.Parallel()
	want, ranges := gen.FlatBars(coverageKey, at(2, 6).Start, 4), []domain.Range{at(0, 7), at(9, 20)}
	file := golden(t, "bars_coverage.parquet", func() []byte { return writeCovered(t, want, ranges...) })
	bars, covered, _, err := readCovered(file, parquet.Config{})
	if err != nil || !bars.Equal(want) || !slices.EqualFunc(covered, ranges, domain.Range.Equal) {
		t.Errorf("read %v covering %v, %v", bars, covered, err)
	}
}
