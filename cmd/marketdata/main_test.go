package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, time.March, 31, 12, 30, 0, 0, time.UTC)
	for _, test := range []struct{ text, zone, want string }{
		{text: "now", want: "2024-03-31T12:30:00Z"},
		{text: "2018-04-04", want: "2018-04-04T00:00:00Z"},
		{text: "2018-04-04", zone: "America/New_York", want: "2018-04-04T04:00:00Z"},
		{text: "2018-04-04", zone: "Asia/Tokyo", want: "2018-04-03T15:00:00Z"},
		{text: "2018-11-04", zone: "America/Sao_Paulo", want: "2018-11-04T03:00:00Z"}, // clocks skipped midnight
		{text: "2018-04-04T09:30:00+02:00", want: "2018-04-04T07:30:00Z"},
		{text: "-90s", want: "2024-03-31T12:28:30Z"},
		{text: "-30m", want: "2024-03-31T12:00:00Z"},
		{text: "-36h", want: "2024-03-30T00:30:00Z"},
		{text: "-7d", want: "2024-03-24T12:30:00Z"},
		{text: "-2w", want: "2024-03-17T12:30:00Z"},
		{text: "-3M", want: "2023-12-31T12:30:00Z"},
	} {
		t.Run(test.text+test.zone, func(t *testing.T) {
			t.Parallel()
			got, err := parseTime(test.text, now, test.zone)
			if err != nil || stamp(got) != test.want {
				t.Errorf("got %s, %v; want %s", stamp(got), err, test.want)
			}
		})
	}

	for _, text := range []string{"yesterday", "2018", "-", "-7", "-7x", "7d", "2018-04-04 09:30", "2018-04-04T09:30:00"} {
		if got, err := parseTime(text, now, ""); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%q: got %v, %v; want a refusal", text, got, err)
		}
	}

	if got, err := parseTime("", now, ""); err != nil || !got.IsZero() {
		t.Errorf("nothing: got %v, %v; want the zero time", got, err)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"", "now", "-7d", "-100000s", "-1200M", "2018-04-04", "2018-04-04T09:30:00+02:00", "0001-01-01", "-", "2018-02-30"} {
		f.Add(seed, "America/New_York")
		f.Add(seed, "")
	}

	now := time.Date(2024, time.March, 31, 12, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, zone string) {
		got, err := parseTime(text, now, zone)
		if err != nil {
			return
		}

		if got.Location() != time.UTC {
			t.Errorf("%q is in %s; want UTC", text, got.Location())
		}
		if strings.HasPrefix(text, "-") && !got.Before(now) {
			t.Errorf("%q is %s, not before now", text, got)
		}
	})
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for want, kinds := range map[int][]error{
		exitFailed:      {errors.New("some fault"), ports.ErrInternal},
		exitInvalid:     {ports.ErrInvalid, userError{errors.New("no such file")}},
		exitNotFound:    {ports.ErrNotFound},
		exitUnavailable: {ports.ErrUnavailable, ports.ErrOverloaded, ports.ErrTimeout},
		exitCorrupt:     {ports.ErrCorruptData, ports.ErrIncomplete},
		exitTooLarge:    {ports.ErrTooLarge},
		exitForbidden:   {ports.ErrAuth, ports.ErrPermission, ports.ErrSchema},
		exitInterrupted: {ports.ErrCanceled},
	} {
		for _, kind := range kinds {
			if got := exitCode(fmt.Errorf("fetch: %w", kind)); got != want {
				t.Errorf("%v: exit code %d; want %d", kind, got, want)
			}
		}
	}
}

// cancelingReader is a file of minutes during which the user presses Ctrl-C: when row at is read.
type cancelingReader struct {
	row, at int
	cancel  context.CancelFunc
	rest    []byte
}

