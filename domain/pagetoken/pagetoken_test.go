package pagetoken

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}

	return v
}

func utc(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }

func minuteKey() domain.SeriesKey {
	return domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
}

// anyTime draws instants from 1840 to 2100, some of them not of whole microseconds.
func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		first, last := utc("1840-01-01T00:00:00Z").Unix(), utc("2100-01-01T00:00:00Z").Unix()
		nanos := rapid.SampledFrom([]int64{0, 1, 999, 1000, 999_999_999}).Draw(t, "nanos")

		return time.Unix(rapid.Int64Range(first, last).Draw(t, "second"), nanos).UTC()
	})
}

// anyCheckpoint draws one of the position next, or none.
func anyCheckpoint(next time.Time) *rapid.Generator[domain.Checkpoint] {
	return rapid.Custom(func(t *rapid.T) domain.Checkpoint {
		if rapid.Bool().Draw(t, "none") {
			return ""
		}

		return checkpointAt(next, rapid.StringN(1, 100, -1).Draw(t, "checkpoint"))
	})
}

// checkpointAt returns a checkpoint of the position.
func checkpointAt(next time.Time, rest string) domain.Checkpoint {
	return domain.Checkpoint(binary.LittleEndian.AppendUint64(nil, uint64(domain.MicrosCeil(next)))) + domain.Checkpoint(rest)
}

func anyRequest() *rapid.Generator[domain.DataRequest] {
	return rapid.Custom(func(t *rapid.T) domain.DataRequest {
		r := domain.DataRequest{
			Key:      gen.Key().Draw(t, "key"),
			First:    rapid.IntRange(0, 3).Draw(t, "first"),
			Paged:    true,
			Quality:  domain.QualityPolicy(rapid.IntRange(0, int(domain.QualityFlag)).Draw(t, "quality")),
			Fill:     domain.FillPolicy(rapid.IntRange(0, int(domain.FillPrevious)).Draw(t, "fill")),
			Resample: rapid.Bool().Draw(t, "resample"),
		}
		if rapid.Bool().Draw(t, "starts") {
			r.Start = anyTime().Draw(t, "start")
		}
		if rapid.Bool().Draw(t, "ends") {
			r.End = anyTime().Draw(t, "end")
		}
		if !r.End.IsZero() && r.End.Before(r.Start) {
			r.Start, r.End = r.End, r.Start
		}

		return r
	})
}

// A token resumes its own request where it was made to, with pages of any size, and no other request.
// toMicros is the request as it is answered: its ends are rounded up to the microsecond.
func toMicros(r domain.DataRequest) domain.DataRequest {
	for _, end := range []*time.Time{&r.Start, &r.End} {
		if !end.IsZero() {
			*end = domain.MicrosCeil(*end).Time()
		}
	}

	return r
}

func TestTokenResumesItsRequestAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := anyRequest().Draw(t, "request")
		next := anyTime().Draw(t, "next")
		if next.Before(r.Start) {
			next = r.Start
		}
		if r.Start.IsZero() && rapid.Bool().Draw(t, "nothing yet") {
			next = time.Time{}
		}
		c := anyCheckpoint(next).Draw(t, "checkpoint")
		token, err := New(r, next, c)
		if err != nil {
			t.Fatal(err)
		}
		if again := must(New(r, next, c)); again != token {
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
		if want.Start = domain.MicrosCeil(next).Time(); !r.End.IsZero() && r.End.Before(want.Start) {
			want.Start = r.End
		}
		if resumed.Checkpoint != c {
			t.Fatalf("the checkpoint is %q, want %q", resumed.Checkpoint, c)
		}
		if resumed.Checkpoint = ""; resumed != want || resumed.Validate() != nil {
			t.Fatalf("resumed %+v, want %+v", resumed, want)
		}

		o := anyRequest().Draw(t, "other")
		o.First = r.First
		for name, alter := range map[string]func(*domain.DataRequest){
			"symbol":   func(r *domain.DataRequest) { r.Key.Symbol = o.Key.Symbol },
			"grid":     func(r *domain.DataRequest) { r.Key.Grid = o.Key.Grid },
			"kind":     func(r *domain.DataRequest) { r.Key.PriceType = o.Key.PriceType },
			"start":    func(r *domain.DataRequest) { r.Start = o.Start },
			"end":      func(r *domain.DataRequest) { r.End = o.End },
			"quality":  func(r *domain.DataRequest) { r.Quality = o.Quality },
			"fill":     func(r *domain.DataRequest) { r.Fill = o.Fill },
			"resample": func(r *domain.DataRequest) { r.Resample = o.Resample },
		} {
			altered := r
			if alter(&altered); toMicros(altered) == toMicros(r) || altered.Validate() != nil {
				continue
			}
			if got, err := token.Resume(altered); !errors.Is(err, domain.ErrInvalid) || got != (domain.DataRequest{}) {
				t.Fatalf("%s: %s resumes %s: %v, %v", name, token, altered, got, err)
			}
		}
	})
}

