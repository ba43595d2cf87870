package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
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
		{text: "2018-04-04T10:00+02:00", want: "2018-04-04T08:00:00Z"},
		{text: "2018-04-04 10:00:30-03:00", want: "2018-04-04T13:00:30Z"},
		{text: "2018-04-04 09:30", want: "2018-04-04T09:30:00Z"},
		{text: "2018-04-04 09:30", zone: "America/New_York", want: "2018-04-04T13:30:00Z"},
		{text: "2018-04-04T09:30:05.25", zone: "Asia/Tokyo", want: "2018-04-04T00:30:05.25Z"},
		{text: "1522834200", want: "2018-04-04T09:30:00Z"},
		{text: "1522834200250", want: "2018-04-04T09:30:00.25Z"},
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

	for _, text := range []string{
		"yesterday", "2018", "-", "-7", "-7x", "7d", "20180404", "15228342000", "1522834200250000", "2018-04-04 25:00",
		"2024-03-31 02:30", "2024-10-27T02:30", // clocks skipped the first in Berlin, and showed the second twice
	} {
		if got, err := parseTime(text, now, "Europe/Berlin"); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%q: got %v, %v; want a refusal", text, got, err)
		}
	}

	if got, err := parseTime("", now, ""); err != nil || !got.IsZero() {
		t.Errorf("nothing: got %v, %v; want the zero time", got, err)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{
		"", "now", "-", "-7d", "-100000s", "-1200M",
		"2018-04-04", "2018-04-04T09:30:00+02:00", "0001-01-01", "2018-02-30",
	} {
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
