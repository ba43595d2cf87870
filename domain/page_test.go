package domain

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func anyRequest() *rapid.Generator[DataRequest] {
	return rapid.Custom(func(t *rapid.T) DataRequest {
		r := DataRequest{
			Key:      anyKey().Draw(t, "key"),
			First:    rapid.IntRange(0, 3).Draw(t, "first"),
			Quality:  QualityPolicy(rapid.IntRange(0, len(qualityPolicies)-1).Draw(t, "quality")),
			Fill:     FillPolicy(rapid.IntRange(0, len(fillPolicies)-1).Draw(t, "fill")),
			Resample: rapid.Bool().Draw(t, "resample"),
		}
		if rapid.Bool().Draw(t, "starts") {
			r.Start = anyTime(r.Key.Grid.Zone()).Draw(t, "start")
		}
		if rapid.Bool().Draw(t, "ends") {
			r.End = anyTime(r.Key.Grid.Zone()).Draw(t, "end")
		}
		if !r.End.IsZero() && r.End.Before(r.Start) {
			r.Start, r.End = r.End, r.Start
		}

		return r
	})
}

// A token resumes its own request where it was made to, with pages of any size, and no other request.
// toMicros is the request as it is answered: its ends are rounded up to the microsecond.
func toMicros(r DataRequest) DataRequest {
	for _, end := range []*time.Time{&r.Start, &r.End} {
		if !end.IsZero() {
			*end = MicrosCeil(*end).Time()
		}
	}
	return r
}

func TestPageTokenResumesItsRequestAlone(t *testing.T) {
	check(t, func(t *rapid.T) {
		r := anyRequest().Draw(t, "request")
		next := later(anyTime("").Draw(t, "next"), r.Start)
		if r.Start.IsZero() && rapid.Bool().Draw(t, "nothing yet") {
			next = time.Time{}
		}
		token, err := NewPageToken(r, next)
		if err != nil {
			t.Fatal(err)
		}
		if again := must(NewPageToken(r, next)); again != token {
			t.Fatalf("%s and %s", token, again)
		}
		if strings.Trim(string(token), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q", token)
		}

		r.First = rapid.IntRange(0, 3).Draw(t, "another size")
		resumed, err := token.Resume(r)
		if err != nil {
			t.Fatal(err)
		}

		want := r
		if want.Start = MicrosCeil(next).Time(); !r.End.IsZero() && r.End.Before(want.Start) {
			want.Start = r.End
		}
		if resumed != want || resumed.Validate() != nil {
			t.Fatalf("resumed %+v, want %+v", resumed, want)
		}

		o := anyRequest().Draw(t, "other")
		o.First = r.First
		for name, alter := range map[string]func(*DataRequest){
			"symbol":   func(r *DataRequest) { r.Key.Symbol = o.Key.Symbol },
			"grid":     func(r *DataRequest) { r.Key.Grid = o.Key.Grid },
			"kind":     func(r *DataRequest) { r.Key.PriceType = o.Key.PriceType },
			"start":    func(r *DataRequest) { r.Start = o.Start },
			"end":      func(r *DataRequest) { r.End = o.End },
			"quality":  func(r *DataRequest) { r.Quality = o.Quality },
			"fill":     func(r *DataRequest) { r.Fill = o.Fill },
			"resample": func(r *DataRequest) { r.Resample = o.Resample },
		} {
			altered := r
			if alter(&altered); toMicros(altered) == toMicros(r) || altered.Validate() != nil {
				continue
			}
			if got, err := token.Resume(altered); !errors.Is(err, ErrInvalid) || got != (DataRequest{}) {
				t.Fatalf("%s: %s resumes %s: %v, %v", name, token, altered, got, err)
			}
		}
	})
}

// signed is a token of any body.
func signed(body ...byte) PageToken {
	return PageToken(pageText.EncodeToString(binary.LittleEndian.AppendUint32(body, pageChecksum(body))))
}

