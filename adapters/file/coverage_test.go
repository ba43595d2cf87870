package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

var coverageKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}

// at returns the range of the minutes [from, to) of a day.
func at(from, to int) domain.Range {
	day := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: day.Add(time.Duration(from) * time.Minute), End: day.Add(time.Duration(to) * time.Minute)}
}

// drawCoverage returns ranges of 30 minutes, at least one, that do not touch.
func drawCoverage(t *rapid.T) []domain.Range {
	var ranges []domain.Range
	for from := rapid.IntRange(0, 5).Draw(t, "from"); from < 30; from += rapid.IntRange(1, 9).Draw(t, "gap") {
		to := from + rapid.IntRange(1, 9).Draw(t, "minutes")
		ranges = append(ranges, at(from, to))
		from = to
	}

	return ranges
}

// drawCovered returns bars in the ranges, which may be none, as CSV.
func drawCovered(t *rapid.T, ranges []domain.Range) (domain.Series, []byte) {
	b := domain.NewSeriesBuilder(coverageKey, 0)
	for _, r := range ranges {
		for _, bar := range gen.FlatBars(coverageKey, r.Start, int(r.End.Sub(r.Start)/time.Minute)).All() {
			if rapid.Bool().Draw(t, "traded") {
				if err := b.Append(bar); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	bars, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	var text bytes.Buffer
	w := file.NewBarWriter(&text)
	if err := errors.Join(w.Write(bars), w.Flush()); err != nil {
		t.Fatal(err)
	}

	return bars, text.Bytes()
}

// A file and its coverage file give the same rows and the same coverage, however small the batches are.
func TestCoverageFileKeepsTheCoverage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ranges := drawCoverage(t)
		bars, text := drawCovered(t, ranges)
		written, err := file.NewCoverage(bytes.NewReader(text), file.KindBars, coverageKey.String(), ranges)
		if err != nil {
			t.Fatal(err)
		}

		var document bytes.Buffer
		if err := written.Write(&document); err != nil {
			t.Fatal(err)
		}

		read, err := file.ReadCoverage(&document)
		if err != nil || read.Kind != file.KindBars || read.Series != coverageKey.String() {
			t.Fatalf("%+v, %v", read, err)
		}
		if err := read.Verify(bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}

		cfg := file.Config{
			Key: coverageKey, Format: file.Format{Coverage: read.Ranges}, BatchBars: rapid.IntRange(1, 7).Draw(t, "batch"),
		}
		var got []domain.Series
		var covered []domain.Range
		for b, err := range file.ReadBars(bytes.NewReader(text), cfg) {
			if err != nil {
				t.Fatal(err)
			}
			if !b.Range.Covers(b.Bars.Range()) {
				t.Fatalf("%v are not in %v", b.Bars, b.Range)
			}

			got, covered = append(got, b.Bars), append(covered, b.Range)
		}

		joined, err := domain.ConcatSeries(domain.EmptySeries(coverageKey), got)
		if err != nil || !joined.Equal(bars) {
			t.Fatalf("read %v, %v; want %v", joined, err, bars)
		}
		if covered = domain.MergeRanges(covered); !slices.EqualFunc(covered, ranges, domain.Range.Equal) {
			t.Fatalf("covered %v; want %v", covered, ranges)
		}
	})
}

const coveredTrades = `time,seq,price,size,side
2018-04-04T00:01:00Z,3,1,1,buy
2018-04-04T00:01:00Z,4,2,1,sell
2018-04-04T00:07:00Z,5,2,1,sell
`

// Trades of one instant stay together, and the parts of a batch count its rows once.
func TestCoverageOfTrades(t *testing.T) {
	t.Parallel()
	cfg := file.TickConfig{
		Symbol: "A/B", Format: file.Format{Coverage: []domain.Range{at(0, 2), at(4, 5), at(7, 10)}},
	}
	all, err := collect(file.ReadTrades(strings.NewReader(coveredTrades+"2018-04-04T00:07:00Z,5,2,1,sell\n"), cfg))
	if err != nil {
		t.Fatal(err)
	}

	rows, repeated := 0, 0
	var ranges []domain.Range
	for _, b := range all {
		rows, repeated, ranges = rows+b.Ticks.Len(), repeated+b.Repeated, append(ranges, b.Range)
	}
	ranges = domain.MergeRanges(ranges)
	if rows != 3 || repeated != 1 || !slices.EqualFunc(ranges, cfg.Format.Coverage, domain.Range.Equal) {
		t.Errorf("%d rows, %d repeated, covered %v", rows, repeated, ranges)
	}
}

