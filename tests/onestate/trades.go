package onestate

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"testing"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// HammerTrades is Hammer for the trades of the symbol: two where a bar opens, each of the size of the bar's volume.
func (s *Series) HammerTrades(t *testing.T, w ports.TradeWriter, readers ...Reader) {
	t.Helper()
	s.hammer(t, s.tradeWriter(w), s.tradeWays(), readers)
}

func (s *Series) tradeWriter(w ports.TradeWriter) writer {
	return writer{
		write: func(ctx context.Context, r domain.Range, volume int64) error {
			_, err := w.WriteTrades(ctx, s.trades(r, volume), r, ports.ConflictReplace)
			return err
		},
		delete: func(ctx context.Context, r domain.Range) error {
			_, err := w.DeleteTrades(ctx, s.Key.Symbol, r)
			return err
		},
	}
}

// trades returns the trades of r, all of the size.
func (s *Series) trades(r domain.Range, size int64) domain.Trades {
	b := domain.NewTicksBuilder[domain.Trade](s.Key.Symbol)
	for at := r.Start; at.Before(r.End); at = s.Key.Grid.Next(at) {
		for seq := range int64(2) {
			trade := domain.Trade{Time: at, Seq: seq, Price: domain.MustDecimal("100"), Size: domain.MustDecimal(strconv.FormatInt(size, 10))}
			if err := b.Append(trade); err != nil {
				panic(err)
			}
		}
	}

	trades, err := b.Ticks()
	if err != nil {
		panic(err)
	}

	return trades
}

// tradeWays returns every way to ask for the trades.
func (s *Series) tradeWays() []way {
	all := domain.TickRequest{Symbol: s.Key.Symbol, Start: s.at(0), End: s.at(s.Bars)}
	first, last := all, all
	first.First, last.Last = 2*s.Bars, 2*s.Bars
	fetch := func(r domain.TickRequest) func(context.Context, *app.Service) (domain.Result, error) {
		return func(ctx context.Context, md *app.Service) (domain.Result, error) {
			result, err := md.FetchTrades(ctx, r)
			if err != nil {
				return domain.Result{}, err
			}

			return s.asBars(onePiece(result.Ticks), result)
		}
	}
	streamed := func(ctx context.Context, md *app.Service) (domain.Result, error) {
		pieces, result := md.StreamTrades(ctx, all)
		bars, err := s.asBars(pieces, domain.TickResult[domain.Trade]{})
		bars.Uncovered = result().Uncovered

		return bars, err
	}

	return []way{
		{"fetch trades", fetch(all), s.checkAll},
		{"first trades", fetch(first), s.checkAll},
		{"last trades", fetch(last), s.checkAll},
		{"stream trades", streamed, s.checkAll},
	}
}

func onePiece(trades domain.Trades) iter.Seq2[domain.Trades, error] {
	return func(yield func(domain.Trades, error) bool) { yield(trades, nil) }
}

// asBars returns the result as that of bars: a bar for each two trades, which must be of one time and size.
func (s *Series) asBars(
	pieces iter.Seq2[domain.Trades, error], result domain.TickResult[domain.Trade],
) (domain.Result, error) {
	b := domain.NewSeriesBuilder(s.Key, s.Bars)
	var first domain.Trade
	trades := 0
	for piece, err := range pieces {
		if err != nil {
			return domain.Result{}, err
		}
		for _, trade := range piece.All() {
			trades++
			if trades%2 == 1 {
				first = trade
				continue
			}
			if !trade.Time.Equal(first.Time) || trade.Size.Cmp(first.Size) != 0 || first.Seq != 0 || trade.Seq != 1 {
				return domain.Result{}, fmt.Errorf("the trades %+v and %+v", first, trade)
			}
			if err := b.Append(domain.Bar{OpenTime: trade.Time, Volume: trade.Size}); err != nil {
				return domain.Result{}, err
			}
		}
	}
	if trades%2 == 1 {
		return domain.Result{}, fmt.Errorf("%d trades", trades)
	}

	bars, err := b.Series()

	return domain.Result{Series: bars, Uncovered: result.Uncovered}, err
}
