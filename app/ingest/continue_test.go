package ingest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// instantTrade is a trade without a number of its own; instants are 10 microseconds apart.
type instantTrade struct {
	instant int
	price   string
}

func (r instantTrade) time() time.Time {
	return minute(0).Add(time.Duration(r.instant) * 10 * time.Microsecond)
}

// asFile numbers the trades as a file without sequence numbers does: by the position within their instant.
func asFile(t fataler, rows []instantTrade) domain.Trades {
	b := domain.NewTicksBuilder[domain.Trade]("A/B")
	seq := int64(0)
	for i, r := range rows {
		if seq++; i == 0 || r.instant != rows[i-1].instant {
			seq = 0
		}

		price, one := domain.MustDecimal(r.price), domain.MustDecimal("1")
		if err := b.Append(domain.Trade{Time: r.time(), Seq: seq, Price: price, Size: one}); err != nil {
			t.Fatal(err)
		}
	}

	trades, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return trades
}

// importFile stores a file without sequence numbers, in batches that do not cut an instant.
func importFile(t fataler, md *app.Service, rows []instantTrade, policy ports.ConflictPolicy) error {
	ctx := context.Background()
	trades := asFile(t, rows)
	var batches []domain.Trades
	for from := 0; from < trades.Len(); {
		to := from + 1
		for to < trades.Len() && (to < from+2 || trades.Time(to).Equal(trades.Time(to-1))) {
			to++
		}

		batches = append(batches, trades.Slice(from, to))
		from = to
	}

	for i, batch := range batches {
		ends := ingest.Ends{First: i == 0, Last: i == len(batches)-1}
		numbered, err := ingest.ContinueTicks(ctx, ingest.TradesOf(md, "A/B"), batch, ends)
		if err != nil {
			return err
		}

		coverage := domain.Range{Start: batch.Range().Start, End: batch.Range().End}
		if i > 0 {
			coverage.Start = batches[i-1].Range().End
		}
		if _, err := md.IngestTrades(ctx, numbered, coverage, policy); err != nil {
			return err
		}
	}

	return nil
}

// stored returns the prices of all stored trades, in their order.
func stored(t fataler, md *app.Service) string {
	r, err := md.FetchTrades(context.Background(), domain.TickRequest{Symbol: "A/B", Start: minute(0), End: minute(1)})
	if err != nil {
		t.Fatal(err)
	}

	var prices []string
	for _, trade := range r.Ticks.All() {
		prices = append(prices, trade.Price.String())
	}

	return strings.Join(prices, " ")
}

// A series of trades that is cut into files anywhere, also within an instant, is the same after the import of the files
// in any order and any number of times. Of a file within one instant the place is not known: it may be refused when the
// files around it came before it, and its trades stand in the order of the imports.
func TestCutFilesMakeUpTheirTrades(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows []instantTrade
		instant := 0
		for i := range rapid.IntRange(1, 12).Draw(t, "trades") {
			instant += rapid.IntRange(0, 1).Draw(t, "step")
			rows = append(rows, instantTrade{instant, strconv.Itoa(i + 1)})
		}

		var files [][]instantTrade
		for rest := rows; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "rows of a file")
			files = append(files, rest[:n])
			rest = rest[n:]
		}

		md := newService(t)
		order := append(rapid.Permutation(indices(files)).Draw(t, "order"),
			rapid.SliceOfN(rapid.SampledFrom(indices(files)), 0, 4).Draw(t, "again")...)
		for _, i := range order {
			f := files[i]
			err := importFile(t, md, f, ports.ConflictFail)
			if errors.Is(err, ports.ErrConflict) && isOneInstant(f) && i > 0 && i < len(files)-1 {
				return
			}
			if err != nil {
				t.Fatalf("file %d: %v", i, err)
			}
		}

		var want []string
		for _, r := range rows {
			want = append(want, r.price)
		}
		got := strings.Fields(stored(t, md))
		if slices.ContainsFunc(files, isOneInstant) {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("files %v in the order %v make up %s", files, order, got)
		}
	})
}

func isOneInstant(f []instantTrade) bool { return f[0].instant == f[len(f)-1].instant }

func indices[T any](s []T) []int {
	all := make([]int, len(s))
	for i := range all {
		all[i] = i
	}

	return all
}

