package app_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
	"github.com/gal-friday/marketdata/ports"
)

// paged is what pages sum to.
type paged struct {
	bars              *domain.SeriesBuilder
	uncovered, filled []domain.Range
	dropped           []time.Time
	next              time.Time
	checkpoint        domain.Checkpoint
}

func newPaged(key domain.SeriesKey) *paged { return &paged{bars: domain.NewSeriesBuilder(key, 0)} }

func (p *paged) add(t *rapid.T, page domain.Result) {
	t.Helper()
	if err := p.bars.AppendSeries(page.Series); err != nil {
		t.Fatal(err)
	}

	p.uncovered = domain.MergeRanges(append(p.uncovered, page.Uncovered...))
	p.filled = domain.MergeRanges(append(p.filled, page.Filled...))
	p.dropped = append(p.dropped, page.Quality.Dropped...)
	p.next, p.checkpoint = page.Next, page.Checkpoint
	if page.Restated {
		t.Fatalf("page %s is restated, but nothing changed", page.Range)
	}
}

// isWhole wants the pages to say what the one answer says.
func (p *paged) isWhole(t *rapid.T, whole domain.Result) {
	t.Helper()
	bars, err := p.bars.Series()
	if err != nil {
		t.Fatal(err)
	}
	if !bars.Equal(whole.Series) {
		t.Fatalf("pages are\n%v\nthe whole is\n%v", opens(bars), opens(whole.Series))
	}
	if got, want := fmt.Sprint(p.uncovered, p.filled, p.dropped), fmt.Sprint(whole.Uncovered, whole.Filled, whole.Quality.Dropped); got != want {
		t.Fatalf("beside the pages %s, beside the whole %s", got, want)
	}
}

// resumed is the request for the page after the one that ended at next, through a token.
func resumed(t *rapid.T, r domain.DataRequest, size int, next time.Time, c domain.Checkpoint) domain.DataRequest {
	t.Helper()
	token, err := pagetoken.New(r, next, c)
	if err != nil {
		t.Fatalf("%s goes on at %s: %v", r, next, err)
	}

	r.First = size
	page, err := token.Resume(r)
	if err != nil {
		t.Fatal(err)
	}

	return page
}

// byTokens reads the request page by page, up to one that is not full.
func byTokens(t *rapid.T, md *app.Service, r domain.DataRequest, sum *paged) {
	t.Helper()
	page := r
	page.Paged = true
	for page.First = rapid.IntRange(1, 7).Draw(t, "size"); ; page = resumed(t, r, rapid.IntRange(1, 7).Draw(t, "size"), sum.next, sum.checkpoint) {
		got, err := md.Fetch(t.Context(), page)
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}

		sum.add(t, got)
		if got.Series.Len() < page.First {
			return
		}
	}
}

// broken breaks streams off behind a piece, and resumes at its end with another, up to one that ends.
func broken(t *rapid.T, md *app.Service, r domain.DataRequest) domain.Series {
	t.Helper()
	whole := domain.NewSeriesBuilder(r.Key, 0)
	page := r
	for {
		pieces, _ := md.Stream(t.Context(), page)
		left := rapid.IntRange(1, 3).Draw(t, "pieces")
		for piece, err := range pieces {
			if err == nil {
				err = whole.AppendSeries(piece)
			}
			if err != nil {
				t.Fatalf("%s: %v", page, err)
			}
			if left--; left == 0 {
				page = resumed(t, r, 0, piece.Range().End, "")
				break
			}
		}
		if left > 0 {
			bars, err := whole.Series()
			if err != nil {
				t.Fatal(err)
			}

			return bars
		}
	}
}

// Pages of any size, resumed by tokens, sum to the answer of one Fetch and of one Stream: of bars that are stored, made of finer ones
// and of trades, in one store and in several, over what nobody holds, filled and not.
func TestTokensResumeASpread(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpread(t)
		r := s.drawRequest(t)
		r.First, r.Last, r.Resample = 0, 0, rapid.Bool().Draw(t, "resample")
		whole, err := s.Fetch(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		sum := newPaged(r.Key)
		byTokens(t, s.Service, r, sum)
		sum.isWhole(t, whole)
		if bars := broken(t, s.Service, r); !bars.Equal(whole.Series) {
			t.Fatalf("streamed\n%v\nwant\n%v", opens(bars), opens(whole.Series))
		}
	})
}