// firstError returns the error of a sequence, and whether a batch came before it.
func firstError[B any](batches iter.Seq2[B, error]) (late bool, err error) {
	for _, err := range batches {
		if err != nil {
			return late, err
		}
		late = true
	}

	return late, nil
}

// Coverage that contradicts the rows is an error before the first batch.
func TestContradictoryCoverageIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		ranges []domain.Range
		want   string
	}{
		{"a row before", []domain.Range{at(2, 9)}, "the row of 2018-04-04T00:01:00Z is not in a range"},
		{"a row between", []domain.Range{at(0, 1), at(3, 9)}, "the row of 2018-04-04T00:01:00Z is not in a range"},
		{"the last row behind", []domain.Range{at(0, 7)}, "the row of 2018-04-04T00:07:00Z is not in a range"},
		{"none", []domain.Range{}, "no ranges"},
		{"reversed", []domain.Range{{Start: at(9, 9).Start, End: at(0, 0).Start}}, "ends before it starts"},
		{"overlapping", []domain.Range{at(0, 5), at(4, 9)}, "begins before the end"},
	} {
		cfg := file.TickConfig{Symbol: "A/B", BatchTicks: 1, Format: file.Format{Coverage: test.ranges}}
		late, err := firstError(file.ReadTrades(strings.NewReader(coveredTrades), cfg))
		if late || !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, after a batch %v; want %q", test.name, err, late, test.want)
		}
	}

	cfg := file.Config{Key: coverageKey, Format: file.Format{Coverage: []domain.Range{
		{Start: at(0, 0).Start.Add(time.Second), End: at(9, 9).End},
	}}}
	late, err := firstError(file.ReadBars(strings.NewReader("time,open,high,low,close,volume\n"), cfg))
	if late || !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), "within a bar of 1m") {
		t.Errorf("within a bar: %v", err)
	}

	cfg.Format.Coverage = []domain.Range{at(0, 9)}
	if _, err := firstError(file.ReadBars(io.MultiReader(strings.NewReader("time")), cfg)); err == nil {
		t.Error("a reader that cannot seek is accepted")
	}
}

// The time of a rejected row stays uncovered, wherever the row is. Where its time is unreadable, only what lies between
// valid rows is covered.
func TestRejectedRowsAreNotCovered(t *testing.T) {
	t.Parallel()
	const header = "time,open,high,low,close,volume\n"
	row := func(n int, volume string) string {
		return fmt.Sprintf("2018-04-04T00:%02d:00Z,1,1,1,1,%s\n", n, volume)
	}
	for _, test := range []struct {
		name, text string
		want       []domain.Range
	}{
		{"first", row(2, "x") + row(4, "1"), []domain.Range{at(0, 2), at(3, 10)}},
		{"between", row(2, "1") + row(3, "x") + row(4, "1"), []domain.Range{at(0, 3), at(4, 10)}},
		{"last", row(2, "1") + row(4, "x"), []domain.Range{at(0, 4), at(5, 10)}},
		{"all", row(4, "x"), []domain.Range{at(0, 4), at(5, 10)}},
		{"second of a time", row(4, "1") + row(4, "2"), []domain.Range{at(0, 10)}},
		{"unreadable time", row(2, "1") + row(3, "1") + "x,1,1,1,1,1\n", []domain.Range{at(2, 4)}},
	} {
		cfg := file.Config{Key: coverageKey, Format: file.Format{
			Coverage: []domain.Range{at(0, 10)}, Reject: func(file.RejectedRow) error { return nil },
		}}
		var covered []domain.Range
		for b, err := range file.ReadBars(strings.NewReader(header+test.text), cfg) {
			if err != nil {
				t.Fatal(err)
			}
			covered = append(covered, b.Range)
		}
		if covered = domain.MergeRanges(covered); !slices.EqualFunc(covered, test.want, domain.Range.Equal) {
			t.Errorf("%s: covered %v; want %v", test.name, covered, test.want)
		}
	}
}