func TestContinueTicks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files [][]instantTrade
		want  string // the stored prices, or the error
	}{
		"same file again":           {[][]instantTrade{{{0, "1"}, {1, "2"}, {1, "2"}}, {{0, "1"}, {1, "2"}, {1, "2"}}}, "1 2 2"},
		"file that grew":            {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{0, "1"}, {1, "2"}, {1, "3"}, {2, "4"}}}, "1 2 3 4"},
		"ranges share an instant":   {[][]instantTrade{{{0, "1"}, {1, "2"}, {1, "3"}}, {{1, "2"}, {1, "3"}, {2, "4"}}}, "1 2 3 4"},
		"slice of a stored file":    {[][]instantTrade{{{0, "1"}, {1, "2"}, {1, "3"}, {2, "4"}}, {{1, "3"}, {2, "4"}}}, "1 2 3 4"},
		"cut within an instant":     {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{1, "3"}, {1, "4"}, {2, "5"}}}, "1 2 3 4 5"},
		"second part first":         {[][]instantTrade{{{1, "3"}, {1, "4"}, {2, "5"}}, {{0, "1"}, {1, "2"}}}, "1 2 3 4 5"},
		"corrected first instant":   {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{0, "9"}, {1, "2"}}}, "9 2"},
		"corrected last instant":    {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{0, "1"}, {1, "9"}}}, "1 9"},
		"overlap behind":            {[][]instantTrade{{{0, "1"}, {1, "2"}, {1, "3"}}, {{1, "3"}, {1, "4"}, {2, "5"}}}, "only some of its rows"},
		"overlap before":            {[][]instantTrade{{{1, "3"}, {1, "4"}, {2, "5"}}, {{0, "1"}, {1, "2"}, {1, "3"}}}, "only some of its rows"},
		"corrected between files":   {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{1, "3"}, {2, "4"}}, {{1, "9"}, {2, "4"}}}, "its rows of that time are not stored"},
		"inside of two other files": {[][]instantTrade{{{0, "1"}, {1, "2"}}, {{1, "4"}, {2, "5"}}, {{1, "3"}}}, "its rows of that time are not stored"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := newService(t)
			var err error
			for _, f := range c.files {
				err = errors.Join(err, importFile(t, md, f, ports.ConflictReplace))
			}

			got := stored(t, md)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !errors.Is(err, ports.ErrConflict) || !strings.Contains(got, c.want)) {
				t.Errorf("got %s; want %s", got, c.want)
			}
		})
	}
}

// The search is linear also where the ticks of an instant are all equal but one.
func TestContinueManyEqualTicks(t *testing.T) {
	t.Parallel()
	const n = 20_000
	md := newService(t)
	equal := slices.Repeat([]instantTrade{{1, "1"}}, n)
	if err := importFile(t, md, append([]instantTrade{{0, "1"}}, equal...), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	err := importFile(t, md, append(slices.Clone(equal), instantTrade{1, "2"}, instantTrade{2, "3"}), ports.ConflictFail)
	if !errors.Is(err, ports.ErrConflict) {
		t.Errorf("got %v; want a conflict, because the ticks may be the stored ones", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// Quotes continue as trades do.
func TestContinueQuotes(t *testing.T) {
	t.Parallel()
	md := newService(t)
	quotes := func(bids ...string) domain.Quotes {
		b := domain.NewTicksBuilder[domain.Quote]("A/B")
		for i, bid := range bids {
			one := domain.MustDecimal("1")
			quote := domain.Quote{
				Time: minute(0), Seq: int64(i), Bid: domain.MustDecimal(bid), Ask: domain.MustDecimal("9"), BidSize: one, AskSize: one,
			}
			if err := b.Append(quote); err != nil {
				t.Fatal(err)
			}
		}

		q, err := b.Ticks()
		if err != nil {
			t.Fatal(err)
		}

		return q
	}

	for _, part := range []domain.Quotes{quotes("1", "2"), quotes("3")} {
		numbered, err := ingest.ContinueTicks(t.Context(), ingest.QuotesOf(md, "A/B"), part, ingest.Ends{First: true, Last: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := md.IngestQuotes(t.Context(), numbered, domain.Range{}, ports.ConflictFail); err != nil {
			t.Fatal(err)
		}
	}

	got, err := md.FetchQuotes(t.Context(), domain.TickRequest{Symbol: "A/B", Start: minute(0), End: minute(1)})
	if err != nil || !got.Ticks.Equal(quotes("1", "2", "3")) {
		t.Errorf("got %v, %v", got.Ticks, err)
	}
}
