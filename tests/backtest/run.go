package backtest

import (
	"context"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	wiring "github.com/gal-friday/marketdata/wiring/backtest"
)

// Run replays the bars of the keys that open in r to the strategy. It returns the fills, and a report of the strategy's
// requests and their results.
func Run(
	ctx context.Context, store wiring.Store, keys []domain.SeriesKey, r domain.Range,
) ([]Fill, replay.Report, error) {
	simulated := clock.NewSimulated(r.Start)
	market, err := wiring.New(store, simulated, app.Config{})
	if err != nil {
		return nil, replay.Report{}, err
	}

	history, err := replay.New(store, simulated, keys, r, replay.Config{})
	if err != nil {
		return nil, replay.Report{}, err
	}

	future, err := replay.NewLookahead(store, simulated, r, replay.Config{})
	if err != nil {
		return nil, replay.Report{}, err
	}

	recorder := replay.NewRecorder(market)
	strategy := &MovingAverages{Market: recorder, Few: 5, Many: 20}
	broker := &Broker{Future: future}
	for event, err := range history.Events(ctx) {
		if err != nil {
			return nil, replay.Report{}, err
		}

		side, ok, err := strategy.BarClosed(ctx, event.Key)
		if err != nil {
			return nil, replay.Report{}, err
		}
		if !ok {
			continue
		}
		if err := broker.Execute(ctx, event.Key, side, event.At); err != nil {
			return nil, replay.Report{}, err
		}
	}

	return broker.Fills, recorder.Report(), nil
}