const goldenCoverage = `{"version":1,"kind":"bars","series":"A/B 1m","size":5,` +
	`"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",` +
	`"ranges":[{"start":"2018-04-04T00:00:00Z","end":"2018-04-04T00:01:00Z"},` +
	`{"start":"2018-04-04T00:03:00Z","end":"2018-04-04T00:09:00Z"}]}` + "\n"

// The format of version 1 never changes, beside bars, trades and quotes.
func TestGoldenCoverageFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind           file.Kind
		series, golden string
	}{
		{file.KindBars, "A/B 1m", goldenCoverage},
		{file.KindTrades, "A/B", strings.Replace(goldenCoverage, `"bars","series":"A/B 1m"`, `"trades","series":"A/B"`, 1)},
		{file.KindQuotes, "A/B", strings.Replace(goldenCoverage, `"bars","series":"A/B 1m"`, `"quotes","series":"A/B"`, 1)},
	} {
		c, err := file.NewCoverage(strings.NewReader("hello"), test.kind, test.series, []domain.Range{at(3, 9), at(0, 1)})
		if err != nil {
			t.Fatal(err)
		}

		var text bytes.Buffer
		if err := c.Write(&text); err != nil || text.String() != test.golden {
			t.Errorf("%v\n%s", err, &text)
		}

		read, err := file.ReadCoverage(strings.NewReader(test.golden))
		if err != nil || !slices.Equal(read.Ranges, c.Ranges) || read.SHA256 != c.SHA256 || read.Size != c.Size ||
			read.Kind != test.kind || read.Series != test.series {
			t.Errorf("%+v, %v", read, err)
		}
		for _, other := range []string{"hell", "hellO", ""} {
			if err := read.Verify(strings.NewReader(other)); !errors.Is(err, domain.ErrInvalid) {
				t.Errorf("%q: %v", other, err)
			}
		}
	}
}

func TestInvalidCoverageFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, forged, want string }{
		{`"version":1`, `"version":2`, "version 2 is not supported"},
		{`"version":1,`, ``, "version 0 is not supported"},
		{`{"version"`, `["version"`, "invalid character"},
		{`"bars"`, `"candles"`, "none of bars, trades and quotes"},
		{`00:01:00Z`, `00:00:00Z`, "is empty"},
		{`00:01:00Z`, `00:04:00Z`, "begins before the end"},
		{`00:01:00Z`, `00:00:30.0000001Z`, "finer than a microsecond"},
		{`2018-04-04T00:01:00Z`, `2017-04-04T00:01:00Z`, "ends before it starts"},
		{`2018-04-04T00:00:00Z`, `0000-04-04T00:00:00Z`, "the year is 1 to 9999"},
		{`2018-04-04T00:09:00Z`, `soon`, "cannot parse"},
		{`[{`, `[],"no":[{`, "no ranges"},
		{`{"start"`, strings.Repeat(`{"start":"2018-04-04T00:00:00Z","end":"2018-04-04T00:00:00Z"},`,
			file.MaxCoverageRanges) + `{"start"`, "at most 262144"},
		{`"series":"A/B 1m"`, `"series":"` + strings.Repeat("A", 33<<20) + `"`, "longer than"},
	} {
		text := strings.Replace(goldenCoverage, test.old, test.forged, 1)
		_, err := file.ReadCoverage(strings.NewReader(text))
		if !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: %v; want %q", test.forged, err, test.want)
		}
	}

	if text, err := file.EncodeRanges(nil, 1); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no ranges are encoded as %s, %v", text, err)
	}
	text, err := file.EncodeRanges([]domain.Range{at(0, 9)}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.DecodeRanges(text, 6); err == nil || !strings.Contains(err.Error(), "of 7 rows, and the file has 6") {
		t.Errorf("other rows: %v", err)
	}
}

// FuzzReadCoverage verifies that every text is valid coverage, which survives, or an error that wraps domain.ErrInvalid.
func FuzzReadCoverage(f *testing.F) {
	f.Add(goldenCoverage)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := file.ReadCoverage(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, domain.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}

		encoded, err := file.EncodeRanges(c.Ranges, 7)
		if err != nil {
			t.Fatal(err)
		}
		if ranges, err := file.DecodeRanges(encoded, 7); err != nil || !slices.Equal(ranges, domain.MergeRanges(c.Ranges)) {
			t.Fatalf("%v, %v; want %v", ranges, err, c.Ranges)
		}
	})
}