func TestPageTokenRefuses(t *testing.T) {
	t.Parallel()
	r := DataRequest{Key: minuteKey(), Start: utc("2018-01-01T00:00:00Z")}
	token := must(NewPageToken(r, utc("2018-02-01T00:00:00Z")))
	whole := must(pageText.DecodeString(string(token)))
	body := whole[:len(whole)-4]
	for name, c := range map[string]struct {
		token PageToken
		says  string
	}{
		"nothing":       {"", "not a page token"},
		"a word":        {"next", "not a page token"},
		"an instant":    {"2018-02-01T00:00:00Z", "not a page token"},
		"a line feed":   {token + "\n", "not a page token"},
		"cut":           {token[:len(token)-4], "damaged"},
		"turned":        {"B" + token[1:], "damaged"},
		"too long":      {signed(append([]byte{pageVersion}, body...)...), "not a page token"},
		"a newer one":   {signed(append([]byte{2}, body[1:]...)...), "its version is 2, but this program supports version 1"},
		"of another":    {must(NewPageToken(DataRequest{Key: r.Key}, utc("2018-02-01T00:00:00Z"))), "it is of another request"},
		"of a far year": {signed(append(append([]byte{}, body[:9]...), 0, 0, 0, 0, 0, 0, 0, 0x7f)...), "the year is 1 to 9999"},
		"before start":  {signed(append(append([]byte{}, body[:9]...), 0, 0, 0, 0, 0, 0, 0, 0)...), "before the start"},
	} {
		if got, err := c.token.Resume(r); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) || got != (DataRequest{}) {
			t.Errorf("%s: %v, %v; want it to say %q", name, got, err, c.says)
		}
	}

	if _, err := token.Resume(DataRequest{Key: r.Key, Start: r.Start, Last: 1}); !errors.Is(err, ErrInvalid) {
		t.Errorf("the last few: %v", err)
	}
	if _, err := token.Resume(DataRequest{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no request: %v", err)
	}
	for name, c := range map[string]struct {
		request DataRequest
		next    time.Time
	}{
		"the last few": {DataRequest{Key: r.Key, Last: 1}, r.Start},
		"no request":   {DataRequest{}, r.Start},
		"before start": {r, r.Start.Add(-time.Microsecond)},
		"a start lost": {r, time.Time{}},
		"a far year":   {r, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if token, err := NewPageToken(c.request, c.next); !errors.Is(err, ErrInvalid) || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

// Tokens that were handed out stay good.
func TestPageTokenOfVersion1(t *testing.T) {
	t.Parallel()
	r := DataRequest{
		Key: must(ParseSeriesKey("COINBASE:BTC/USD 1d@America/New_York bid")), Start: utc("2018-01-01T00:00:00Z"), End: utc("2019-01-01T00:00:00Z"),
		Quality: QualityDrop, Fill: FillPrevious, Resample: true,
	}
	const token = "ASQtoUspCTUFAFTJdx9kBQCvJlMN"
	if got := must(NewPageToken(r, utc("2018-02-01T05:00:00Z"))); got != token {
		t.Errorf("%s, want %s", got, token)
	}
	if got, err := PageToken(token).Resume(r); err != nil || !got.Start.Equal(utc("2018-02-01T05:00:00Z")) {
		t.Errorf("%s, %v", got, err)
	}
}

// FuzzPageToken wants any text to be refused as invalid, or to be the one token of the place where it resumes.
func FuzzPageToken(f *testing.F) {
	r := DataRequest{Key: minuteKey()}
	for _, s := range []PageToken{
		"", "A", "next", signed(), signed(1), signed(2, 3), must(NewPageToken(r, time.Time{})), must(NewPageToken(r, utc("2018-02-01T00:00:00Z"))),
		must(NewPageToken(DataRequest{Key: r.Key, End: utc("2018-02-01T00:00:00Z")}, time.Time{})),
	} {
		f.Add(string(s), []byte(nil))
		f.Add("", []byte(s))
	}

	f.Fuzz(func(t *testing.T, s string, body []byte) {
		for _, token := range []PageToken{PageToken(s), signed(body...)} {
			resumed, err := token.Resume(r)
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Fatalf("%q: %v does not wrap ErrInvalid", token, err)
				}
				continue
			}
			if err := resumed.Validate(); err != nil {
				t.Fatalf("%q resumes what is not valid: %v", token, err)
			}
			if again, err := NewPageToken(r, resumed.Start); err != nil || again != token {
				t.Fatalf("%q resumes %s, of which the token is %q, %v", token, resumed, again, err)
			}
		}
	})
}