// A token of trades or quotes resumes its own request where it was made to, and no other request, nor one for bars.
func TestTokenResumesTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bars, other := anyRequest().Draw(t, "request"), anyRequest().Draw(t, "other")
		of := func(r domain.DataRequest) domain.TickRequest {
			return domain.TickRequest{Symbol: r.Key.Symbol, Start: r.Start, End: r.End, First: r.First, Paged: true}
		}
		r, next := of(bars), anyTime().Draw(t, "next")
		if next.Before(r.Start) {
			next = r.Start
		}
		c := anyCheckpoint(next).Draw(t, "checkpoint")
		token, err := NewTicks(domain.TickTrades, r, next, c)
		if err != nil {
			t.Fatal(err)
		}

		r.First = rapid.IntRange(0, 3).Draw(t, "another size")
		want := r
		if want.Start = domain.MicrosCeil(next).Time(); !r.End.IsZero() && r.End.Before(want.Start) {
			want.Start = r.End
		}
		resumed, err := token.ResumeTicks(domain.TickTrades, r)
		if err != nil || resumed.Checkpoint != c {
			t.Fatalf("the checkpoint is %q, want %q, %v", resumed.Checkpoint, c, err)
		}
		if resumed.Checkpoint = ""; resumed != want {
			t.Fatalf("resumed %+v, want %+v", resumed, want)
		}

		refused := map[string]error{}
		_, refused["quotes"] = token.ResumeTicks(domain.TickQuotes, r)
		_, refused["bars"] = token.Resume(bars)
		if domain.MicrosCeil(other.Start) != domain.MicrosCeil(r.Start) {
			_, refused["another start"] = token.ResumeTicks(domain.TickTrades, domain.TickRequest{Symbol: r.Symbol, Start: other.Start, End: r.End})
		}
		if other.Key.Symbol != r.Symbol {
			_, refused["another symbol"] = token.ResumeTicks(domain.TickTrades, of(other))
		}
		r.Last, r.First = 1, 0
		_, refused["the last ticks"] = token.ResumeTicks(domain.TickTrades, r)
		_, refused["a token of the last ticks"] = NewTicks(domain.TickTrades, r, next, "")
		for name, err := range refused {
			if !errors.Is(err, domain.ErrInvalid) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

// signed is a token of any body.
func signed(body ...byte) Token {
	return Token(encoding.EncodeToString(binary.LittleEndian.AppendUint32(body, checksum(body))))
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	r := domain.DataRequest{Key: minuteKey(), Start: utc("2018-01-01T00:00:00Z")}
	token := must(New(r, utc("2018-02-01T00:00:00Z"), ""))
	whole := must(encoding.DecodeString(string(token)))
	body := whole[:len(whole)-4]
	checkpoint := checkpointAt(utc("2018-02-01T00:00:00Z"), "rest")
	for name, c := range map[string]domain.Checkpoint{
		"of another position": checkpointAt(utc("2018-02-01T00:00:00.000001Z"), "rest"),
		"that is too short":   checkpoint[:8],
		"that is a word":      "next",
	} {
		if token, err := New(r, utc("2018-02-01T00:00:00Z"), c); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("a checkpoint %s: %q, %v", name, token, err)
		}
	}
	for name, c := range map[string]struct {
		token Token
		says  string
	}{
		"nothing":       {"", "not a page token"},
		"a word":        {"next", "not a page token"},
		"an instant":    {"2018-02-01T00:00:00Z", "not a page token"},
		"a line feed":   {token + "\n", "not a page token"},
		"cut":           {token[:len(token)-4], "damaged"},
		"turned":        {"B" + token[1:], "damaged"},
		"a newer one":   {signed(append([]byte{3}, body[1:]...)...), "its version is 3, but this program supports version 2"},
		"an older one":  {"ASrh3ybtq7itANgZorlhBQB6X06n", "its version is 1, but this program supports version 2"},
		"of another":    {must(New(domain.DataRequest{Key: r.Key}, utc("2018-02-01T00:00:00Z"), "")), "it is of another request"},
		"of a far year": {signed(append(append([]byte{}, body[:9]...), 0, 0, 0, 0, 0, 0, 0, 0x7f)...), "the year is 1 to 9999"},
		"before start":  {signed(append(append([]byte{}, body[:9]...), 0, 0, 0, 0, 0, 0, 0, 0)...), "before the start"},
	} {
		if got, err := c.token.Resume(r); !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), c.says) || got != (domain.DataRequest{}) {
			t.Errorf("%s: %v, %v; want it to say %q", name, got, err, c.says)
		}
	}

	if _, err := token.Resume(domain.DataRequest{Key: r.Key, Start: r.Start, Last: 1}); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("the last few: %v", err)
	}
	if _, err := token.Resume(domain.DataRequest{}); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no request: %v", err)
	}
	for name, c := range map[string]struct {
		request domain.DataRequest
		next    time.Time
	}{
		"the last few": {domain.DataRequest{Key: r.Key, Last: 1}, r.Start},
		"not paged":    {domain.DataRequest{Key: r.Key, Start: r.Start, First: 10}, r.Start.Add(time.Hour)},
		"no request":   {domain.DataRequest{}, r.Start},
		"before start": {r, r.Start.Add(-time.Microsecond)},
		"a start lost": {r, time.Time{}},
		"a far year":   {r, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if token, err := New(c.request, c.next, ""); !errors.Is(err, domain.ErrInvalid) || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

// Tokens that were handed out stay good.
func TestTokenOfVersion2(t *testing.T) {
	t.Parallel()
	r := domain.DataRequest{
		Key: must(domain.ParseSeriesKey("COINBASE:BTC/USD 1d@America/New_York bid")), Start: utc("2018-01-01T00:00:00Z"), End: utc("2019-01-01T00:00:00Z"),
		Quality: domain.QualityDrop, Fill: domain.FillPrevious, Resample: true,
	}
	const token = "AiQtoUspCTUFAFTJdx9kBQBOQn7t"
	if got := must(New(r, utc("2018-02-01T05:00:00Z"), "")); got != token {
		t.Errorf("%s, want %s", got, token)
	}
	if got, err := Token(token).Resume(r); err != nil || !got.Start.Equal(utc("2018-02-01T05:00:00Z")) {
		t.Errorf("%s, %v", got, err)
	}

	const withCheckpoint = "AiQtoUspCTUFAFTJdx9kBQAAgNKpq2EFAAAAAAAAAAAABgBzcWxpdGUCADFtAIDSqathBQAAVMl3H2QFAAcAAAAAAAAACAAAAAAAAAAJAAAAAAAAAAoAAAAAAAAACwAAAAAAAAAMAAAAAAAAAA0AAAAAAAAAMaDUcg"
	resumed := must(Token(withCheckpoint).Resume(r))
	if got := must(New(r, utc("2018-02-01T05:00:00Z"), resumed.Checkpoint)); got != withCheckpoint || len(resumed.Checkpoint) < 100 {
		t.Errorf("%s, want %s", got, withCheckpoint)
	}

	ticks := domain.TickRequest{Symbol: "XRP/ETH", Start: r.Start}
	if got := must(NewTicks(domain.TickQuotes, ticks, utc("2018-02-01T05:00:00.000001Z"), "")); got != "AowRzWZUZl1QAVTJdx9kBQB9LbKF" {
		t.Errorf("%s", got)
	}
}

// FuzzToken wants any text to be refused as invalid, or to be the one token of the place where it resumes.
func FuzzToken(f *testing.F) {
	r := domain.DataRequest{Key: minuteKey()}
	for _, s := range []Token{
		"", "A", "next", signed(), signed(1), signed(2, 3), must(New(r, time.Time{}, "")), must(New(r, utc("2018-02-01T00:00:00Z"), "")),
		must(New(domain.DataRequest{Key: r.Key, End: utc("2018-02-01T00:00:00Z")}, time.Time{}, "")),
		must(New(r, utc("2018-02-01T00:00:00Z"), checkpointAt(utc("2018-02-01T00:00:00Z"), "rest"))),
	} {
		f.Add(string(s), []byte(nil))
		f.Add("", []byte(s))
	}

	f.Fuzz(func(t *testing.T, s string, body []byte) {
		for _, token := range []Token{Token(s), signed(body...)} {
			resumed, err := token.Resume(r)
			if err != nil {
				if !errors.Is(err, domain.ErrInvalid) {
					t.Fatalf("%q: %v does not wrap ErrInvalid", token, err)
				}
				continue
			}
			if err := resumed.Validate(); err != nil {
				t.Fatalf("%q resumes what is not valid: %v", token, err)
			}
			if again, err := New(r, resumed.Start, resumed.Checkpoint); err != nil || again != token {
				t.Fatalf("%q resumes %s, of which the token is %q, %v", token, resumed, again, err)
			}
		}
	})
}