// So do pages under each policy of quality; one that has to fail fails on the page of the bar, and not before.
func TestTokensResumeUnderEachPolicy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		r := w.drawRequest(t)
		r.First, r.Last = 0, 0
		if rapid.Bool().Draw(t, "fill") {
			r.Fill = domain.FillPrevious
		}
		whole, err := w.Fetch(t.Context(), r)
		if errors.Is(err, ports.ErrCorruptData) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}

		sum := newPaged(r.Key)
		byTokens(t, w.Service, r, sum)
		sum.isWhole(t, whole)
	})
}

// A reader who comes back with its token has all that has come meanwhile, each bar once, and at the end all that one Fetch gives.
func TestTokensResumeLater(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := setup(t, at(0), app.Config{})
		if err := m.store.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
			t.Fatal(err)
		}

		r := domain.DataRequest{Key: key}
		if rapid.Bool().Draw(t, "starts") {
			r.Start = at(float64(rapid.IntRange(-5, 10).Draw(t, "start")))
		}
		if rapid.Bool().Draw(t, "ends") {
			r.End = at(float64(rapid.IntRange(10, 50).Draw(t, "end")))
		}
		if rapid.Bool().Draw(t, "fill") {
			r.Fill = domain.FillPrevious
		}
		sum := newPaged(key)
		byTokens(t, m.Service, r, sum)
		for written := 0; written < 40; {
			late := written
			written += rapid.IntRange(1, 9).Draw(t, "minutes")
			m.clock.Set(at(float64(written) + 0.5))
			b := domain.NewSeriesBuilder(key, 0)
			for minute := late; minute < written; minute++ {
				if rapid.IntRange(0, 2).Draw(t, "traded") == 0 {
					continue
				}
				if err := b.Append(bar(minute)); err != nil {
					t.Fatal(err)
				}
			}

			bars, err := b.Series()
			if err != nil {
				t.Fatal(err)
			}

			if rapid.Bool().Draw(t, "reads before the write") {
				readOn(t, m, r, sum)
			}
			if _, err := m.Ingest(t.Context(), bars, span(float64(late), float64(written)), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			if rapid.Bool().Draw(t, "reads") {
				readOn(t, m, r, sum)
			}
		}

		readOn(t, m, r, sum)
		whole, err := m.Fetch(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		bars, err := sum.bars.Series()
		if err != nil || !bars.Equal(whole.Series) {
			t.Fatalf("pages are\n%v, %v\nthe whole is\n%v", opens(bars), err, opens(whole.Series))
		}
	})
}

// readOn reads page by page from where the sum ends.
func readOn(t *rapid.T, m market, r domain.DataRequest, sum *paged) {
	t.Helper()
	for size := 5; size == 5; {
		page, err := m.Fetch(t.Context(), resumed(t, r, size, sum.next, sum.checkpoint))
		if err != nil {
			t.Fatal(err)
		}

		sum.add(t, page)
		size = page.Series.Len()
	}
}

// Pages of a series: a token outlives the program that read the page before.
func ExampleService_Fetch_pages() {
	ctx := context.Background()
	md, k, err := minutes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	request := domain.DataRequest{Key: k, First: 25, Paged: true}
	for page := request; ; {
		result, err := md.Fetch(ctx, page)
		if err != nil {
			fmt.Println(err)
			return
		}

		token, err := pagetoken.New(request, result.Next, result.Checkpoint)
		if err != nil {
			fmt.Println(err)
			return
		}

		fmt.Println(result.Series, result.Restated)
		if result.Series.Len() < request.First {
			return // all there is for now; the token finds what comes later
		}
		if page, err = token.Resume(request); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// BTC/USD 1m: 25 bars [2024-03-04T12:00:00Z, 2024-03-04T12:27:00Z) false
	// BTC/USD 1m: 25 bars [2024-03-04T12:27:00Z, 2024-03-04T12:55:00Z) false
	// BTC/USD 1m: 4 bars [2024-03-04T12:55:00Z, 2024-03-04T12:59:00Z) false
}