func (r *cancelingReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.row == 0 {
			r.rest = []byte("time,open,high,low,close,volume\n")
		} else {
			open := time.Unix(int64(r.row)*60, 0).UTC()
			r.rest = fmt.Appendf(nil, "%s,1,1,1,1,1\n", open.Format(time.RFC3339))
		}

		r.row++
		if r.row == r.at {
			r.cancel()
		}
	}

	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestInterruptedImportSaysWhatWasKept(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	db := filepath.Join(t.TempDir(), "market.db")
	endless := &cancelingReader{at: 25_000, cancel: cancel}
	var out, errs bytes.Buffer
	code := run(ctx, []string{"--db", db, "import", "--symbol", "BTC/USD", "--grid", "1m", "-"}, endless, &out, &errs)
	if code != exitInterrupted {
		t.Errorf("exit code %d; want %d\n%s", code, exitInterrupted, &errs)
	}
	const kept = "kept: the 20000 bars of BTC/USD 1m before, up to 1970-01-14T21:21:00Z; run the same command again to go on"
	if !strings.Contains(errs.String(), kept) {
		t.Errorf("standard error is\n%s\nwant it to say %q", &errs, kept)
	}
	out.Reset()
	if code := run(t.Context(), []string{"--db", db, "coverage"}, strings.NewReader(""), &out, io.Discard); code != exitOK {
		t.Fatalf("coverage: exit code %d", code)
	}

	if want := "1970-01-01T00:01:00Z,1970-01-14T21:21:00Z"; !strings.Contains(out.String(), want) {
		t.Errorf("coverage is\n%s\nwant %s", &out, want)
	}
}

// TestDemoDaysAreTheSumOfTheirMinutes adds up the minutes once more, by Decimal.
func TestDemoDaysAreTheSumOfTheirMinutes(t *testing.T) {
	t.Parallel()
	for symbol := range demoMarket {
		minutes, days, err := demoBars(symbol, 7)
		if err != nil {
			t.Fatal(err)
		}

		if days.Len() != demoDays {
			t.Errorf("%s; want %d days", days, demoDays)
		}
		if v := domain.NewValidator(minutes.Range(), minutes.Range().End).Check(minutes); v.Err(minutes.Key()) != nil {
			t.Errorf("%s: %v", minutes, v.Findings)
		}
		for _, day := range days.All() {
			within := domain.Range{Start: day.OpenTime, End: day.OpenTime.AddDate(0, 0, 1)}
			if got := sum(t, minutes.Clip(within)); !got.Equal(day) {
				t.Errorf("%s: the minutes add up to %v; the day is %v", minutes.Key().Symbol, got, day)
			}
		}
	}
}

func sum(t *testing.T, minutes domain.Series) domain.Bar {
	t.Helper()
	first, last := minutes.At(0), minutes.At(minutes.Len()-1)
	total := domain.Bar{OpenTime: first.OpenTime.Truncate(24 * time.Hour), Open: first.Open, High: first.High, Low: first.Low, Close: last.Close}
	for _, b := range minutes.All() {
		if b.High.Cmp(total.High) > 0 {
			total.High = b.High
		}
		if b.Low.Cmp(total.Low) < 0 {
			total.Low = b.Low
		}
		var err error
		if total.Volume, err = total.Volume.Add(b.Volume); err != nil {
			t.Fatal(err)
		}

		total.Trades += b.Trades
	}

	return total
}

func TestPrintTableShowsEveryDigit(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	rows := [][]string{{"é", "123456789.000000001"}, {"long name", "1"}}
	if err := printTable(&out, []column{{name: "name"}, {"count", true}}, rows); err != nil {
		t.Fatal(err)
	}

	const want = "NAME                     COUNT\n" +
		"é          123456789.000000001\n" +
		"long name                    1\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestPad(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		number string
		digits int
		want   string
	}{{"1", 0, "1"}, {"1", 2, "1.00"}, {"-1.5", 2, "-1.50"}, {"1.25", 2, "1.25"}} {
		if got := pad(test.number, test.digits); got != test.want {
			t.Errorf("pad(%s, %d) is %s; want %s", test.number, test.digits, got, test.want)
		}
	}
}
