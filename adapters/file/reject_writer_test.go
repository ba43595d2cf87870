package file_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// Rejected rows are written as they were. Once they are corrected, the file is read, and each row covers only itself.
func TestRejectedRowsAreReadOnceCorrected(t *testing.T) {
	t.Parallel()
	kline := func(minute int64, high string) string {
		open := (1_522_800_000 + 60*minute) * 1000
		return strings.Join([]string{
			formatInt(open), "1", high, "1", "1", "7", formatInt(open + 59_999), "7", "3", "1", "1", "0",
		}, ",")
	}
	for name, test := range map[string]struct {
		text, wrong, right string
		ndjson             bool
	}{
		"csv": {text: "time;open;high;low;close;volume\n2018-04-04T00:00:00Z;1;2;1;1;1\n" +
			"2018-04-04T00:01:00Z;1;wrong;1;1;1\n2018-04-04T00:02:00Z;1;2;1;1;1\n" +
			"2018-04-04T00:03:00Z;1;wrong;1;1;1\n2018-04-04T00:04:00Z;1;2;1;1;1\n", wrong: "wrong;", right: "2;"},
		"klines": {text: kline(0, "2") + "\n" + kline(1, "wrong") + "\n" + kline(2, "2") + "\n" + kline(3, "wrong") + "\n" +
			kline(4, "2") + "\n", wrong: "wrong,", right: "2,"},
		"ndjson": {ndjson: true, text: objectLine(0, "2") + objectLine(1, "wrong") + objectLine(2, "2") +
			objectLine(3, "wrong") + objectLine(4, "2"), wrong: `"wrong"`, right: `"2"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rejects bytes.Buffer
			w := file.NewRejectWriter(&rejects)
			cfg := file.Config{
				Key: domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()},
				Format: file.Format{
					Name: "bars", NDJSON: test.ndjson, TimeUnit: file.TimeUnitAuto,
					Reject: func(r file.RejectedRow) error { return w.Write(r) },
				},
			}
			for _, err := range file.ReadBars(strings.NewReader(test.text), cfg) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}

			t.Log(rejects.String())
			cfg.Format.Reject = nil
			var got []string
			corrected := strings.ReplaceAll(rejects.String(), test.wrong, test.right)
			for batch, err := range file.ReadBars(strings.NewReader(corrected), cfg) {
				if err != nil {
					t.Fatal(err)
				}

				got = append(got, batch.Bars.At(0).OpenTime.Format("04")+" in "+batch.Range.String())
			}
			want := "01 in [2018-04-04T00:01:00Z, 2018-04-04T00:02:00Z) 03 in [2018-04-04T00:03:00Z, 2018-04-04T00:04:00Z)"
			if strings.Join(got, " ") != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}

func TestRejectWriterRefusesOtherHeaders(t *testing.T) {
	t.Parallel()
	w := file.NewRejectWriter(&bytes.Buffer{})
	reason := domain.ErrInvalid
	for _, test := range []struct{ header, says string }{{"time,open", ""}, {"time,open", ""}, {"open,time", "one by one"}} {
		err := w.Write(file.RejectedRow{
			File: "a.csv", Reason: reason, Row: []byte("1,2"), Header: []byte(test.header), Separator: ',',
		})
		if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("a row under %q: got %v, want %q", test.header, err, test.says)
		}
	}
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

// objectLine is a bar of the minute as a line of NDJSON.
func objectLine(minute int, high string) string {
	return fmt.Sprintf(`{"time":"2018-04-04T00:%02d:00Z","open":"1","high":%q,"low":"1","close":"1","volume":"1"}`+"\n",
		minute, high)
}
