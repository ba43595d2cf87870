package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

var tickStart = time.Date(2019, 10, 31, 23, 59, 59, 0, time.UTC)

// tickTime returns the time and sequence number of tick i: three ticks per millisecond, across the end of a month.
func tickTime(i int) (time.Time, int64) {
	return tickStart.Add(time.Duration(i/3) * time.Millisecond), int64(i % 3)
}

func makeTrades(t *testing.T, n, seed int) domain.Trades {
	t.Helper()
	b := domain.NewTicksBuilder[domain.Trade]("XRP/ETH")
	for i := range n {
		at, seq := tickTime(i)
		price, size := fmt.Sprintf("0.00141%03d", (i+seed)%1000), fmt.Sprint(i+1)
		trade := domain.Trade{
			Time: at, Seq: seq, Side: domain.Side(i % 3),
			Price: domain.MustDecimal(price), Size: domain.MustDecimal(size),
		}
		if err := b.Append(trade); err != nil {
			t.Fatal(err)
		}
	}

	ticks, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

func makeQuotes(t *testing.T, n, seed int) domain.Quotes {
	t.Helper()
	b := domain.NewTicksBuilder[domain.Quote]("XRP/ETH")
	for i := range n {
		at, seq := tickTime(i)
		wide := domain.MustDecimal("12345678901234567890.123456789012345678") // does not fit 64 bits
		quote := domain.Quote{
			Time: at, Seq: seq, Bid: domain.MustDecimal(fmt.Sprintf("0.00141%03d", (i+seed)%1000)), Ask: wide,
			BidSize: domain.MustDecimal(fmt.Sprint(i)), AskSize: domain.MustDecimal("1e-18"),
		}
		if err := b.Append(quote); err != nil {
			t.Fatal(err)
		}
	}

	ticks, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

// tickCalls has the methods of a store for one kind of ticks.
type tickCalls[T domain.Tick] struct {
	make    func(t *testing.T, n, seed int) domain.Ticks[T]
	read    func(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Ticks[T]]
	write   func(context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy) (ports.WriteReport, error)
	remove  func(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error)
	replace func(ctx context.Context, ticks domain.Ticks[T], r domain.Range) (ports.WriteReport, error)
}

func TestTrades(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{BatchRows: 1_000})
	calls := tickCalls[domain.Trade]{makeTrades, s.ReadTrades, s.WriteTrades, s.DeleteTrades, s.ReplaceTrades}
	testTicks(t, s, domain.TickTrades, calls)
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{BatchRows: 1_000})
	calls := tickCalls[domain.Quote]{makeQuotes, s.ReadQuotes, s.WriteQuotes, s.DeleteQuotes, s.ReplaceQuotes}
	testTicks(t, s, domain.TickQuotes, calls)
}

func testTicks[T domain.Tick](t *testing.T, s *postgres.Store, kind domain.TickKind, calls tickCalls[T]) {
	ctx := t.Context()
	const n = 20_000 // more than two pieces, and twenty batches
	first, second := calls.make(t, n, 0), calls.make(t, n, 500)
	whole := first.Range()
	want := func(q ports.TickQuery, want domain.Ticks[T]) {
		t.Helper()
		q.Symbol = "XRP/ETH"
		at := 0
		for piece, err := range calls.read(ctx, q).Rows() {
			if err != nil {
				t.Fatal(err)
			}
			if end := at + piece.Len(); end > want.Len() || !piece.Equal(want.Slice(at, end)) {
				t.Fatalf("%+v: after %d of %d ticks the piece differs: %s", q, at, want.Len(), piece)
			}

			at += piece.Len()
		}
		if at != want.Len() {
			t.Fatalf("%+v: got %d ticks, want %d", q, at, want.Len())
		}
	}
	report := func(got ports.WriteReport, err error, want ports.WriteReport) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	}
	wantCovered := func(want ...domain.Range) {
		t.Helper()
		extents, err := ports.Collect(s.TickExtents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{"XRP/ETH"}}))
		if err != nil || len(extents) != len(want) {
			t.Fatal(extents, err)
		}

		for i, e := range extents {
			if e.Symbol != "XRP/ETH" || e.Kind != kind || !e.Range.Equal(want[i]) {
				t.Fatalf("extent %+v, want %s", e, want[i])
			}
		}
	}
	q := ports.TickQuery{Range: whole}
	want(q, first.Slice(0, 0))
	got, err := calls.write(ctx, first, whole, ports.ConflictReplace)
	report(got, err, ports.WriteReport{Inserted: n})
	want(q, first)
	wantCovered(whole)
	got, err = calls.write(ctx, first, whole, ports.ConflictReplace)
	report(got, err, ports.WriteReport{Unchanged: n})
	got, err = calls.write(ctx, second.Slice(0, 10), whole, ports.ConflictReplace)
	report(got, err, ports.WriteReport{Changed: 10})
	q.First = 10
	want(q, second.Slice(0, 10))
	q.First, q.Last = 0, 7
	want(q, first.Slice(n-7, n))
	q.Last = 0

	part := domain.Range{Start: tickStart, End: tickStart.Add(time.Second)} // 3,000 ticks
	got, err = calls.replace(ctx, second.Slice(0, 1_500), part)
	report(got, err, ports.WriteReport{Changed: 1_490, Unchanged: 10, Deleted: 1_500})
	want(ports.TickQuery{Range: part}, second.Slice(0, 1_500))
	wantCovered(whole)
	got, err = calls.remove(ctx, first.Symbol(), part)
	report(got, err, ports.WriteReport{Deleted: 1_500})
	wantCovered(domain.Range{Start: part.End, End: whole.End})
	want(q, first.Slice(3_000, n))

	_, err = calls.write(ctx, first, part, ports.ConflictReplace)
	wantKind(t, err, ports.ErrInvalid)
	for range calls.read(ctx, q).Rows() {
		break
	}
	if used := s.PoolStats().InUse; used != 0 {
		t.Errorf("%d connections in use after a break", used)
	}
}

func TestCorruptTicks(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"not finite":      "UPDATE marketdata.trades SET price = 'NaN' WHERE seq = 2",
		"too many digits": "UPDATE marketdata.trades SET size = 1e30 WHERE seq = 2",
		"negative size":   "UPDATE marketdata.trades SET size = -1 WHERE seq = 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := migrated.Postgres(t)
			s := open(t, postgres.Config{DSN: secret.New(dsn)})
			ticks := makeTrades(t, 10, 0)
			if _, err := s.WriteTrades(t.Context(), ticks, ticks.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}
			if err := exec(t.Context(), dsn, sql); err != nil {
				t.Fatal(err)
			}

			var err error
			for _, failed := range s.ReadTrades(t.Context(), ports.TickQuery{Symbol: "XRP/ETH", Range: ticks.Range()}).Rows() {
				err = failed
			}
			wantKind(t, err, ports.ErrCorruptData)
		})
	}
}
