package domain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

func TestStartOfDate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ date, zone, want string }{
		{"2018-04-04", "", "2018-04-04T00:00:00Z"},
		{"2018-04-04", "UTC", "2018-04-04T00:00:00Z"},
		{"2018-04-04", "America/New_York", "2018-04-04T04:00:00Z"},
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // clocks went from 00:00 to 01:00
		{"2023-04-28", "Africa/Cairo", "2023-04-27T22:00:00Z"},
		{"2022-03-22", "Asia/Tehran", "2022-03-21T20:30:00Z"},
		{"2022-03-27", "Asia/Beirut", "2022-03-26T22:00:00Z"},
		{"2023-09-03", "America/Santiago", "2023-09-03T04:00:00Z"},
		{"2023-11-05", "America/Havana", "2023-11-05T04:00:00Z"}, // clocks showed 00:00 twice
	} {
		date, err := time.Parse(time.DateOnly, test.date)
		if err != nil {
			t.Fatal(err)
		}

		got, err := domain.StartOfDate(date.Add(15*time.Hour), test.zone)
		if err != nil || got.Format(time.RFC3339) != test.want {
			t.Errorf("%s in %s starts at %s, %v; want %s", test.date, test.zone, got, err, test.want)
		}
	}

	skipped := time.Date(2011, time.December, 30, 0, 0, 0, 0, time.UTC)
	if _, err := domain.StartOfDate(skipped, "Pacific/Apia"); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("a date that Samoa skipped: %v, want ErrInvalid", err)
	}
	if _, err := domain.StartOfDate(skipped, "Nowhere"); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("an unknown zone: %v, want ErrInvalid", err)
	}
}

// Bars of a day, a week or a month open at the start of a date, in every zone and on every date.
func TestStartOfDateIsAnEdge(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"America/Sao_Paulo", "Africa/Cairo", "Asia/Tehran", "Asia/Beirut", "America/Santiago", "America/Havana", "Asia/Gaza",
	} {
		grid, err := domain.NewGrid(domain.Day1, zone)
		if err != nil {
			t.Fatal(err)
		}

		for date := time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC); date.Year() < 2025; date = date.AddDate(0, 0, 1) {
			if start, err := domain.StartOfDate(date, zone); err != nil || !grid.Aligned(start) {
				t.Fatalf("%s in %s starts at %s, %v, where no bar opens", date.Format(time.DateOnly), zone, start, err)
			}
		}
	}
}

func TestLocalTime(t *testing.T) {
	t.Parallel()
	ignored := time.FixedZone("of no meaning", 7*3600)
	for _, test := range []struct {
		zone, want string
		local      time.Time
	}{
		{"", "2018-04-04T09:30:00Z", time.Date(2018, 4, 4, 9, 30, 0, 0, time.UTC)},
		{"Europe/Berlin", "2018-04-04T07:30:00Z", time.Date(2018, 4, 4, 9, 30, 0, 0, ignored)},
		{"Europe/Berlin", "2024-03-31T00:59:59.999999Z", time.Date(2024, 3, 31, 1, 59, 59, 999999000, time.UTC)},
		{"Europe/Berlin", "2024-03-31T01:00:00Z", time.Date(2024, 3, 31, 3, 0, 0, 0, time.UTC)},
		{"America/New_York", "2024-11-03T04:59:00Z", time.Date(2024, 11, 3, 0, 59, 0, 0, time.UTC)},
	} {
		got, err := domain.LocalTime(test.local, test.zone)
		if err != nil || got.Format(time.RFC3339Nano) != test.want {
			t.Errorf("%s in %q is %s, %v; want %s", test.local, test.zone, got.Format(time.RFC3339Nano), err, test.want)
		}
	}

	for zone, local := range map[string]time.Time{
		"Europe/Berlin":    time.Date(2024, 3, 31, 2, 30, 0, 0, time.UTC), // skipped
		"America/New_York": time.Date(2024, 11, 3, 1, 30, 0, 0, time.UTC), // shown twice
		"Nowhere":          time.Date(2024, 11, 3, 1, 30, 0, 0, time.UTC),
	} {
		if got, err := domain.LocalTime(local, zone); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s in %s is %s, %v; want ErrInvalid", local, zone, got, err)
		}
	}
}
